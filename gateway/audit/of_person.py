"""Audit messages about what a person did here: signing in, grounding, taking away.

Sections are those of PS3.15 A.5.3.
"""

from collections.abc import Sequence
from datetime import datetime

from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    Code,
    Outcome,
    Participant,
    ParticipantKind,
)
from gateway.audit.parts import Happening, Person
from gateway.ledger.records import ResultRecord


def logged_in(by: Person, how: str, now: datetime) -> AuditEntry:
    """Record that a person signed in, as by password (PS3.15 A.5.3.14)."""
    return _authentication(by, codes.LOGIN, how, now)


def logged_out(by: Person, how: str, now: datetime) -> AuditEntry:
    """Record that a session ended: by its person, by time, by an administrator."""
    return _authentication(by, codes.LOGOUT, how, now)


def login_failed(
    by: Person, why: str, now: datetime, *, locked: bool = False
) -> AuditEntry:
    """Record that somebody was not let in; `locked`: nor will be for a while.

    `by` has the name that was typed: it may be of nobody.
    """
    outcome = Outcome.SERIOUS_FAILURE if locked else Outcome.MINOR_FAILURE
    return _authentication(by, codes.LOGIN, why, now, outcome)


def permission_refused(by: Person, what: str, now: datetime) -> AuditEntry:
    """Record that a person asked for what the role does not allow (A.5.3.11)."""
    what_happened = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.RESTRICTED_FUNCTION,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.MINOR_FAILURE,
        detail=what,
    )
    return parts.record(
        what_happened, _person_here(by), [parts.alert_subject(what, "not allowed")]
    )


def emergency_begun(
    study_instance_uid: str, by: Person, why: str, now: datetime
) -> AuditEntry:
    """Record that a person broke the glass to see a study (PS3.15 A.5.3.11)."""
    return _emergency(study_instance_uid, codes.EMERGENCY_STARTED, by, why, now)


def emergency_ended(
    study_instance_uid: str, by: Person, why: str, now: datetime
) -> AuditEntry:
    """Record that a person no longer sees a study by an emergency."""
    return _emergency(study_instance_uid, codes.EMERGENCY_STOPPED, by, why, now)


def phrase_grounded(
    study_instance_uid: str, phrase: str, boxes: int, by: Person, now: datetime
) -> AuditEntry:
    """Record that a person had a phrase looked for in a film (PS3.15 A.5.3.6).

    The phrase is free text: it is in the message alone.
    """
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.PHRASE_GROUNDED,
        action=Action.READ,
        at=now,
        detail=f"{boxes} boxes for a phrase",
    )
    return parts.record(
        what,
        _person_here(by),
        [parts.study(study_instance_uid, details=((parts.PHRASE, phrase),))],
        study_instance_uid=study_instance_uid,
    )


def phrase_refused(
    study_instance_uid: str, why: str, by: Person, now: datetime
) -> AuditEntry:
    """Record that a person's phrase was not looked for in a film (PS3.15 A.5.3.6).

    The phrase itself is not kept: it may be of any length.
    """
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.PHRASE_GROUNDED,
        action=Action.READ,
        at=now,
        outcome=Outcome.MINOR_FAILURE,
        detail=f"refused: {why}",
    )
    return parts.record(
        what,
        _person_here(by),
        [parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def results_downloaded(
    study_instance_uid: str, results: Sequence[ResultRecord], by: Person, now: datetime
) -> AuditEntry:
    """Record that a person took result objects away (PS3.15 A.5.3.4)."""
    what = Happening(
        event=codes.EXPORT,
        event_type=codes.RESULTS_DOWNLOADED,
        action=Action.READ,
        at=now,
        detail=f"{len(results)} results",
    )
    taken = Participant(
        user_id=by.name,
        is_requestor=False,
        role=codes.DESTINATION_MEDIA,
        network_address=by.address,
        kind=ParticipantKind.PERSON,
    )
    made = [result.sop_class_uid for result in results]
    return parts.record(
        what,
        [*_person_here(by, codes.SOURCE), taken],
        [parts.study(study_instance_uid, sop_classes=made)],
        study_instance_uid=study_instance_uid,
    )


def studies_listed(by: Person, asked: str, now: datetime) -> AuditEntry:
    """Record that a person looked at the list of studies, and by what filter.

    No event of PS3.15 A.5.3 is of a person's query; this one is of the kind of a look
    at instances. What was asked is in the message alone.
    """
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.STUDIES_LISTED,
        action=Action.READ,
        at=now,
        detail=asked,
    )
    return parts.record(what, _person_here(by))


def peer_echoed(
    peer: str, answer: str, by: Person, now: datetime, *, ok: bool
) -> AuditEntry:
    """Record that a person had a node asked whether it is there."""
    what = Happening(
        event=codes.APPLICATION_ACTIVITY,
        event_type=codes.PEER_ECHOED,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.SUCCESS if ok else Outcome.MINOR_FAILURE,
        detail=f"{peer}: {answer}",
    )
    return parts.record(what, _person_here(by))


def _authentication(
    by: Person,
    kind: Code,
    how: str,
    now: datetime,
    outcome: Outcome = Outcome.SUCCESS,
) -> AuditEntry:
    what = Happening(
        event=codes.USER_AUTHENTICATION,
        event_type=kind,
        action=Action.EXECUTE,
        at=now,
        outcome=outcome,
        detail=how,
    )
    return parts.record(what, _person_here(by))


def _emergency(
    study_instance_uid: str, kind: Code, by: Person, why: str, now: datetime
) -> AuditEntry:
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=kind,
        action=Action.EXECUTE,
        at=now,
        detail=why,
    )
    return parts.record(
        what,
        _person_here(by),
        [parts.alert_subject(by.name, why), parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def _person_here(by: Person, our_role: Code | None = None) -> list[Participant]:
    us = parts.gateway(is_requestor=False, role=our_role or codes.APPLICATION)
    return [parts.person(by), us]
