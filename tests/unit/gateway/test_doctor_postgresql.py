"""What the doctor says of a ledger in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import NotReady
from gateway.ledger import ProcessRecord
from gateway.ledger.server_soundness import faults_of_server
from gateway.lifecycle import State
from gateway.running.doctor import Symptom, examine
from gateway.running.spool_identity import FILE_NAME, demand_own_spool
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


def test_nothing_is_repaired_while_a_process_of_another_host_lives(
    bench: Bench,
) -> None:
    far = ProcessRecord(
        name="far:7:aa",
        host="far",
        pid=7,
        boot="another kernel",
        roles="listener",
        started_at=bench.clock(),
        beat_at=bench.clock(),
    )
    with bench.site.ledger.writing() as rows:
        rows.add_process(far)
    with pytest.raises(NotReady, match="process 7 of far works on the ledger"):
        looked(bench, repair=True)
    assert "leases" in looked(bench)
    bench.clock.add(days=1)
    looked(bench, repair=True)


def test_a_folder_without_its_file_is_marked_when_a_person_says_so(
    bench: Bench,
) -> None:
    demand_own_spool(bench.site)
    assert looked(bench)["spool"].ok
    bench.site.spool.path(FILE_NAME).unlink()
    assert "doctor --repair" in looked(bench)["spool"].detail
    assert looked(bench, repair=True)["spool"].ok
    demand_own_spool(bench.site)
