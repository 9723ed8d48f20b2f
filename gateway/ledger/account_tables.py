"""Tables of the people who use the console."""

from sqlalchemy import (
    Boolean,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.accounts.roles import AccountRole
from gateway.ledger.columns import Moment, metadata

DIGEST = String(64)
"""SHA-256 of a secret; the secret itself is not kept."""

_ROLE = Enum(
    AccountRole,
    native_enum=False,
    length=32,
    values_callable=lambda roles: [role.value for role in roles],
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", _ROLE, nullable=False),
    Column("password_hash", Text),
    Column("disabled", Boolean, nullable=False),
    Column("issuer", Text),
    Column("subject", String(255)),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("issuer", "subject"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("opened_at", Moment, nullable=False, index=True),
    Column("seen_at", Moment, nullable=False),
)

setup_links = Table(
    "setup_links",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("account_id", ForeignKey("accounts.id")),
    Column("expires_at", Moment, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("digest", DIGEST, nullable=False, unique=True),
    Column("permissions", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked", Boolean, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("seen_at", Moment, nullable=False, index=True),
)
"""Browsers from which an account was signed in to."""

failed_logins = Table(
    "failed_logins",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("bucket", String(160), nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Index(None, "bucket", "at"),
)
"""What throttles: a row a failure and a bucket, until it is too old to count."""

openid_flows = Table(
    "openid_flows",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
)
"""Browsers that were sent to the OpenID provider and are not back yet.

`attempt` is the row of failed_logins by which it counts until then.
"""
