"""Accounts, sessions and tokens as the ledger keeps them. Times are aware, UTC."""

from dataclasses import dataclass
from datetime import datetime

from gateway.accounts.roles import AccountRole


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """An account. `password_hash` is None until its owner has set one.

    `issuer` and `subject` name the person at an OpenID provider; None: a local one.
    """

    id: int
    name: str
    role: AccountRole
    password_hash: str | None
    disabled: bool
    issuer: str | None
    subject: str | None
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A browser that signed in; `digest` is of the secret in its cookie."""

    digest: str
    account_id: int
    opened_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupLinkRecord:
    """A link by which somebody sets a password, once.

    `account_id` is None for the one that makes the first administrator.
    """

    digest: str
    account_id: int | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A token of the API; `permissions` are words with commas between."""

    id: int
    account_id: int
    name: str
    digest: str
    permissions: str
    created_at: datetime
    expires_at: datetime
    revoked: bool
