"""Audit messages about what the log is guarded by: its key and its checkpoints."""

from datetime import datetime

from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    Code,
    Outcome,
)
from gateway.audit.parts import Happening

_LOG = "audit log"


def checkpoint_undelivered(place: str, why: str, now: datetime) -> AuditEntry:
    """Record that a place no longer takes checkpoints; they are kept for it."""
    what = f"{place}: {why}"
    return _alert(codes.CHECKPOINT_UNDELIVERED, what, now, Outcome.MINOR_FAILURE)


def checkpoint_delivered(place: str, now: datetime) -> AuditEntry:
    """Record that a place takes checkpoints again."""
    return _alert(codes.CHECKPOINT_DELIVERED, place, now, Outcome.SUCCESS)


def key_changed(by: str, key: str, now: datetime) -> AuditEntry:
    """Record that from here on another key signs the log."""
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.LOG_KEY_CHANGED,
        action=Action.EXECUTE,
        at=now,
        detail=f"the audit is signed by {key}",
    )
    subject = parts.alert_subject(_LOG, "key changed")
    return parts.record(
        what, [parts.person(by), parts.application(is_requestor=False)], [subject]
    )


def _alert(kind: Code, what: str, now: datetime, outcome: Outcome) -> AuditEntry:
    happened = Happening(
        event=codes.SECURITY_ALERT,
        event_type=kind,
        action=Action.EXECUTE,
        at=now,
        outcome=outcome,
        detail=what,
    )
    subject = parts.alert_subject(_LOG, what)
    return parts.record(happened, [parts.application(is_requestor=True)], [subject])
