"""Audit messages about the gateway itself, its peers.

Sections are those of PS3.15 A.5.3.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dicom_io.scp.admission import AssociationFacts
from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    Outcome,
)
from gateway.audit.parts import Happening
from gateway.ledger.process_records import ProcessRecord


def application_started(
    now: datetime, *, unclean_stop: bool, found: Sequence[str] = (), roles: str = ""
) -> AuditEntry:
    """Record a start, and whether the last stop was one that nobody asked for.

    found : what the last run had left that is not as it should be. roles : what the
    process does, where that is not all.
    """
    said = [*(["the last stop was not clean"] if unclean_stop else []), *found]
    what = Happening(
        event=codes.APPLICATION_ACTIVITY,
        event_type=codes.APPLICATION_START,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.MINOR_FAILURE if said else Outcome.SUCCESS,
        detail="; ".join([*_as(roles), *said]) or None,
    )
    return parts.record(what, [parts.application(is_requestor=True)])


def application_stopped(now: datetime, roles: str = "") -> AuditEntry:
    """Record a stop that was asked for."""
    what = Happening(
        event=codes.APPLICATION_ACTIVITY,
        event_type=codes.APPLICATION_STOP,
        action=Action.EXECUTE,
        at=now,
        detail="".join(_as(roles)) or None,
    )
    return parts.record(what, [parts.application(is_requestor=True)])


def process_lost(process: ProcessRecord, held: int, now: datetime) -> AuditEntry:
    """Record that a process ended without a stop, and how many studies it held."""
    what = Happening(
        event=codes.APPLICATION_ACTIVITY,
        event_type=codes.PROCESS_LOST,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.MINOR_FAILURE,
        detail=(
            f"process {process.pid} of {process.host} ({process.roles}) ended without "
            f"a stop; last heard of at {process.beat_at:%Y-%m-%d %H:%M:%S} UTC; "
            f"{held} studies were at work"
        ),
    )
    return parts.record(what, [parts.application(is_requestor=True)])


def _as(roles: str) -> list[str]:
    return [f"as {roles}"] if roles else []


def reserve_crossed(what: str, now: datetime, *, is_below: bool) -> AuditEntry:
    """Record that intake stopped for want of disk or memory, or went on."""
    happened = Happening(
        event=codes.APPLICATION_ACTIVITY,
        event_type=codes.INTAKE_STOPPED if is_below else codes.INTAKE_RESUMED,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.SERIOUS_FAILURE if is_below else Outcome.SUCCESS,
        detail=f"{what} is {'under' if is_below else 'above'} its reserve",
    )
    return parts.record(happened, [parts.application(is_requestor=True)])


def clock_set(step: timedelta, now: datetime) -> AuditEntry:
    """Record that the machine's clock was set by `step`; `now` is by the new time."""
    seconds = step.total_seconds()
    how = f"the clock was set {'back' if seconds < 0 else 'forward'}"
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.CLOCK_SET,
        action=Action.EXECUTE,
        at=now,
        detail=f"{how} by {abs(seconds):.1f} s",
    )
    return parts.record(
        what,
        [parts.application(is_requestor=True)],
        [parts.alert_subject("clock", how)],
    )


def licence_acknowledged(acknowledged_by: str, now: datetime) -> AuditEntry:
    """Record who allowed an engine that reads radiographs."""
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.RESTRICTED_FUNCTION,
        action=Action.EXECUTE,
        at=now,
        detail="the research-only licence of the model was acknowledged",
    )
    return parts.record(
        what,
        [parts.person(acknowledged_by), parts.application(is_requestor=False)],
        [parts.alert_subject("model licence", "research-only licence acknowledged")],
    )


def association_refused(
    facts: AssociationFacts, reason: str, now: datetime
) -> AuditEntry:
    """Record a node that was not let in (PS3.15 A.5.3.11)."""
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.NODE_AUTHENTICATION,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.MINOR_FAILURE,
        detail=f"{facts.association_id}: {reason}",
    )
    asking = parts.node(facts.calling_title, facts.peer_address, is_requestor=True)
    asked = parts.gateway(is_requestor=False, title=facts.called_title)
    return parts.record(
        what,
        [asking, asked, *parts.identified(facts.user)],
        [parts.alert_subject(facts.calling_title, reason)],
    )
