"""Audit messages about the log itself: who read it, what guards it, what left it.

Sections are those of PS3.15 A.5.3.
"""

from datetime import datetime

from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    Code,
    ObjectRole,
    Outcome,
    Participant,
    ParticipantObject,
)
from gateway.audit.parts import Happening, Person


def audit_used(by: Person | str, how: str, now: datetime) -> AuditEntry:
    """Record that somebody looked into the audit log (PS3.15 A.5.3.2)."""
    return _used(by, None, how, now)


def audit_searched(by: Person | str, how: str, now: datetime) -> AuditEntry:
    """Record a search, and what was asked; `how` names a patient by pseudonym."""
    return _used(by, codes.AUDIT_SEARCHED, how, now)


def audit_viewed(by: Person | str, sequence: int, now: datetime) -> AuditEntry:
    """Record that one message was opened."""
    return _used(by, codes.AUDIT_VIEWED, f"record {sequence}", now)


def audit_exported(by: Person | str, how: str, now: datetime) -> AuditEntry:
    """Record that records were taken out of the log, and which."""
    return _used(by, codes.AUDIT_EXPORTED, f"export: {how}", now)


def audit_reviewed(
    by: Person | str, first: int, last: int, note: str, now: datetime
) -> AuditEntry:
    """Record that a person has reviewed the records from `first` to `last`."""
    told = f"records {first} to {last} reviewed: {note}"
    return _used(by, codes.AUDIT_REVIEWED, told, now, Action.UPDATE)


def filter_saved(
    by: Person | str, name: str, question: str, now: datetime, *, shared: bool
) -> AuditEntry:
    """Record that somebody keeps a question to the log, and who sees it."""
    whose = "shared" if shared else "of one's own"
    told = f"filter {name}, {whose}: {question or 'everything'}"
    return _used(by, codes.AUDIT_FILTER_SAVED, told, now, Action.CREATE)


def filter_deleted(by: Person | str, name: str, now: datetime) -> AuditEntry:
    """Record that somebody no longer keeps a question to the log."""
    return _used(by, codes.AUDIT_FILTER_DELETED, f"filter {name}", now, Action.DELETE)


def audit_pruned(first: int, last: int, days: int, now: datetime) -> AuditEntry:
    """Record that the oldest records were deleted after their time."""
    told = f"records {first} to {last} deleted after {days} days"
    return _by_us(codes.AUDIT_LOG_USED, codes.AUDIT_PRUNED, told, now, Action.DELETE)


def checkpoint_signed(size: int, root: str, now: datetime) -> AuditEntry:
    """Record the tree that was signed: its size and root in hexadecimal digits."""
    told = f"{size} records, root {root}"
    return _by_us(codes.AUDIT_LOG_USED, codes.CHECKPOINT_SIGNED, told, now)


def verification_failed(why: str, now: datetime) -> AuditEntry:
    """Record that the log is not what its checkpoints say (PS3.15 A.5.3.11)."""
    return _alert(codes.VERIFICATION_FAILED, why, now, Outcome.SERIOUS_FAILURE)


def forwarding_failed(
    repository: str, why: str, waiting: int, now: datetime
) -> AuditEntry:
    """Record that a repository takes no messages; `waiting` is how many it is owed."""
    told = f"{repository} takes nothing, {waiting} wait: {why}"
    return _alert(codes.FORWARDING_FAILED, told, now, Outcome.MINOR_FAILURE)


def forwarding_resumed(repository: str, waiting: int, now: datetime) -> AuditEntry:
    """Record that a repository takes messages again."""
    told = f"{repository} takes messages again, {waiting} wait"
    return _alert(codes.FORWARDING_RESUMED, told, now, Outcome.SUCCESS)


def forwarding_skipped(
    repository: str, sequence: int, size: int, now: datetime
) -> AuditEntry:
    """Record that a record is too long for a datagram, and was not sent."""
    told = f"record {sequence}, {size} bytes, is too long to be sent to {repository}"
    return _alert(codes.FORWARDING_SKIPPED, told, now, Outcome.MINOR_FAILURE)


def patient_erased(
    pseudonym: str, why: str, by: Person | str, now: datetime
) -> AuditEntry:
    """Record that a patient's key was destroyed: no record names that patient now."""
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.PATIENT_ERASED,
        action=Action.EXECUTE,
        at=now,
        detail=f"a patient was made unreadable: {why}",
    )
    return parts.record(
        what,
        _person_here(by),
        [_log((parts.ALERT, f"key of {pseudonym} destroyed"))],
        patient=pseudonym,
    )


def patient_key_replaced(
    lost: int, why: str, by: Person | str, now: datetime
) -> AuditEntry:
    """Record that the master key was given up, and how many patients went with it."""
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.PATIENT_KEY_REPLACED,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.SERIOUS_FAILURE,
        detail=f"a new patient key; {lost} patients are unreadable: {why}",
    )
    return parts.record(
        what, _person_here(by), [_log((parts.ALERT, "patient key replaced"))]
    )


def _used(
    by: Person | str,
    kind: Code | None,
    how: str,
    now: datetime,
    action: Action = Action.READ,
) -> AuditEntry:
    what = Happening(
        event=codes.AUDIT_LOG_USED, event_type=kind, action=action, at=now, detail=how
    )
    return parts.record(what, [parts.person(by)], [_log()])


def _by_us(
    event: Code, kind: Code, told: str, now: datetime, action: Action = Action.READ
) -> AuditEntry:
    what = Happening(event=event, event_type=kind, action=action, at=now, detail=told)
    return parts.record(what, [parts.application(is_requestor=True)], [_log()])


def _alert(kind: Code, told: str, now: datetime, outcome: Outcome) -> AuditEntry:
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=kind,
        action=Action.EXECUTE,
        at=now,
        outcome=outcome,
        detail=told,
    )
    us = parts.application(is_requestor=True)
    return parts.record(what, [us], [_log((parts.ALERT, told))])


def _person_here(by: Person | str) -> list[Participant]:
    return [parts.person(by), parts.application(is_requestor=False)]


def _log(*details: tuple[str, str]) -> ParticipantObject:
    return ParticipantObject(
        object_id="urn:maira-gateway:audit",
        id_type=codes.URI,
        role=ObjectRole.SECURITY_RESOURCE,
        name="Security Audit Log",
        details=details,
    )
