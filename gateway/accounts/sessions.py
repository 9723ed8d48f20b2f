"""Signing in and out: sessions live in the ledger, so every process knows them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.accounts.passwords import fresh_hash, is_password
from gateway.accounts.person import Person
from gateway.accounts.records import AccountRecord, SessionRecord
from gateway.accounts.roles import PERMISSIONS
from gateway.accounts.secrets import digest_of, new_secret
from gateway.accounts.throttle import Attempt, Counted, begin_attempt, forgive
from gateway.audit import kinds, parts
from gateway.errors import LoginRefused
from gateway.ledger import Ledger, Reading, Writing

_SEEN = timedelta(minutes=1)
"""How exactly it is kept when a session was last used: a write costs a sync."""

UNKNOWN = "(unknown name)"
"""What the audit has for a name of nobody: people type passwords there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long a session lasts without use, and at most."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What a browser is given: neither was a secret of anything before.

    `device` is None where the browser is not known from now on.
    """

    session: str
    device: str | None


def sign_in(ledger: Ledger, attempt: Attempt, password: str) -> SignedIn:
    """Open a session; recorded either way.

    Raises LoginRefused, which does not say what was wrong, and TooManyFailures.
    """
    account, counted = demand_password(ledger, attempt, password)
    fresh = fresh_hash(password, account.password_hash)
    with ledger.writing() as rows:
        _demand_unchanged(rows, account)
        if attempt.device:
            # The browser is given another one instead.
            rows.forget_devices(digest=digest_of(attempt.device))
        if fresh is not None:
            rows.change_account(account.id, attempt.at, password_hash=fresh)
        forgive(rows, counted)
        return admit(rows, account, attempt.address, "by password", attempt.at)


def demand_password(
    ledger: Ledger, attempt: Attempt, password: str
) -> tuple[AccountRecord, Counted]:
    """Return the account whose password it is, and what the attempt counted.

    As slow for a name of nobody. Raises LoginRefused and TooManyFailures.
    """
    with ledger.writing() as rows:
        counted = begin_attempt(rows, attempt)
        account = rows.account(attempt.name)
    usable = account is not None and not account.disabled
    hashed = account.password_hash if account is not None and usable else None
    if is_password(password, hashed) and account is not None:
        return account, counted
    by = parts.Person(
        name=UNKNOWN if account is None else account.name,
        role=None if account is None else account.role,
        address=attempt.address,
    )
    why = "account disabled" if account and account.disabled else "wrong password"
    with ledger.writing() as rows:
        rows.append_audit(
            kinds.login_failed(by, why, attempt.at, locked=counted.is_last)
        )
    raise LoginRefused("name and password do not belong together")


def admit(
    rows: Writing, account: AccountRecord, address: str, how: str, now: datetime
) -> SignedIn:
    """Open a session of an account, and know its browser from now on.

    There is nothing to know it for where the password is that of a provider.
    """
    device = new_secret() if account.issuer is None else None
    opened = SignedIn(session=new_secret(), device=device)
    rows.open_session(
        SessionRecord(
            digest=digest_of(opened.session),
            account_id=account.id,
            opened_at=now,
            seen_at=now,
        )
    )
    if device is not None:
        rows.know_device(digest_of(device), account.id, now)
    by = parts.Person(name=account.name, role=account.role, address=address)
    rows.append_audit(kinds.logged_in(by, how, now))
    return opened


def person_of_session(
    ledger: Ledger,
    secret: str,
    now: datetime,
    limits: SessionLimits,
    *,
    is_used: bool = True,
) -> Person | None:
    """Return who holds this secret of a session; None where it is over.

    is_used : False: a page asks by itself, which is no sign of a person.
    """
    digest = digest_of(secret)
    with ledger.reading() as rows:
        session = rows.session(digest)
        account = None if session is None else rows.account_by_id(session.account_id)
    if session is None or account is None or account.disabled:
        return None
    person = Person(
        account_id=account.id,
        name=account.name,
        role=account.role,
        permissions=PERMISSIONS[account.role],
        session=digest,
        issuer=account.issuer,
    )
    if _is_over(session, now, limits):
        sign_out(ledger, person, "by time", now)
        return None
    if is_used and now - session.seen_at > _SEEN:
        ledger.grouped(lambda rows: rows.see_session(digest, now))
    return person


def sign_out(ledger: Ledger, person: Person, how: str, now: datetime) -> None:
    """End the session of somebody, unless it is over."""
    if person.session is None:
        return
    with ledger.writing() as rows:
        if rows.end_session(person.session):
            rows.append_audit(kinds.logged_out(person.in_audit, how, now))


def _is_over(session: SessionRecord, now: datetime, limits: SessionLimits) -> bool:
    return (
        now - session.opened_at > limits.longest or now - session.seen_at > limits.idle
    )


def _demand_unchanged(rows: Reading, account: AccountRecord) -> None:
    """Raise LoginRefused where the account was changed while its hash was made."""
    if rows.account_by_id(account.id) != account:
        raise LoginRefused("the account was changed just now: sign in again")
