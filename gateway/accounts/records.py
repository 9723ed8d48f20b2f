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


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRecord:
    """A browser that is at the OpenID provider; `digest` is of the secret it keeps.

    destination : the page here that it is led to then, a path.
    attempt : the number of the failed login by which it counts until it is back.
    """

    digest: str
    destination: str
    attempt: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Somebody for whom an OpenID provider vouches.

    `subject` is who they are at `issuer`, for ever. `name` is None where the provider
    gives them none; `roles` are those of their groups.
    """

    issuer: str
    subject: str
    name: str | None
    roles: frozenset[AccountRole]
