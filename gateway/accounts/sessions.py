"""Signing in and out: sessions live in the ledger, so every process knows them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.accounts.passwords import hash_password, is_outdated, is_password
from gateway.accounts.person import Person
from gateway.accounts.records import AccountRecord, SessionRecord
from gateway.accounts.roles import PERMISSIONS
from gateway.accounts.secrets import digest_of, new_secret
from gateway.accounts.throttle import Attempt, begin_attempt, forgive
from gateway.errors import LoginRefused
from gateway.ledger import Ledger, Reading, Writing

_SEEN = timedelta(minutes=1)
"""How exactly it is kept when a session was last used: a write costs a sync."""

_DEVICE = timedelta(days=180)
"""How long a browser that does not come back is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long a session lasts without use, and at most."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What a browser is given: neither was a secret of anything before."""

    session: str
    device: str


def sign_in(ledger: Ledger, attempt: Attempt, password: str) -> SignedIn:
    """Open a session.

    Raises LoginRefused, which does not say what was wrong, and TooManyFailures.
    """
    with ledger.writing() as rows:
        counted = begin_attempt(rows, attempt)
        account = rows.account(attempt.name)
    usable = account is not None and not account.disabled
    hashed = account.password_hash if account is not None and usable else None
    if not is_password(password, hashed) or account is None:
        raise LoginRefused("name and password do not belong together")
    with ledger.writing() as rows:
        _demand_unchanged(rows, account)
        _freshen(rows, account, password, attempt.at)
        forgive(rows, counted)
        return admit(rows, account, attempt.at)


def admit(rows: Writing, account: AccountRecord, now: datetime) -> SignedIn:
    """Open a session of an account, and know its browser from now on."""
    opened = SignedIn(session=new_secret(), device=new_secret())
    rows.open_session(
        SessionRecord(
            digest=digest_of(opened.session),
            account_id=account.id,
            opened_at=now,
            seen_at=now,
        )
    )
    rows.forget_devices(before=now - _DEVICE)
    rows.know_device(digest_of(opened.device), account.id, now)
    return opened


def person_of_session(
    ledger: Ledger, secret: str, now: datetime, limits: SessionLimits
) -> Person | None:
    """Return who holds this secret of a session; None where it is over."""
    digest = digest_of(secret)
    with ledger.reading() as rows:
        session = rows.session(digest)
        if session is None or _is_over(session, now, limits):
            return None
        account = rows.account_by_id(session.account_id)
    if account is None or account.disabled:
        return None
    if now - session.seen_at > _SEEN:
        ledger.grouped(lambda rows: rows.see_session(digest, now))
    return Person(
        account_id=account.id,
        name=account.name,
        role=account.role,
        permissions=PERMISSIONS[account.role],
        session=digest,
    )


def sign_out(ledger: Ledger, person: Person) -> None:
    """End the session of somebody."""
    if person.session is None:
        return
    with ledger.writing() as rows:
        rows.end_session(person.session)


def _is_over(session: SessionRecord, now: datetime, limits: SessionLimits) -> bool:
    return (
        now - session.opened_at > limits.longest or now - session.seen_at > limits.idle
    )


def _demand_unchanged(rows: Reading, account: AccountRecord) -> None:
    """Raise LoginRefused where the account was changed while its hash was made."""
    if rows.account_by_id(account.id) != account:
        raise LoginRefused("the account was changed just now: sign in again")


def _freshen(
    rows: Writing, account: AccountRecord, password: str, now: datetime
) -> None:
    """Keep the password by today's costs."""
    if account.password_hash is not None and is_outdated(account.password_hash):
        hashed = hash_password(password, account.name)
        rows.change_account(account.id, now, password_hash=hashed)
