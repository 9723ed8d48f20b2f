"""Results and decisions as shown to a person; the command line and pages use it.

Speaks of studies by their UIDs and states. Texts given to the model (indication,
prior report) stay out: they may name the patient.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from dicom_io.evidence import Evidence, Rejection
from gateway.audit import kinds
from gateway.audit.parts import Person
from gateway.documents import ENGINE, EVIDENCE, REPORTS
from gateway.errors import IllegalMove, NoSuchStudy
from gateway.ledger import (
    AuditFilter,
    DeliveryRecord,
    Document,
    InstanceRecord,
    Ledger,
    MoveRecord,
    Reading,
    ResultRecord,
    StudyRecord,
)
from gateway.lifecycle import TRANSITIONS, Event, State
from gateway.people import Decider, demand_role
from gateway.showing.resending import PARKED, reopen
from gateway.stages.withdrawal import is_withdrawal
from model.engine import EngineIdentity
from model.report import Flag, GroundedPhrase, GroundedReport, Task

Kept = TypeVar("Kept")


class Decision(StrEnum):
    """What a person may decide about a study that stopped."""

    RETRY = "retry"
    """Read it again; where its results exist already, send them again."""
    RELEASE = "release"
    """Let the results of a held study leave."""
    REJECT = "reject"
    """Let no result leave."""
    RERUN = "rerun"
    """Read a finished study anew, as its next revision."""


ABOUT_LEAVING = frozenset({Decision.RELEASE, Decision.REJECT, Decision.RERUN})
"""Decisions on whether results leave: whoever takes one states a role."""

_EVENTS = {
    (Decision.RETRY, State.KEPT): Event.SENDING_RETRIED,
    (Decision.RETRY, State.PARKED): Event.RETRIED,
    (Decision.RETRY, State.DECLINED): Event.RETRIED,
    (Decision.RELEASE, State.HELD): Event.RELEASED,
    (Decision.REJECT, State.HELD): Event.REJECTED,
    (Decision.REJECT, State.PARKED): Event.REJECTED,
    **{
        (Decision.RERUN, state): event
        for state, event in TRANSITIONS
        if event is Event.RERUN
    },
}
"""The event of a decision, where a person has something to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledSlot:
    """What filled an input of the model, and what did not; without the text itself."""

    name: str
    filled: bool
    reason: str
    sop_instance_uid: str | None
    source: str | None
    document: str | None
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReport:
    """What the model said for one task. Boxes are shares of the model's crop."""

    task: Task
    phrase: str | None
    phrases: tuple[GroundedPhrase, ...]
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDetail:
    """All that the ledger holds about the present revision of a study."""

    study: StudyRecord
    slots: tuple[FilledSlot, ...]
    notes: tuple[str, ...]
    reports: tuple[ShownReport, ...]
    engine: EngineIdentity | None
    instances: tuple[InstanceRecord, ...]
    results: tuple[ResultRecord, ...]
    deliveries: tuple[DeliveryRecord, ...]
    moves: tuple[MoveRecord, ...]


def study_detail(rows: Reading, study_instance_uid: str) -> StudyDetail:
    """Return everything about one study; raise NoSuchStudy for an unknown UID."""
    study = _known(rows, study_instance_uid)
    evidence = _kept(rows, study, Document.EVIDENCE, EVIDENCE.validate_json)
    reports = _kept(rows, study, Document.REPORTS, REPORTS.validate_json) or ()
    return StudyDetail(
        study=study,
        slots=_slots(evidence) if evidence else (),
        notes=evidence.notes if evidence else (),
        reports=tuple(_shown(report) for report in reports),
        engine=_kept(rows, study, Document.ENGINE, ENGINE.validate_json),
        instances=tuple(rows.instances(study_instance_uid)),
        results=tuple(rows.results(study.id, study.revision)),
        deliveries=tuple(rows.deliveries(study.id, study.revision)),
        moves=tuple(rows.moves(study.id)),
    )


def open_study(
    ledger: Ledger, study_instance_uid: str, reader: Person | str, now: datetime
) -> StudyDetail:
    """Return everything about one study, and record that `reader` looked at it.

    Raises NoSuchStudy for an unknown UID.
    """
    with ledger.writing() as rows:
        detail = study_detail(rows, study_instance_uid)
        rows.append_audit(kinds.study_viewed(study_instance_uid, reader, now))
    return detail


def event_of(state: State, decision: Decision, *, has_results: bool) -> Event:
    """Return the event by which `decision` moves a study out of `state`; pure.

    `has_results`: result objects of the present revision exist, so a retry sends
    them again and does not ask the model. Raises IllegalMove, with what can be
    done instead, where a person has nothing to decide.
    """
    event = _event(state, decision, has_results=has_results)
    if event is not None:
        return event
    allowed = [each for each in Decision if _event(state, each, has_results=True)]
    possible = " or ".join(allowed) or "nothing; it goes on by itself or is over"
    raise IllegalMove(
        f"a study that is {state} takes no {decision}; possible: {possible}"
    )


def _event(state: State, decision: Decision, *, has_results: bool) -> Event | None:
    if has_results and (decision, state) == (Decision.RETRY, State.PARKED):
        return Event.SENDING_RETRIED
    return _EVENTS.get((decision, state))


def decide(
    ledger: Ledger,
    study_instance_uid: str,
    decision: Decision,
    by: Decider,
    now: datetime,
) -> StudyRecord:
    """Carry out a person's decision, with its audit record; return the study.

    Raises RoleNotStated where whether results leave is decided in no role;
    NoSuchStudy, IllegalMove, and LostRace where the study moved meanwhile.
    """
    if decision in ABOUT_LEAVING:
        demand_role(by, f"a {decision}")
    with ledger.writing() as rows:
        study = _known(rows, study_instance_uid)
        results = rows.results(study.id, study.revision)
        event = event_of(study.state, decision, has_results=bool(results))
        if event is Event.RETRIED and is_withdrawal(rows, study):
            raise IllegalMove("this revision withdraws results: retract it again")
        entry = kinds.study_decided(study_instance_uid, event, by, now)
        reason = f"{decision} by {by}: {by.why}"
        if event is Event.SENDING_RETRIED:
            outbox = rows.deliveries(study.id, study.revision)
            reopen(rows, [row for row in outbox if row.state in PARKED], now)
        return rows.move(study, event, now, reason=reason, audit=[entry])


def describe(wanted: AuditFilter) -> str:
    """Return what a filter asks for, in words that go into the audit."""
    named = {
        "study": wanted.study_instance_uid,
        "patient": wanted.patient,
        "user": wanted.user,
        "event": wanted.event,
        "events": ", ".join(wanted.event_types) or None,
        "action": wanted.action,
        "outcome": "failed" if wanted.failed else wanted.outcome,
        "by": "people" if wanted.by_person else None,
        "node": wanted.node,
        "address": wanted.address,
        "text": wanted.text,
        "since": wanted.since and wanted.since.isoformat(),
        "until": wanted.until and wanted.until.isoformat(),
        "after": wanted.after_sequence or None,
    }
    asked = [f"{name} {value}" for name, value in named.items() if value is not None]
    return ", ".join(asked) or "all records"


def _known(rows: Reading, study_instance_uid: str) -> StudyRecord:
    study = rows.study(study_instance_uid)
    if study is None:
        raise NoSuchStudy(
            f"no study {study_instance_uid[:64]!r}; `study list` shows what is known"
        )
    return study


def _kept(
    rows: Reading, study: StudyRecord, document: Document, parse: Callable[[str], Kept]
) -> Kept | None:
    body = rows.document(study.id, study.revision, document)
    return None if body is None else parse(body)


def _slots(evidence: Evidence) -> tuple[FilledSlot, ...]:
    return tuple(
        FilledSlot(
            name=slot.name,
            filled=slot.filled,
            reason=slot.reason,
            sop_instance_uid=slot.instance.sop_instance_uid if slot.instance else None,
            source=slot.source,
            document=slot.document,
            rejected=slot.rejected,
        )
        for slot in evidence.slots
    )


def _shown(report: GroundedReport) -> ShownReport:
    return ShownReport(
        task=report.task,
        phrase=report.phrase,
        phrases=report.phrases,
        flags=report.flags,
    )
