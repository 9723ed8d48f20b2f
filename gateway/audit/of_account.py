"""Audit messages about accounts and tokens: who may do what (PS3.15 A.5.3.11)."""

from datetime import datetime

from gateway.audit import codes, parts
from gateway.audit.message import Action, AuditEntry, Code
from gateway.audit.parts import Happening, Person


def account_created(account: str, role: str, by: Person, now: datetime) -> AuditEntry:
    """Record a new account and its role."""
    return _changed(codes.ACCOUNT_CREATED, account, f"created as {role}", by, now)


def account_changed(account: str, what: str, by: Person, now: datetime) -> AuditEntry:
    """Record what else was changed about an account, such as its password."""
    return _changed(codes.USER_ATTRIBUTES_CHANGED, account, what, by, now)


def role_changed(
    account: str, before: str, after: str, by: Person, now: datetime
) -> AuditEntry:
    """Record that an account has another role."""
    told = f"{before} -> {after}"
    return _changed(codes.SECURITY_ROLES_CHANGED, account, told, by, now)


def account_disabled(account: str, why: str, by: Person, now: datetime) -> AuditEntry:
    """Record that an account is closed, and why."""
    return _changed(codes.ACCOUNT_DISABLED, account, f"disabled: {why}", by, now)


def account_enabled(account: str, why: str, by: Person, now: datetime) -> AuditEntry:
    """Record that a closed account is open again, and why."""
    return _changed(codes.ACCOUNT_ENABLED, account, f"enabled: {why}", by, now)


def token_made(
    account: str, token: str, scope: str, by: Person, now: datetime
) -> AuditEntry:
    """Record a token for programs. `token` is its name; its text is never told."""
    return _changed(codes.TOKEN_MADE, account, f"token {token} for {scope}", by, now)


def token_revoked(account: str, token: str, by: Person, now: datetime) -> AuditEntry:
    """Record that a token opens nothing any more."""
    return _changed(codes.TOKEN_REVOKED, account, f"token {token} revoked", by, now)


def _changed(
    kind: Code, account: str, told: str, by: Person, now: datetime
) -> AuditEntry:
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=kind,
        action=Action.EXECUTE,
        at=now,
        detail=f"{account}: {told}",
    )
    return parts.record(
        what,
        [parts.person(by), parts.application(is_requestor=False)],
        [parts.account(account, told)],
    )
