"""What the doctor says of a ledger in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger.server_soundness import faults_of_server
from gateway.lifecycle import State
from gateway.running.doctor import Symptom, examine
from tests.data.postgresql import database_of, name_of, shared_server
from tests.data.stages import Bench, bench_at

pytestmark = pytest.mark.peers


@pytest.fixture
def url(tmp_path: Path) -> str:
    return database_of(tmp_path)


@pytest.fixture
def bench(tmp_path: Path, url: str) -> Iterator[Bench]:
    with bench_at(tmp_path, {"ledger": {"url": url}}) as bench:
        bench.received()
        yield bench


def looked(bench: Bench, *, repair: bool = False) -> dict[str, Symptom]:
    found = examine(bench.site.settings, bench.clock, repair=repair)
    return {symptom.name: symptom for symptom in found}


def run(tmp_path: Path, statement: str) -> None:
    shared_server().run(statement, name_of(tmp_path))


def test_a_ledger_at_work_is_sound_and_its_indexes_are_compared(
    bench: Bench, tmp_path: Path, url: str
) -> None:
    run(tmp_path, "CREATE EXTENSION amcheck")
    assert faults_of_server(url) == ()
    assert all(symptom.ok for symptom in looked(bench).values())


def test_a_study_whose_last_move_leads_elsewhere_is_damage(
    bench: Bench, tmp_path: Path
) -> None:
    run(tmp_path, "UPDATE studies SET state = 'committed'")
    assert "its last move says complete" in looked(bench)["ledger"].detail


def test_an_index_that_was_left_unfinished_is_named(
    bench: Bench, tmp_path: Path
) -> None:
    run(
        tmp_path,
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid = 'ix_studies_changed_at'::regclass",
    )
    assert "ix_studies_changed_at is not valid" in looked(bench)["ledger"].detail


def test_a_database_without_a_ledger_is_explained(tmp_path: Path, bench: Bench) -> None:
    bench.site.ledger.close()
    run(tmp_path, "DROP TABLE alembic_version")
    assert "restore the last copy" in looked(bench)["ledger"].detail


def test_leases_of_other_hosts_are_left_alone(bench: Bench) -> None:
    with bench.site.ledger.claiming() as rows:
        claimed = rows.claim([State.COMPLETE], bench.clock(), "another host", 60.0)
    assert claimed is not None
    assert looked(bench, repair=True)["leases"].detail == "1 studies are at work"
    assert bench.study().lease_owner == "another host"
