"""A worker's turn: what is written, put off, parked, or left to somebody else."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from config.load import Table
from gateway.errors import LostRace
from gateway.fairness import Group, Priority
from gateway.ledger import Admission, Document, StudyRecord
from gateway.ledger.studies import WORKER_LOST
from gateway.lifecycle import Event, State
from gateway.pausing import pause_before
from gateway.site import Site
from gateway.stages import turn
from gateway.stages.turn import Later, Moved, Outcome, Stage, Turns
from tests.data.ledgers import STUDY_UID, given_study
from tests.data.stages import START, Bench, bench_at

CHOSEN = Moved(event=Event.VIEWS_CHOSEN)
WORK: Table = {
    "work": {
        "lease_seconds": 60.0,
        "max_attempts": 3,
        "first_pause_seconds": 10.0,
        "max_pause_seconds": 100.0,
    }
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path, WORK) as opened:
        yield opened


@pytest.fixture
def study(bench: Bench) -> StudyRecord:
    return given_study(bench.site.ledger, now=START)


def take(bench: Bench, stage: Stage) -> bool:
    stages = {State.COMPLETE: stage}
    return turn.take_turn(bench.site, stages, [State.COMPLETE], Turns())


def always(outcome: Outcome) -> Stage:
    return lambda _site, _study: outcome


def failing(_site: Site, _study: StudyRecord) -> Outcome:
    raise OSError("the disk said no")


def now(bench: Bench) -> StudyRecord:
    return bench.study(STUDY_UID)


def die(bench: Bench) -> None:
    """Claim the study as a worker does that never comes back."""
    with bench.site.ledger.writing() as rows:
        lease = bench.site.settings.work.lease_seconds
        assert rows.claim([State.COMPLETE], bench.clock(), "lost", lease)
    bench.clock.add(seconds=61)


def test_without_work_a_turn_says_so(bench: Bench) -> None:
    assert take(bench, failing) is False


def test_what_waits_beside_is_told_before_the_stage_and_what_is_next_after_it(
    bench: Bench, study: StudyRecord
) -> None:
    told: list[State | str] = []
    turns = Turns(lambda state, _at: told.append(state))

    def stage(_site: Site, _study: StudyRecord) -> Outcome:
        told.append("at work")
        return CHOSEN

    stages = {State.COMPLETE: stage}
    with bench.site.ledger.writing() as rows:
        other = rows.open_study("1.2", "CR", START)
        rows.move(other, Event.QUIET_PERIOD_ENDED, START)
    assert turn.take_turn(bench.site, stages, [State.COMPLETE], turns)
    assert told == [study.state, "at work", State.SELECTED]
    told.clear()
    assert turn.take_turn(bench.site, stages, [State.COMPLETE], turns)
    assert told == ["at work", State.SELECTED]  # none is left for another worker
    assert not turn.take_turn(bench.site, stages, [State.COMPLETE], turns)
    assert len(told) == 2


def test_an_urgent_study_is_taken_before_older_ones(bench: Bench) -> None:
    with bench.site.ledger.writing() as rows:
        for number, priority in enumerate(reversed(Priority)):
            admission = Admission(group=Group(priority=priority))
            study = rows.open_study(f"1.{number}", "CR", START, None, admission)
            rows.move(study, Event.QUIET_PERIOD_ENDED, START)
    turns, taken = Turns(), []

    def stage(_site: Site, study: StudyRecord) -> Outcome:
        taken.append(study.priority)
        return CHOSEN

    for _ in range(3):
        turn.take_turn(bench.site, {State.COMPLETE: stage}, [State.COMPLETE], turns)
    assert taken == [*Priority]


def test_a_stage_may_learn_that_a_study_is_urgent_and_never_that_it_is_not(
    bench: Bench,
) -> None:
    study = given_study(bench.site.ledger, now=START)
    urgent = Moved(event=Event.VIEWS_CHOSEN, priority=Priority.URGENT)
    assert take(bench, always(urgent))
    assert study.priority is Priority.ROUTINE
    assert now(bench).priority is Priority.URGENT


def test_a_finished_stage_moves_its_study_and_keeps_its_documents(
    bench: Bench, study: StudyRecord
) -> None:
    done = Moved(event=Event.VIEWS_CHOSEN, documents={Document.VIEWS: "{}"})
    assert take(bench, always(done))
    assert now(bench).state is State.SELECTED
    with bench.site.ledger.reading() as rows:
        assert rows.document(study.id, 1, Document.VIEWS) == "{}"
    assert "views-chosen" in bench.told()


def test_the_lease_ends_with_the_turn(bench: Bench, study: StudyRecord) -> None:
    take(bench, always(CHOSEN))
    assert study.lease_owner is None
    assert (now(bench).lease_owner, now(bench).lease_until) == (None, None)


def test_a_study_that_is_worked_on_is_not_claimed_again(
    bench: Bench, study: StudyRecord
) -> None:
    taken: list[bool] = []

    def stage(_site: Site, _study: StudyRecord) -> Outcome:
        taken.append(take(bench, failing))
        return CHOSEN

    assert take(bench, stage)
    assert taken == [False]
    assert now(bench).id == study.id
    assert now(bench).state is State.SELECTED


def test_a_worker_whose_lease_another_took_writes_nothing(
    bench: Bench, study: StudyRecord
) -> None:
    def slow(_site: Site, _study: StudyRecord) -> Outcome:
        bench.clock.add(seconds=61)
        with bench.site.ledger.writing() as rows:
            assert rows.claim([State.COMPLETE], bench.clock(), "another", 60)
        return Moved(event=Event.VIEWS_CHOSEN, documents={Document.VIEWS: "{}"})

    assert take(bench, slow)
    assert now(bench).state is State.COMPLETE
    assert now(bench).lease_owner == "another"
    with bench.site.ledger.reading() as rows:
        assert rows.document(study.id, 1, Document.VIEWS) is None


def test_the_failure_of_a_worker_that_lost_its_lease_is_not_counted_twice(
    bench: Bench, study: StudyRecord
) -> None:
    def slow(_site: Site, _study: StudyRecord) -> Outcome:
        bench.clock.add(seconds=61)
        with bench.site.ledger.writing() as rows:
            assert rows.claim([State.COMPLETE], bench.clock(), "another", 60)
        raise OSError("too late")

    assert take(bench, slow)
    assert study.attempts == 0
    assert (now(bench).attempts, now(bench).reason) == (1, WORKER_LOST)


def test_a_new_image_wins_over_the_worker(bench: Bench, study: StudyRecord) -> None:
    def overtaken(_site: Site, claimed: StudyRecord) -> Outcome:
        with bench.site.ledger.writing() as rows:
            rows.move(claimed, Event.IMAGE_ARRIVED, bench.clock())
        return CHOSEN

    assert take(bench, overtaken)
    assert (now(bench).state, now(bench).revision) == (State.RECEIVING, 2)
    assert study.revision == 1


def test_a_failing_stage_is_put_off_with_its_reason(
    bench: Bench, study: StudyRecord
) -> None:
    take(bench, failing)
    after = now(bench)
    assert (after.state, after.attempts) == (study.state, 1)
    assert after.reason == "OSError: the disk said no"
    assert after.not_before is not None
    pause = after.not_before - bench.clock()
    assert timedelta(seconds=5) <= pause <= timedelta(seconds=10)
    assert take(bench, failing) is False  # not due yet


def test_a_stage_that_keeps_failing_is_parked_with_the_reason(
    bench: Bench, study: StudyRecord
) -> None:
    for _ in range(3):
        assert take(bench, failing)
        bench.clock.add(seconds=101)
    after = now(bench)
    assert (after.state, after.reason) == (State.PARKED, "OSError: the disk said no")
    assert after.id == study.id
    assert "OSError: the disk said no" in bench.told()


def test_a_long_reason_is_cut(bench: Bench, study: StudyRecord) -> None:
    def wordy(_site: Site, _study: StudyRecord) -> Outcome:
        raise ValueError("x" * 5000)

    take(bench, wordy)
    assert study.reason is None
    assert len(now(bench).reason or "") == 500


def test_an_illegal_move_is_a_failure_of_its_stage(
    bench: Bench, study: StudyRecord
) -> None:
    take(bench, always(Moved(event=Event.RESULTS_STORED)))
    assert now(bench).state is study.state
    assert (now(bench).reason or "").startswith("IllegalMove")


def test_a_study_that_kills_its_workers_is_parked_unread(
    bench: Bench, study: StudyRecord
) -> None:
    for _ in range(3):
        die(bench)
    ran: list[int] = []

    def stage(_site: Site, one: StudyRecord) -> Outcome:
        ran.append(one.id)
        return CHOSEN

    assert take(bench, stage)
    assert (ran, now(bench).state) == ([], State.PARKED)
    assert now(bench).reason == f"3 workers died in {study.state}"


def test_a_study_whose_worker_died_once_is_worked_on_again(
    bench: Bench, study: StudyRecord
) -> None:
    die(bench)
    assert take(bench, always(CHOSEN))
    assert (now(bench).state, now(bench).attempts) == (State.SELECTED, 0)
    assert study.attempts == 0


def test_deaths_and_failures_of_a_stage_are_counted_together(
    bench: Bench, study: StudyRecord
) -> None:
    die(bench)
    die(bench)
    assert take(bench, failing)
    assert (now(bench).state, study.state) == (State.PARKED, State.COMPLETE)


@pytest.mark.parametrize(("given", "kept"), [(0, 0), (7, 7)])
def test_waiting_sets_the_attempts(
    bench: Bench, study: StudyRecord, given: int, kept: int
) -> None:
    for _ in range(2):
        take(bench, failing)
        bench.clock.add(seconds=101)
    until = bench.clock() + timedelta(seconds=30)
    take(bench, always(Later(not_before=until, reason="a peer", attempts=given)))
    after = now(bench)
    assert (after.attempts, after.not_before) == (kept, until)
    assert (after.reason, after.state) == ("a peer", study.state)


def test_waiting_never_parks(bench: Bench, study: StudyRecord) -> None:
    for number in range(20):
        later = Later(not_before=bench.clock(), reason="a peer", attempts=number)
        assert take(bench, always(later))
        bench.clock.add(seconds=1)
    assert now(bench).state is study.state


def test_the_audit_of_a_move_is_written_once(bench: Bench, study: StudyRecord) -> None:
    take(bench, always(CHOSEN))
    assert study.state is State.COMPLETE
    assert bench.told().count("views-chosen") == 1


@pytest.mark.parametrize(
    ("attempt", "least", "most"),
    [(0, 5, 10), (1, 10, 20), (3, 40, 80), (4, 50, 100), (1000, 50, 100)],
)
def test_the_pause_doubles_up_to_its_limit_with_jitter(
    attempt: int, least: float, most: float
) -> None:
    # 10 s doubled `attempt` times, at most 100 s; half to the whole of it.
    pauses = [pause_before(attempt, 10, 100).total_seconds() for _ in range(50)]
    assert min(pauses) >= least
    assert max(pauses) <= most
    assert len(set(pauses)) > 1


def test_the_study_that_waited_longest_comes_first(bench: Bench) -> None:
    given_study(bench.site.ledger, "1.2.10", now=START)
    given_study(bench.site.ledger, "1.2.11", now=START - timedelta(hours=1))
    seen: list[str] = []

    def note(_site: Site, one: StudyRecord) -> Outcome:
        seen.append(one.study_instance_uid)
        return CHOSEN

    step: Callable[[], bool] = lambda: take(bench, note)  # noqa: E731 - read twice
    assert [step(), step(), step()] == [True, True, False]
    assert seen == ["1.2.11", "1.2.10"]


def test_a_stage_that_waits_for_the_past_is_not_asked_again_at_once(
    bench: Bench, study: StudyRecord
) -> None:
    past = bench.clock() - timedelta(days=1)
    assert take(bench, always(Later(not_before=past, reason="a peer")))
    assert take(bench, failing) is False
    assert (now(bench).not_before or START) > bench.clock()
    assert now(bench).id == study.id


def test_what_is_due_the_longest_comes_first_not_what_failed_before(
    bench: Bench, study: StudyRecord
) -> None:
    with bench.site.ledger.writing() as rows:
        until = bench.clock() + timedelta(seconds=30)
        rows.postpone(study, not_before=until, reason="a peer", attempts=0)
    bench.clock.add(seconds=20)
    given_study(bench.site.ledger, "1.2.10", now=bench.clock())
    bench.clock.add(seconds=20)
    seen: list[str] = []

    def note(_site: Site, one: StudyRecord) -> Outcome:
        seen.append(one.study_instance_uid)
        return CHOSEN

    assert take(bench, note)
    assert take(bench, note)
    assert seen == ["1.2.10", STUDY_UID]


def under_way(bench: Bench, owner: str) -> StudyRecord:
    """Claim the study as a turn does that is at work."""
    with bench.site.ledger.writing() as rows:
        claimed = rows.claim([State.COMPLETE], bench.clock(), owner, 60)
    assert claimed is not None
    return claimed


def test_a_turn_that_is_under_way_holds_its_study_longer(
    bench: Bench, study: StudyRecord
) -> None:
    turns = Turns()
    with turns.owner(bench.clock()) as owner:
        under_way(bench, owner)
        bench.clock.add(seconds=45)
        turns.renew(bench.site)
        assert now(bench).lease_until == bench.clock() + timedelta(seconds=60)
    assert now(bench).id == study.id


def test_a_turn_that_is_over_holds_nothing_longer(
    bench: Bench, study: StudyRecord
) -> None:
    turns = Turns()
    with turns.owner(bench.clock()) as owner:
        claimed = under_way(bench, owner)
    bench.clock.add(seconds=45)
    turns.renew(bench.site)
    assert now(bench).lease_until == claimed.lease_until
    assert claimed.id == study.id


def test_a_turn_that_takes_far_too_long_holds_nothing_longer(
    bench: Bench, study: StudyRecord
) -> None:
    turns = Turns()
    longest = bench.site.settings.work.longest_turn_seconds
    with turns.owner(bench.clock()) as owner:
        claimed = under_way(bench, owner)
        bench.clock.add(seconds=longest - 1)
        turns.renew(bench.site)
        renewed = now(bench).lease_until
        bench.clock.add(seconds=1)
        turns.renew(bench.site)
    assert renewed == bench.clock() + timedelta(seconds=59)
    assert now(bench).lease_until == renewed
    assert claimed.id == study.id


def test_two_turns_of_a_process_have_owners_of_their_own(bench: Bench) -> None:
    turns = Turns()
    with turns.owner(bench.clock()) as one, turns.owner(bench.clock()) as two:
        assert one != two


def test_another_process_renews_nothing_of_ours(
    bench: Bench, study: StudyRecord
) -> None:
    mine, others = Turns(), Turns()
    with mine.owner(bench.clock()) as owner, others.owner(bench.clock()):
        claimed = under_way(bench, owner)
        bench.clock.add(seconds=45)
        others.renew(bench.site)
    assert now(bench).lease_until == claimed.lease_until
    assert claimed.id == study.id


def test_a_stage_that_waits_forgets_the_deaths_of_its_workers(
    bench: Bench, study: StudyRecord
) -> None:
    # Days of an outage with a restart now and then never park a study.
    for _ in range(6):
        die(bench)
        later = Later(not_before=bench.clock(), reason="a peer")
        assert take(bench, always(later))
        bench.clock.add(seconds=1)
    assert (now(bench).state, now(bench).attempts) == (study.state, 0)


A_NAME = "Doe^Jane"


def test_neither_reason_nor_log_quotes_what_was_read(
    bench: Bench, study: StudyRecord, caplog: pytest.LogCaptureFixture
) -> None:
    def confused(_site: Site, _study: StudyRecord) -> Outcome:
        TypeAdapter(int).validate_json(f'"{A_NAME}"')
        raise AssertionError("that is no number")

    assert take(bench, confused)
    assert now(bench).reason == "1 faults in what an earlier stage kept"
    assert study.reason is None
    assert "Doe" not in " ".join(bench.told())
    assert "in confused" in caplog.text
    assert "ValidationError" in caplog.text
    assert A_NAME not in caplog.text


def test_a_stage_that_loses_the_race_is_no_failure(
    bench: Bench, study: StudyRecord
) -> None:
    def late(_site: Site, _study: StudyRecord) -> Outcome:
        raise LostRace("somebody was faster")

    assert take(bench, late)
    assert (now(bench).attempts, now(bench).reason) == (0, None)
    assert study.attempts == 0
