"""Moves and leases: compare-and-set, history, and who gets the work."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pytest

from gateway.errors import IllegalMove, LedgerFailure, LostRace, NoSuchStudy
from gateway.ledger import AuditFilter, Ledger, StudyRecord
from gateway.ledger.studies import WORKER_LOST
from gateway.lifecycle import WORKING, Event, State
from tests.data.ledgers import (
    NOW,
    STUDY_UID,
    add_study,
    at,
    audit_entry,
    given_study,
    url_of,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path))
    yield ledger
    ledger.close()


def claim(
    ledger: Ledger, now: datetime = NOW, owner: str = "worker"
) -> StudyRecord | None:
    """Claim a study; `work_waiting` must have said whether there is one."""
    with ledger.writing() as rows:
        waiting = rows.work_waiting(WORKING, now)
        claimed = rows.claim(WORKING, now, owner, 60)
    assert bool(waiting) is (claimed is not None)
    return claimed


def study_now(ledger: Ledger, uid: str = STUDY_UID) -> StudyRecord:
    with ledger.reading() as rows:
        study = rows.study(uid)
    assert study is not None
    return study


def test_a_study_begins_receiving_in_its_first_revision(ledger: Ledger) -> None:
    study = given_study(ledger, state=State.RECEIVING)
    assert (study.state, study.revision) == (State.RECEIVING, 1)
    assert study_now(ledger) == study


def test_a_study_is_opened_once(ledger: Ledger) -> None:
    given_study(ledger)
    with pytest.raises(LostRace):
        given_study(ledger)


def test_times_come_back_aware_and_in_utc(ledger: Ledger) -> None:
    local = datetime.fromisoformat("2026-07-01T12:00:00.123456+02:00")
    study = given_study(ledger, state=State.RECEIVING, now=local)
    assert study.opened_at == local
    assert str(study.opened_at) == "2026-07-01 10:00:00.123456+00:00"


def test_a_time_without_a_zone_is_refused(ledger: Ledger) -> None:
    naive = datetime(2026, 7, 1, 12, 0)  # noqa: DTZ001 - what is refused
    with pytest.raises(LedgerFailure, match="without a zone"):
        given_study(ledger, now=naive)


def test_a_move_writes_state_history_and_audit(ledger: Ledger) -> None:
    study = given_study(ledger, state=State.RECEIVING)
    with ledger.writing() as rows:
        rows.move(
            study,
            Event.QUIET_PERIOD_ENDED,
            at(30),
            reason="quiet",
            audit=[audit_entry(detail="one"), audit_entry(detail="two")],
        )
    with ledger.reading() as rows:
        last = rows.moves(study.id)[-1]
        details = [record.detail for record in rows.audit(AuditFilter())]
    assert study_now(ledger).state is State.COMPLETE
    assert (last.from_state, last.event, last.to_state, last.at, last.reason) == (
        State.RECEIVING,
        Event.QUIET_PERIOD_ENDED,
        State.COMPLETE,
        at(30),
        "quiet",
    )
    assert details == ["one", "two"]


def test_the_history_begins_with_the_first_image(ledger: Ledger) -> None:
    study = given_study(ledger, state=State.RECEIVING)
    with ledger.reading() as rows:
        (first,) = rows.moves(study.id)
    assert (first.from_state, first.event) == (None, Event.IMAGE_ARRIVED)


def test_an_illegal_move_changes_nothing(ledger: Ledger) -> None:
    study = given_study(ledger)
    with pytest.raises(IllegalMove), ledger.writing() as rows:
        rows.move(study, Event.RESULTS_STORED, at(1), audit=[audit_entry()])
    assert study_now(ledger) == study


def test_a_rollback_leaves_neither_move_nor_audit_record(ledger: Ledger) -> None:
    study = given_study(ledger)

    def fail_after_the_move() -> None:
        with ledger.writing() as rows:
            rows.move(study, Event.VIEWS_CHOSEN, at(1), audit=[audit_entry()])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_after_the_move()
    with ledger.reading() as rows:
        assert rows.study(STUDY_UID) == study
        assert [move.to_state for move in rows.moves(study.id)] == [
            State.RECEIVING,
            State.COMPLETE,
        ]
        assert rows.audit(AuditFilter()) == []


def test_who_comes_second_loses_the_race_and_leaves_no_audit(ledger: Ledger) -> None:
    study = given_study(ledger)
    with ledger.writing() as rows:
        rows.move(study, Event.VIEWS_CHOSEN, at(1))
    with pytest.raises(LostRace), ledger.writing() as rows:
        rows.move(study, Event.STUDY_DECLINED, at(2), audit=[audit_entry()])
    assert study_now(ledger).state is State.SELECTED
    with ledger.reading() as rows:
        assert rows.audit(AuditFilter()) == []


def test_a_late_image_reopens_the_study_as_a_new_revision(ledger: Ledger) -> None:
    study = given_study(ledger, state=State.KEPT)
    with ledger.writing() as rows:
        reopened = rows.move(study, Event.IMAGE_ARRIVED, at(900))
    assert (reopened.state, reopened.revision) == (State.RECEIVING, 2)
    assert reopened.last_arrival_at == at(900)


def test_a_further_image_while_receiving_opens_no_revision(ledger: Ledger) -> None:
    study = given_study(ledger, state=State.RECEIVING)
    with ledger.writing() as rows:
        rows.touch_study(study.id, at(5))
        assert rows.move(study, Event.IMAGE_ARRIVED, at(9)).revision == 1


def test_an_image_begins_the_quiet_period_anew(ledger: Ledger) -> None:
    study = given_study(ledger, state=State.RECEIVING)
    with ledger.writing() as rows:
        rows.postpone(study, not_before=at(600), reason="awaits 2", attempts=0)
        rows.touch_study(study.id, at(12))
    touched = study_now(ledger)
    assert (touched.last_arrival_at, touched.not_before) == (at(12), None)


def test_a_study_that_no_longer_receives_cannot_be_touched(ledger: Ledger) -> None:
    study = given_study(ledger)
    with pytest.raises(LostRace), ledger.writing() as rows:
        rows.touch_study(study.id, at(12))


def test_a_new_image_takes_a_study_from_its_worker(ledger: Ledger) -> None:
    given_study(ledger)
    claimed = claim(ledger)
    assert claimed is not None
    with ledger.writing() as rows:
        rows.move(claimed, Event.IMAGE_ARRIVED, at(1))
    with pytest.raises(LostRace), ledger.writing() as rows:
        rows.move(claimed, Event.VIEWS_CHOSEN, at(2))


def test_a_move_ends_the_lease_and_forgets_the_attempts(ledger: Ledger) -> None:
    study = given_study(ledger)
    with ledger.writing() as rows:
        rows.postpone(study, not_before=at(10), reason="slow", attempts=2)
    claimed = claim(ledger, at(10))
    assert claimed is not None
    assert claimed.attempts == 2
    with ledger.writing() as rows:
        moved = rows.move(claimed, Event.VIEWS_CHOSEN, at(11))
    assert (moved.attempts, moved.reason, moved.lease_owner) == (0, None, None)
    assert moved.not_before is None


def test_a_claimed_study_is_not_claimed_again(ledger: Ledger) -> None:
    given_study(ledger)
    claimed = claim(ledger)
    assert claimed is not None
    assert (claimed.lease_owner, claimed.lease_until) == ("worker", at(60))
    assert claim(ledger, at(59)) is None


def test_the_study_that_waits_longest_is_claimed_first(ledger: Ledger) -> None:
    given_study(ledger, "1.2.3", now=at(5))
    given_study(ledger, "1.2.4", now=at(3))
    claimed = claim(ledger, at(6))
    assert claimed is not None
    assert claimed.study_instance_uid == "1.2.4"


@pytest.mark.parametrize("state", [State.DECLINED, State.PARKED, State.KEPT])
def test_only_the_named_states_are_claimed(ledger: Ledger, state: State) -> None:
    given_study(ledger, state=state)
    assert claim(ledger) is None


def test_a_postponed_study_is_claimed_when_its_time_has_come(ledger: Ledger) -> None:
    study = given_study(ledger)
    with ledger.writing() as rows:
        rows.postpone(study, not_before=at(30), reason="busy", attempts=1)
    assert claim(ledger, at(29)) is None
    claimed = claim(ledger, at(30))
    assert claimed is not None
    assert (claimed.attempts, claimed.reason) == (1, "busy")


def test_a_postponed_study_can_be_woken(ledger: Ledger) -> None:
    study = given_study(ledger)
    with ledger.writing() as rows:
        rows.postpone(study, not_before=at(3600), reason="waits", attempts=0)
        rows.wake(study.id, at(5))
    assert claim(ledger, at(5)) is not None


def test_a_dead_workers_study_is_taken_up_again_and_counts_as_failed(
    ledger: Ledger,
) -> None:
    given_study(ledger)
    dead = claim(ledger, owner="dead")
    assert dead is not None
    taken = claim(ledger, at(60), owner="alive")
    assert taken is not None
    assert (taken.lease_owner, taken.attempts) == ("alive", 1)
    assert taken.reason == WORKER_LOST
    with pytest.raises(LostRace), ledger.writing() as rows:
        rows.move(dead, Event.VIEWS_CHOSEN, at(61))


def test_expired_leases_are_freed_and_counted(ledger: Ledger) -> None:
    given_study(ledger, "1.2.3")
    given_study(ledger, "1.2.4")
    claim(ledger)
    claim(ledger, at(30))
    with ledger.writing() as rows:
        assert rows.expire_leases(at(60)) == 1
        assert rows.expire_leases(at(60)) == 0


def test_a_renewed_lease_lasts_longer(ledger: Ledger) -> None:
    given_study(ledger)
    claimed = claim(ledger)
    assert claimed is not None
    with ledger.writing() as rows:
        rows.renew(claimed, at(120))
    assert claim(ledger, at(119)) is None
    assert claim(ledger, at(120)) is not None


def test_a_lost_lease_cannot_be_renewed_or_postponed(ledger: Ledger) -> None:
    given_study(ledger)
    lost = claim(ledger)
    assert lost is not None
    claim(ledger, at(60), owner="other")
    with pytest.raises(LostRace), ledger.writing() as rows:
        rows.renew(lost, at(120))
    with pytest.raises(LostRace), ledger.writing() as rows:
        rows.postpone(lost, not_before=at(99), reason="late", attempts=1)


def test_a_released_study_is_as_it_was_before_the_claim(ledger: Ledger) -> None:
    study = given_study(ledger)
    claimed = claim(ledger)
    assert claimed is not None
    with ledger.writing() as rows:
        rows.release(claimed)
        rows.release(claimed)
    assert study_now(ledger) == study


def test_an_unknown_row_number_is_no_study(ledger: Ledger) -> None:
    with pytest.raises(NoSuchStudy), ledger.reading() as rows:
        rows.study_by_id(77)


def test_eight_workers_claim_each_study_once(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        for number in range(24):
            add_study(rows, f"1.2.3.{number}")
    start = Barrier(8)

    def work(owner: int) -> list[str]:
        start.wait()
        claimed = iter(lambda: claim(ledger, owner=f"worker {owner}"), None)
        return [study.study_instance_uid for study in claimed if study is not None]

    with ThreadPoolExecutor(8) as pool:
        claims = Counter(uid for uids in pool.map(work, range(8)) for uid in uids)
    assert claims == {f"1.2.3.{number}": 1 for number in range(24)}


def test_of_eight_who_move_a_study_one_wins(ledger: Ledger) -> None:
    study = given_study(ledger)
    start = Barrier(8)

    def move(number: int) -> bool:
        start.wait()
        try:
            with ledger.writing() as rows:
                entry = audit_entry(detail=str(number))
                rows.move(study, Event.VIEWS_CHOSEN, at(number), audit=[entry])
        except LostRace:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(move, range(8))) == 1
    with ledger.reading() as rows:
        assert len(rows.audit(AuditFilter())) == 1
