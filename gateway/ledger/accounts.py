"""Questions about the people who use the console."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select

from gateway.accounts.records import (
    AccountRecord,
    SessionRecord,
    SetupLinkRecord,
    TokenRecord,
)
from gateway.accounts.roles import AccountRole
from gateway.ledger import account_tables as tables
from gateway.ledger.rows import Rows


class AccountReading(Rows):
    """Accounts, sessions, links, tokens and failures of logging in."""

    def accounts(self) -> list[AccountRecord]:
        """Return every account, by name."""
        found = select(tables.accounts).order_by(tables.accounts.c.name)
        return self._all(AccountRecord, found)

    def account(self, name: str) -> AccountRecord | None:
        """Return the account with this name."""
        found = select(tables.accounts).where(tables.accounts.c.name == name)
        return self._first(AccountRecord, found)

    def account_by_id(self, account_id: int) -> AccountRecord | None:
        """Return the account that another row names."""
        found = select(tables.accounts).where(tables.accounts.c.id == account_id)
        return self._first(AccountRecord, found)

    def account_of_subject(self, issuer: str, subject: str) -> AccountRecord | None:
        """Return the account of a person at an OpenID provider."""
        table = tables.accounts
        found = select(table).where(
            table.c.issuer == issuer, table.c.subject == subject
        )
        return self._first(AccountRecord, found)

    def administrators(self) -> int:
        """Count the administrators who can sign in."""
        table = tables.accounts
        found = select(func.count()).where(
            table.c.role == AccountRole.ADMINISTRATOR, table.c.disabled.is_(False)
        )
        return int(self._connection.scalar(found) or 0)

    def session(self, digest: str) -> SessionRecord | None:
        """Return the session whose secret has this digest."""
        found = select(tables.sessions).where(tables.sessions.c.digest == digest)
        return self._first(SessionRecord, found)

    def setup_link(self, digest: str) -> SetupLinkRecord | None:
        """Return the link whose secret has this digest."""
        found = select(tables.setup_links).where(tables.setup_links.c.digest == digest)
        return self._first(SetupLinkRecord, found)

    def token(self, digest: str) -> TokenRecord | None:
        """Return the token whose secret has this digest."""
        found = select(tables.tokens).where(tables.tokens.c.digest == digest)
        return self._first(TokenRecord, found)

    def tokens(self, account_id: int) -> list[TokenRecord]:
        """Return the tokens of an account, the newest first."""
        table = tables.tokens
        found = select(table).where(table.c.account_id == account_id)
        return self._all(TokenRecord, found.order_by(table.c.id.desc()))

    def is_device(self, digest: str, name: str) -> bool:
        """Whether the account with this name was signed in to from that browser."""
        devices, accounts = tables.devices, tables.accounts
        found = (
            select(devices.c.digest)
            .join(accounts, accounts.c.id == devices.c.account_id)
            .where(devices.c.digest == digest, accounts.c.name == name)
        )
        return self._connection.execute(found).first() is not None

    def failed_logins(
        self, buckets: Sequence[str], since: datetime
    ) -> Mapping[str, int]:
        """Count the failures in each bucket since a moment."""
        table = tables.failed_logins
        found = (
            select(table.c.bucket, func.count())
            .where(table.c.bucket.in_(buckets), table.c.at > since)
            .group_by(table.c.bucket)
        )
        return dict(self._connection.execute(found).all())
