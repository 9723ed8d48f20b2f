"""Audit messages about this installation: its settings, its version, its network.

Sections are those of PS3.15 A.5.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dicom_io.ae import LocalAE
from gateway.audit import codes, parts
from gateway.audit.message import Action, AuditEntry, Code, Participant
from gateway.audit.parts import Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A key of the settings and what became of it; a secret is only "changed"."""

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        """Return it as an administrator reads it."""
        return f"{self.key}: {self.before} -> {self.after}"


def network_settings_changed(changes: Sequence[Change], now: datetime) -> AuditEntry:
    """Record what changed about ports, peers and what is sent where (A.5.3.11)."""
    return _changed(codes.NETWORK_CONFIGURATION, changes, now)


def security_settings_changed(changes: Sequence[Change], now: datetime) -> AuditEntry:
    """Record what changed about who is let in and what is allowed (A.5.3.11)."""
    return _changed(codes.SECURITY_CONFIGURATION, changes, now)


def software_settings_changed(changes: Sequence[Change], now: datetime) -> AuditEntry:
    """Record what else changed in the settings (PS3.15 A.5.3.11)."""
    return _changed(codes.SOFTWARE_CONFIGURATION, changes, now)


def software_updated(before: str, after: str, now: datetime) -> AuditEntry:
    """Record that another version of the gateway runs than last time."""
    change = Change(key="software", before=before, after=after)
    return _changed(codes.SOFTWARE_UPDATED, [change], now)


def network_joined(local: LocalAE, now: datetime) -> AuditEntry:
    """Record that this node can be reached (PS3.15 A.5.3.9)."""
    return _entry(codes.ATTACH, local, now)


def network_left(local: LocalAE, now: datetime) -> AuditEntry:
    """Record that this node can be reached no longer (PS3.15 A.5.3.9)."""
    return _entry(codes.DETACH, local, now)


def _changed(kind: Code, changes: Sequence[Change], now: datetime) -> AuditEntry:
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=kind,
        action=Action.EXECUTE,
        at=now,
        detail="; ".join(str(change) for change in changes),
    )
    subject = parts.alert_subject("settings", *(f"{change}" for change in changes))
    return parts.record(what, [parts.application(is_requestor=True)], [subject])


def _entry(kind: Code, local: LocalAE, now: datetime) -> AuditEntry:
    what = Happening(
        event=codes.NETWORK_ENTRY,
        event_type=kind,
        action=Action.EXECUTE,
        at=now,
        detail=f"{local.title}, port {local.port}",
    )
    us: Participant = parts.gateway(is_requestor=True, title=str(local.title))
    return parts.record(what, [us])
