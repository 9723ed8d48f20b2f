"""Tokens of the API: for a program, scoped, for a time, revocable."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.accounts.managing import demand_own, known
from gateway.accounts.person import Person
from gateway.accounts.records import TokenRecord
from gateway.accounts.roles import PERMISSIONS, Permission
from gateway.accounts.secrets import digest_of, new_secret
from gateway.audit import kinds, parts
from gateway.errors import AccountRefused
from gateway.ledger import Ledger

PREFIX = "maira_"
"""By it a scanner of secrets knows one that was left somewhere."""

LONGEST_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a token is for: never more than its account may."""

    account: str
    name: str
    permissions: Collection[Permission]
    days: int


def make_token(
    ledger: Ledger, wanted: NewToken, by: parts.Person, now: datetime
) -> str:
    """Make a token and return it; nobody sees it again. Raises AccountRefused.

    None for an account of a provider: nobody would end it when its owner leaves.
    """
    _demand_sense(wanted)
    secret = PREFIX + new_secret()
    scope = ",".join(sorted(wanted.permissions))
    with ledger.writing() as rows:
        account = known(rows, wanted.account)
        demand_own(account, "permission")
        if not PERMISSIONS[account.role] >= set(wanted.permissions):
            raise AccountRefused(f"a token of {account.role} cannot be for {scope}")
        rows.add_token(
            TokenRecord(
                id=0,
                account_id=account.id,
                name=wanted.name,
                digest=digest_of(secret),
                permissions=scope,
                created_at=now,
                expires_at=now + timedelta(days=wanted.days),
                revoked=False,
            )
        )
        rows.append_audit(kinds.token_made(account.name, wanted.name, scope, by, now))
    return secret


def revoke_token(
    ledger: Ledger, account: str, number: int, by: parts.Person, now: datetime
) -> None:
    """Let a token open nothing more; raises AccountRefused."""
    with ledger.writing() as rows:
        owner = known(rows, account)
        token = rows.revoke_token(owner.id, number)
        if token is None:
            raise AccountRefused("this account has no such token")
        rows.append_audit(kinds.token_revoked(owner.name, token.name, by, now))


def tokens_of(ledger: Ledger, account: str) -> Sequence[TokenRecord]:
    """Return the tokens of an account, the newest first."""
    with ledger.reading() as rows:
        return rows.tokens(known(rows, account).id)


def person_of_token(ledger: Ledger, secret: str, now: datetime) -> Person | None:
    """Return for whom a token stands; None where it opens nothing."""
    with ledger.reading() as rows:
        token = rows.token(digest_of(secret))
        account = None if token is None else rows.account_by_id(token.account_id)
    if token is None or token.revoked or token.expires_at <= now:
        return None
    if account is None or account.disabled:
        return None
    scope = {Permission(word) for word in token.permissions.split(",")}
    return Person(
        account_id=account.id,
        name=account.name,
        role=account.role,
        permissions=PERMISSIONS[account.role] & scope,
    )


def _demand_sense(wanted: NewToken) -> None:
    if not wanted.permissions:
        raise AccountRefused("a token is for something: name permissions")
    if not 1 <= wanted.days <= LONGEST_DAYS:
        raise AccountRefused(f"a token lasts 1 to {LONGEST_DAYS} days")
    if not (wanted.name.isprintable() and 1 <= len(wanted.name) <= 64):
        raise AccountRefused("a token has a name of 1 to 64 characters")
