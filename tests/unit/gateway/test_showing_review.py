from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import IllegalMove, NoSuchStudy, RoleNotStated
from gateway.ledger import AuditFilter, Ledger, ResultRecord
from gateway.lifecycle import Event, State
from gateway.people import Decider, PersonRole
from gateway.showing.review import (
    Decision,
    decide,
    describe,
    event_of,
    open_study,
    study_detail,
)
from tests.data.ledgers import url_of

UID = "1.2.3"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ANNA = Decider(name="anna", why="looked at it", role=PersonRole.RADIOLOGIST)

AUDIT_LOG_USED = "110101"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path))
    yield opened
    opened.close()


def bring_to(ledger: Ledger, *events: Event) -> None:
    with ledger.writing() as rows:
        study = rows.open_study(UID, "MODALITY", NOW)
        for event in events:
            study = rows.move(study, event, NOW)


def park_without_results(ledger: Ledger) -> None:
    bring_to(ledger, Event.QUIET_PERIOD_ENDED, Event.GAVE_UP)


def hold(ledger: Ledger) -> None:
    bring_to(
        ledger,
        Event.QUIET_PERIOD_ENDED,
        Event.VIEWS_CHOSEN,
        Event.PRIOR_SETTLED,
        Event.REPORT_HELD,
    )


def result_of(study_id: int) -> ResultRecord:
    return ResultRecord(
        study_id=study_id,
        revision=1,
        kind="narrative",
        task="findings",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.22",
        sop_instance_uid="1.2.3.4",
        series_instance_uid="1.2.3.5",
        file_name="results/1.dcm",
        send=True,
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("state", "decision", "has_results", "event"),
    [
        (State.PARKED, Decision.RETRY, False, Event.RETRIED),
        (State.PARKED, Decision.RETRY, True, Event.SENDING_RETRIED),
        (State.KEPT, Decision.RETRY, True, Event.SENDING_RETRIED),
        (State.DECLINED, Decision.RETRY, False, Event.RETRIED),
        (State.HELD, Decision.RELEASE, False, Event.RELEASED),
        (State.HELD, Decision.REJECT, False, Event.REJECTED),
        (State.PARKED, Decision.REJECT, True, Event.REJECTED),
        (State.COMMITTED, Decision.RERUN, True, Event.RERUN),
        (State.KEPT, Decision.RERUN, True, Event.RERUN),
        (State.REJECTED, Decision.RERUN, False, Event.RERUN),
        (State.WITHDRAWN, Decision.RERUN, True, Event.RERUN),
    ],
)
def test_a_decision_is_an_event_of_the_lifecycle(
    state: State,
    decision: Decision,
    has_results: bool,
    event: Event,
) -> None:
    assert event_of(state, decision, has_results=has_results) is event


@pytest.mark.parametrize(
    ("state", "decision"),
    [
        (State.COMMITTED, Decision.RETRY),
        (State.PARKED, Decision.RELEASE),
        (State.DECLINED, Decision.REJECT),
        (State.RECEIVING, Decision.RETRY),
        (State.PURGED, Decision.RETRY),
        (State.PURGED, Decision.RERUN),
        (State.HELD, Decision.RERUN),
        (State.ENCODED, Decision.RERUN),
    ],
)
def test_where_nobody_waits_for_a_person_nothing_is_decided(
    state: State, decision: Decision
) -> None:
    with pytest.raises(IllegalMove):
        event_of(state, decision, has_results=True)


def test_what_cannot_be_decided_says_what_can() -> None:
    with pytest.raises(
        IllegalMove, match=r"kept takes no reject; possible: retry or rerun$"
    ):
        event_of(State.KEPT, Decision.REJECT, has_results=True)
    with pytest.raises(IllegalMove, match=r"possible: release or reject$"):
        event_of(State.HELD, Decision.RETRY, has_results=False)
    with pytest.raises(IllegalMove, match="possible: nothing"):
        event_of(State.PURGED, Decision.RETRY, has_results=False)


def test_who_looks_at_a_study_is_recorded(ledger: Ledger) -> None:
    hold(ledger)
    assert open_study(ledger, UID, "anna", NOW).study.state is State.HELD
    with ledger.reading() as rows:
        (record,) = rows.audit(AuditFilter(study_instance_uid=UID))
    seen = (record.event, record.event_type, record.action, record.user)
    assert seen == ("110103", "study-viewed", "R", "anna")


def test_a_study_that_is_not_there_leaves_no_record(ledger: Ledger) -> None:
    with pytest.raises(NoSuchStudy):
        open_study(ledger, "9.9", "anna", NOW)
    with ledger.reading() as rows:
        assert rows.audit(AuditFilter()) == []


def test_an_audit_filter_finds_events_and_event_types(ledger: Ledger) -> None:
    hold(ledger)
    open_study(ledger, UID, "anna", NOW)
    for event in ("110103", "study-viewed"):
        with ledger.reading() as rows:
            assert len(rows.audit(AuditFilter(event=event))) == 1


def test_a_parked_study_without_results_is_read_again(ledger: Ledger) -> None:
    park_without_results(ledger)
    moved = decide(ledger, UID, Decision.RETRY, ANNA, NOW)
    assert moved.state is State.COMPLETE


def test_a_parked_study_with_results_is_sent_again(ledger: Ledger) -> None:
    park_without_results(ledger)
    with ledger.writing() as rows:
        study = rows.study(UID)
        assert study is not None
        rows.add_results([result_of(study.id)])
    assert decide(ledger, UID, Decision.RETRY, ANNA, NOW).state is State.ENCODED


def test_a_held_study_is_released_to_be_encoded(ledger: Ledger) -> None:
    hold(ledger)
    assert decide(ledger, UID, Decision.RELEASE, ANNA, NOW).state is State.REPORTED


def test_a_decision_is_audited_with_who_and_why(ledger: Ledger) -> None:
    hold(ledger)
    decide(ledger, UID, Decision.REJECT, ANNA, NOW)
    with ledger.reading() as rows:
        (record,) = rows.audit(AuditFilter(study_instance_uid=UID))
        moves = rows.moves(rows.studies()[0].id)
    assert record.user == "anna"
    assert "looked at it" in (record.detail or "")
    assert moves[-1].to_state is State.REJECTED
    assert moves[-1].reason == "reject by anna (radiologist): looked at it"


@pytest.mark.parametrize("decision", [Decision.RELEASE, Decision.REJECT])
def test_whether_results_leave_is_decided_in_a_role(
    ledger: Ledger, decision: Decision
) -> None:
    hold(ledger)
    nobody = Decider(name="anna", why="looked at it")
    with pytest.raises(RoleNotStated, match="radiologist, physician, researcher"):
        decide(ledger, UID, decision, nobody, NOW)
    with ledger.reading() as rows:
        assert rows.studies()[0].state is State.HELD
        assert rows.audit(AuditFilter()) == []


def test_repeating_what_failed_takes_no_role(ledger: Ledger) -> None:
    park_without_results(ledger)
    operator = Decider(name="anna", why="the disk is replaced")
    assert decide(ledger, UID, Decision.RETRY, operator, NOW).state is State.COMPLETE


def test_a_refused_decision_changes_nothing_and_is_not_audited(
    ledger: Ledger,
) -> None:
    hold(ledger)
    with pytest.raises(IllegalMove):
        decide(ledger, UID, Decision.RETRY, ANNA, NOW)
    with ledger.reading() as rows:
        study = rows.study(UID)
        assert rows.audit(AuditFilter()) == []
    assert study is not None
    assert study.state is State.HELD


def test_a_decision_about_an_unknown_study_names_it(ledger: Ledger) -> None:
    with pytest.raises(NoSuchStudy, match=r"9\.9"):
        decide(ledger, "9.9", Decision.RETRY, ANNA, NOW)


def test_the_detail_of_a_young_study_has_its_life_and_no_report(
    ledger: Ledger,
) -> None:
    park_without_results(ledger)
    with ledger.reading() as rows:
        detail = study_detail(rows, UID)
    assert [move.to_state for move in detail.moves] == [
        State.RECEIVING,
        State.COMPLETE,
        State.PARKED,
    ]
    assert detail.reports == ()
    assert detail.engine is None
    assert detail.slots == ()


def test_what_a_filter_asks_is_said_in_words() -> None:
    wanted = AuditFilter(study_instance_uid=UID, since=NOW, failed=True, user="bert")
    assert describe(wanted) == (
        "study 1.2.3, user bert, outcome failed, since 2026-03-04T12:00:00+00:00"
    )
    assert describe(AuditFilter()) == "all records"
