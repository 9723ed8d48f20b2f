"""The clock is set: pauses, leases, quiet periods and ages go on as they were."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from config.load import Table
from dicom_io.ae import AETitle, Proof, RemoteAE
from gateway.away import LONGEST_SECONDS, is_away, note_silence
from gateway.errors import LedgerFailure
from gateway.ledger import AuditFilter, StudyRecord, times
from gateway.lifecycle import Event, State
from gateway.running import retention, timekeeping
from gateway.running.timekeeping import NOTICEABLE, SteadyClock, follow, resume
from gateway.stages.turn import Later, Moved, Outcome, Turns, take_turn
from tests.data.ledgers import given_study
from tests.data.stages import START, Bench, SetClock, bench_at

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TO_1970 = datetime(1970, 1, 2, tzinfo=UTC) - START
TO_2038 = datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC) - START
DST = datetime(2026, 3, 29, 1, 0, tzinfo=UTC) - START
"""The night in which Europe's clocks go from 2 to 3."""

STEPS = [-HOUR, HOUR, -DAY, DAY, DST, TO_1970, TO_2038]
NAMES = ["-1h", "+1h", "-1d", "+1d", "dst", "1970", "2038"]
each_step = pytest.mark.parametrize("step", STEPS, ids=NAMES)
far = pytest.mark.parametrize("step", [-DAY, TO_2038], ids=["-1d", "2038"])

WORK: Table = {
    "work": {"lease_seconds": 60.0, "longest_turn_seconds": 600.0, "max_attempts": 3},
    "completeness": {"quiet_seconds": 30.0, "max_wait_seconds": 600.0},
    "delivery": {"give_up_days": 0.5},
    "retention": {"days": 0.5},
}


@dataclass
class Machine:
    """A machine whose wall clock somebody sets while time goes by."""

    wall: SetClock = field(default_factory=SetClock)
    seconds: float = 0.0

    def passes(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall.add(seconds=seconds)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A bench that goes by a steady clock, and the machine below it."""

    bench: Bench
    machine: Machine
    clock: SteadyClock
    turns: Turns

    def set_clock(self, step: timedelta) -> bool:
        self.machine.wall.now += step
        return follow(self.bench.site.ledger, self.clock, self.turns.clock_set)

    def told(self) -> list[str]:
        return [one for one in self.bench.told() if "clock" in one]


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[Timed]:
    machine = Machine()
    clock = SteadyClock(machine.wall, lambda: machine.seconds)
    with bench_at(tmp_path, WORK) as opened:
        bench = replace(opened, site=replace(opened.site, clock=clock), clock=clock)  # type: ignore[arg-type]
        yield Timed(bench=bench, machine=machine, clock=clock, turns=Turns())


def claim(timed: Timed, owner: str = "worker") -> StudyRecord | None:
    with timed.bench.site.ledger.writing() as rows:
        return rows.claim([State.COMPLETE], timed.clock(), owner, 60.0)


@each_step
def test_no_step_reaches_whoever_asks_for_the_time(step: timedelta) -> None:
    machine = Machine()
    clock = SteadyClock(machine.wall, lambda: machine.seconds)
    machine.wall.now += step
    machine.passes(5)
    assert clock() == START + timedelta(seconds=5)
    assert clock.step() == step


def test_what_a_time_service_does_is_taken_up_without_a_word(timed: Timed) -> None:
    assert not timed.set_clock(-NOTICEABLE / 2)
    assert timed.clock() == START - NOTICEABLE / 2
    assert timed.told() == []


def test_a_step_is_taken_up_and_is_an_event_of_the_audit(timed: Timed) -> None:
    for step in STEPS:
        before = timed.clock()
        assert timed.set_clock(step)
        assert timed.clock() == before + step
        way = "back" if step < timedelta() else "forward"
        seconds = abs(step.total_seconds())
        assert timed.told()[-1] == f"the clock was set {way} by {seconds:.1f} s"
        assert not timed.set_clock(timedelta())
        timed.set_clock(-step)
    assert len(timed.told()) == 2 * len(STEPS)


def test_a_pause_lasts_as_long_as_it_was_meant_to(timed: Timed) -> None:
    given_study(timed.bench.site.ledger, now=START)
    found = claim(timed)
    for step in STEPS:
        assert found is not None
        with timed.bench.site.ledger.writing() as rows:
            until = timed.clock() + timedelta(seconds=100)
            rows.postpone(found, not_before=until, reason="a peer", attempts=1)
        timed.machine.passes(60)
        timed.set_clock(step)
        assert claim(timed) is None
        timed.machine.passes(39.5)
        assert claim(timed) is None
        timed.machine.passes(1)
        found = claim(timed)
        assert found is not None
        assert found.attempts == 1
        timed.set_clock(-step)


def test_a_living_workers_lease_neither_runs_out_nor_stays_for_ever(
    timed: Timed,
) -> None:
    given_study(timed.bench.site.ledger, now=START)
    for number, step in enumerate(STEPS, 1):
        with timed.turns.owner(timed.clock()) as owner:
            assert claim(timed, owner) is not None
            timed.machine.passes(45)
            timed.set_clock(step)
            timed.turns.renew(timed.bench.site)
            timed.machine.passes(45)
            assert claim(timed, "another") is None
            timed.turns.renew(timed.bench.site)
        timed.machine.passes(59)
        assert claim(timed, "another") is None
        timed.machine.passes(2)
        taken = claim(timed, "another")
        assert taken is not None
        assert taken.attempts == number
        with timed.bench.site.ledger.writing() as rows:
            rows.release(taken)
        timed.set_clock(-step)


@far
def test_a_study_is_not_whole_before_it_was_quiet_for_real(
    timed: Timed, step: timedelta
) -> None:
    timed.bench.send(timed.bench.film())
    timed.machine.passes(10)
    timed.set_clock(step)
    assert timed.bench.complete() == 0
    timed.machine.passes(19)
    assert timed.bench.complete() == 0
    timed.machine.passes(2)
    assert timed.bench.complete() == 1
    reason = timed.bench.study().reason
    assert reason == "1 instances in 0 s, then quiet for 30 s"


@far
def test_results_do_not_grow_old_by_a_step(timed: Timed, step: timedelta) -> None:
    silent = RemoteAE(
        name="pacs",
        title=AETitle("PACS"),
        host="127.0.0.1",
        port=1,
        proof=Proof.READ_BACK,
    )
    bench = timed.bench.at(destinations=(silent,))
    bench.send(bench.film())
    timed.machine.passes(31)
    while bench.turn():
        pass
    assert bench.study().state is State.ENCODED
    timed.set_clock(step)
    timed.machine.passes(700)
    assert bench.turn(State.ENCODED)
    assert bench.study().state is State.ENCODED  # not parked as too old
    assert {row.state for row in bench.deliveries()} == {"pending"}


@far
def test_files_are_not_purged_by_a_step(timed: Timed, step: timedelta) -> None:
    timed.bench.send(timed.bench.film())
    timed.machine.passes(31)
    while timed.bench.turn():
        pass
    assert timed.bench.study().state is State.KEPT
    timed.set_clock(step)
    assert retention.purge(timed.bench.site) == 0
    timed.machine.passes(13 * 3600)
    assert retention.purge(timed.bench.site) == 1


@far
def test_no_study_is_lost_or_read_twice(timed: Timed, step: timedelta) -> None:
    timed.bench.send(timed.bench.film())
    timed.machine.passes(31)
    ran: list[State] = []
    while timed.bench.turn():
        ran.append(timed.bench.study().state)
        timed.set_clock(step if len(ran) % 2 else -step)
    assert ran[-1] is State.KEPT
    assert len(timed.bench.engine.asked) == 1


def test_the_order_of_the_audit_is_by_number_whatever_the_clock_says(
    timed: Timed,
) -> None:
    step = -DAY
    timed.bench.send(timed.bench.film())
    timed.set_clock(step)
    timed.bench.send(timed.bench.film("2", SOPInstanceUID="1.2.3.5"))
    with timed.bench.site.ledger.reading() as rows:
        records = rows.audit(AuditFilter(limit=100))
    assert [one.sequence for one in records] == list(range(1, len(records) + 1))
    kinds = [one.event_type for one in records]
    assert kinds.index("clock-set") == len(kinds) - 2
    assert records[-1].recorded_at == START + step


def test_a_stage_that_waits_by_the_old_clock_is_asked_again_at_once(
    timed: Timed,
) -> None:
    given_study(timed.bench.site.ledger, now=START)

    def stage(_site: object, _study: StudyRecord) -> Outcome:
        until = timed.clock() + timedelta(seconds=5)
        timed.set_clock(-DAY)
        return Later(not_before=until, reason="a peer")

    def done(_site: object, _study: StudyRecord) -> Outcome:
        return Moved(event=Event.VIEWS_CHOSEN)

    def take(one: object) -> bool:
        stages = {State.COMPLETE: one}
        site = timed.bench.site
        return take_turn(site, stages, [State.COMPLETE], timed.turns)  # type: ignore[arg-type]

    assert take(stage)
    assert take(done)


def test_a_silent_peer_is_not_left_alone_for_a_day(timed: Timed) -> None:
    note_silence(timed.bench.site, "pacs")
    assert is_away(timed.bench.site, "pacs") is not None
    timed.set_clock(-DAY)
    until = is_away(timed.bench.site, "pacs")
    assert until is not None
    assert until - timed.bench.site.clock() <= timedelta(seconds=LONGEST_SECONDS)


def test_a_step_and_its_reverse_change_no_time(timed: Timed) -> None:
    timed.bench.send(timed.bench.film())
    before = timed.bench.study()
    for step in STEPS:
        timed.set_clock(step)
        assert timed.bench.study().last_arrival_at == before.last_arrival_at + step
        timed.set_clock(-step)
        assert timed.bench.study() == before


def test_where_the_ledger_fails_the_time_stays_as_it_was(timed: Timed) -> None:
    before = timed.clock()
    timed.machine.wall.now += DAY

    def tell(_step: timedelta) -> None:
        raise LedgerFailure("the disk is full")

    with pytest.raises(LedgerFailure):
        follow(timed.bench.site.ledger, timed.clock, tell)
    assert timed.clock() == before
    assert timed.told() == []
    assert timed.set_clock(timedelta())
    assert len(timed.told()) == 1


def test_a_clock_that_was_set_back_during_a_stop_is_noticed_at_the_start(
    tmp_path: Path,
) -> None:
    with bench_at(tmp_path, WORK) as bench:
        bench.send(bench.film())
        bench.clock.add(days=-1)
        assert resume(bench.site.ledger, bench.clock)
        assert bench.study().last_arrival_at == START - DAY
        assert not resume(bench.site.ledger, bench.clock)
        bench.clock.add(seconds=31)
        assert bench.complete() == 1
        assert sum("set back by 86400.0 s" in one for one in bench.told()) == 1


def test_a_long_stop_is_no_step(tmp_path: Path) -> None:
    with bench_at(tmp_path, WORK) as bench:
        bench.send(bench.film())
        bench.clock.add(days=30)
        assert not resume(bench.site.ledger, bench.clock)
        assert bench.study().last_arrival_at == START


def test_an_empty_ledger_knows_no_time(tmp_path: Path) -> None:
    with bench_at(tmp_path, WORK) as bench:
        assert not timekeeping.resume(bench.site.ledger, bench.clock)


def test_postgresql_moves_its_times_by_an_interval() -> None:
    moved = times.moved_elsewhere(times.MOVED[0], HOUR)
    dialect = make_url("postgresql+psycopg://host").get_dialect()
    written = moved.compile(dialect=dialect())
    assert str(written) == "studies.opened_at + %(param_1)s"
