"""Audit messages about the repositories that the audit is handed on to."""

from datetime import datetime

from gateway.audit import codes, parts
from gateway.audit.message import Action, AuditEntry, Code, Outcome
from gateway.audit.parts import Happening


def repository_failing(name: str, why: str, now: datetime) -> AuditEntry:
    """Record that a repository takes nothing; the log keeps what is for it."""
    detail = f"the audit repository {name} fails: {why}"
    return _alert(codes.REPOSITORY_FAILING, name, detail, now, Outcome.SERIOUS_FAILURE)


def repository_resumed(name: str, since: datetime, now: datetime) -> AuditEntry:
    """Record that a repository that was said to fail takes messages again."""
    detail = (
        f"the audit repository {name} takes messages again; it failed since "
        f"{since:%F %T} UTC"
    )
    return _alert(codes.REPOSITORY_RESUMED, name, detail, now, Outcome.SUCCESS)


def repository_skipped(
    name: str, sequence: int, size: int, now: datetime
) -> AuditEntry:
    """Record that a message is too long for a datagram, and was not sent."""
    detail = (
        f"record {sequence} has {size} bytes as a message, more than a datagram to "
        f"the audit repository {name} may have: it was not sent"
    )
    return _alert(codes.REPOSITORY_SKIPPED, name, detail, now, Outcome.MINOR_FAILURE)


def _alert(
    event_type: Code, name: str, detail: str, now: datetime, outcome: Outcome
) -> AuditEntry:
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=event_type,
        action=Action.EXECUTE,
        at=now,
        outcome=outcome,
        detail=detail,
    )
    return parts.record(
        what,
        [parts.application(is_requestor=True)],
        [parts.alert_subject(name, detail)],
    )
