"""Processes know each other: who lives, who died, and what the dead held."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import NotReady
from gateway.ledger import AuditFilter, ProcessRecord
from gateway.lifecycle import State
from gateway.locking import hold_life
from gateway.running import membership
from gateway.running.membership import Membership, bury_dead, new_name
from gateway.running.process_roles import ALL_ROLES, ProcessRole, parse_roles, words_of
from gateway.site import Site
from gateway.stages.turn import Turns
from tests.data.ledgers import NOW, at, given_study
from tests.data.stages import Bench, bench_at


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path, {"work": {"lease_seconds": 60.0}}) as opened:
        yield opened


def known(site: Site) -> list[str]:
    with site.ledger.reading() as rows:
        return [each.name for each in rows.processes()]


def add(site: Site, **changes: object) -> ProcessRecord:
    """Let another process be known, of this machine unless `changes` say else."""
    plain = ProcessRecord(
        name=new_name(),
        host=socket.gethostname(),
        pid=1,
        boot=membership.boot_id(),
        roles="worker",
        started_at=site.clock(),
        beat_at=site.clock(),
    )
    other = replace(plain, **changes)  # type: ignore[arg-type]
    with site.ledger.writing() as rows:
        rows.add_process(other)
    return other


def join(site: Site) -> membership.Joined:
    with ExitStack() as started:
        return Membership(site, ALL_ROLES, new_name()).join(started)


def lost(site: Site) -> list[str]:
    with site.ledger.reading() as rows:
        found = rows.audit(AuditFilter(limit=100))
    return [each.detail or "" for each in found if each.event_type == "process-lost"]


def held_by(site: Site, process: str, uid: str) -> int:
    """Let a turn of a process hold a study; return its number."""
    study = given_study(site.ledger, uid, State.COMPLETE, site.clock())
    turns = Turns(process=process)
    with turns.owner(site.clock()) as owner, site.ledger.writing() as rows:
        claimed = rows.claim([State.COMPLETE], site.clock(), owner, 3600.0)
    assert claimed is not None
    assert claimed.id == study.id
    return claimed.id


def test_a_process_is_known_from_its_start_to_its_stop(bench: Bench) -> None:
    member = Membership(bench.site, [ProcessRole.WORKER], new_name())
    with ExitStack() as started:
        joined = member.join(started)
        assert (joined.dead, joined.freed) == (0, 0)
        with bench.site.ledger.reading() as rows:
            (found,) = rows.processes()
        assert (found.name, found.roles) == (member.name, "worker")
        bench.clock.add(seconds=30)
        member.beat(None, ())
        with bench.site.ledger.reading() as rows:
            assert rows.processes()[0].beat_at == bench.clock()
    assert known(bench.site) == []


def lives(site: Site, process: ProcessRecord) -> AbstractContextManager[None]:
    """Hold a process's life, as it does itself."""
    return hold_life(site.settings.storage.folder, process.name.rpartition(":")[2])


def test_a_living_process_keeps_what_it_holds_and_a_dead_one_does_not(
    bench: Bench,
) -> None:
    site = bench.site
    dead, living = add(site), add(site, beat_at=NOW)
    bench.clock.add(days=1)  # the living one may be slow: the kernel knows that it is
    with lives(site, living):
        kept = held_by(site, living.name, "1.2.2")
        number = held_by(site, dead.name, "1.2.1")
        with site.ledger.writing() as rows:
            rows.hold_jobs(["purge"], dead.name, site.clock(), at(1e6))
            rows.hold_jobs(["seal"], living.name, site.clock(), at(1e6))
        joined = join(site)
    assert (joined.dead, joined.freed) == (1, 1)
    assert known(site) == [living.name]
    with site.ledger.reading() as rows:
        freed, still = rows.study_by_id(number), rows.study_by_id(kept)
        purge, seal = rows.jobs()
    assert (freed.lease_owner, freed.attempts) == (None, 1)
    assert still.lease_owner is not None
    assert (purge.until, seal.until) == (site.clock(), at(1e6))
    (told_of,) = lost(site)
    assert f"process 1 of {dead.host} (worker) ended without a stop" in told_of
    assert told_of.endswith("1 studies were at work")


def test_who_joins_beside_another_leaves_young_files_alone(bench: Bench) -> None:
    site = bench.site
    alone = join(site).before
    with lives(site, add(site)):
        beside = join(site).before
    assert (alone - beside).total_seconds() == pytest.approx(3600, abs=60)


def test_a_process_of_a_machine_that_was_started_anew_is_dead_on_sqlite(
    bench: Bench,
) -> None:
    add(bench.site, boot="the run before")
    is_dead = not bench.site.ledger.has_server
    assert join(bench.site).dead == int(is_dead)


def test_a_process_of_another_machine_is_dead_once_its_heart_was_still_for_long(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(bench.site.ledger), "has_server", True)
    other = add(bench.site, host="far", boot="far")
    for seconds, dead in ((170, 0), (11, 1)):
        bench.clock.add(seconds=seconds)
        with bench.site.ledger.writing() as rows:
            assert bury_dead(bench.site, rows) == (dead, 0)
    assert other.name not in known(bench.site)
    assert len(lost(bench.site)) == 1


def test_who_was_taken_for_dead_and_lives_is_known_again(bench: Bench) -> None:
    site = bench.site
    member = Membership(site, ALL_ROLES, new_name())
    with ExitStack() as started:
        member.join(started)
        with site.ledger.writing() as rows:
            assert rows.remove_process(member.name)
        member.beat(None, ())
        assert known(site) == [member.name]


def test_roles_are_words_with_commas() -> None:
    assert parse_roles("web, worker") == {ProcessRole.WEB, ProcessRole.WORKER}
    assert words_of(parse_roles("web,worker,web")) == "worker,web"
    assert parse_roles(words_of(ALL_ROLES)) == ALL_ROLES
    for wrong in ("", "worker,", "Worker", "listener;web", "all"):
        with pytest.raises(NotReady, match="is no role"):
            parse_roles(wrong)
