"""Changes to the people who use the console; the caller's transaction."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import TypedDict, Unpack

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.accounts.records import (
    AccountRecord,
    FlowRecord,
    SessionRecord,
    SetupLinkRecord,
    TokenRecord,
)
from gateway.accounts.roles import AccountRole
from gateway.errors import AccountRefused
from gateway.ledger import account_tables as tables
from gateway.ledger.reading import Reading


class AccountChange(TypedDict, total=False):
    """What changes of an account; what is not named stays."""

    role: AccountRole
    password_hash: str | None
    disabled: bool


class NewAccount(TypedDict, total=False):
    """What an account begins with."""

    password_hash: str | None
    issuer: str | None
    subject: str | None


class AccountWriting(Reading):
    """What keeps accounts, sessions, links, tokens and failures."""

    def add_account(
        self, name: str, role: AccountRole, now: datetime, **more: Unpack[NewAccount]
    ) -> AccountRecord:
        """Add an account; raises AccountRefused where the name is taken."""
        values = {"name": name, "role": role, "disabled": False, **more}
        added = insert(tables.accounts).values(created_at=now, changed_at=now, **values)
        try:
            with self._refusable():
                row = self._connection.execute(added.returning(tables.accounts))
                return AccountRecord(**row.mappings().one())
        except IntegrityError as error:
            raise AccountRefused(f"there is an account {name!r} already") from error

    def change_account(
        self, account_id: int, now: datetime, **change: Unpack[AccountChange]
    ) -> None:
        """Change an account."""
        table = tables.accounts
        self._connection.execute(
            update(table)
            .where(table.c.id == account_id)
            .values(changed_at=now, **change)
        )

    def open_session(self, session: SessionRecord) -> None:
        """Keep a session."""
        self._connection.execute(insert(tables.sessions).values(**asdict(session)))

    def see_session(self, digest: str, now: datetime) -> None:
        """Note that a session is in use."""
        table = tables.sessions
        self._connection.execute(
            update(table).where(table.c.digest == digest).values(seen_at=now)
        )

    def end_session(self, digest: str) -> bool:
        """Forget one session; return whether it was there."""
        table = tables.sessions
        gone = delete(table).where(table.c.digest == digest)
        return bool(self._connection.execute(gone).rowcount)

    def end_sessions(self, account_id: int) -> None:
        """Forget the sessions of an account."""
        table = tables.sessions
        gone = delete(table).where(table.c.account_id == account_id)
        self._connection.execute(gone)

    def forget_sessions(self, opened_before: datetime) -> None:
        """Forget sessions that were opened before a moment, and nobody came back to."""
        table = tables.sessions
        self._connection.execute(delete(table).where(table.c.opened_at < opened_before))

    def add_setup_link(self, link: SetupLinkRecord) -> None:
        """Keep a link, instead of those that were there for the same account."""
        table = tables.setup_links
        self._connection.execute(
            delete(table).where(
                table.c.account_id.is_not_distinct_from(link.account_id)
            )
        )
        self._connection.execute(insert(table).values(**asdict(link)))

    def take_setup_link(self, digest: str) -> SetupLinkRecord | None:
        """Return a link and forget it; None where it is not there any more."""
        table = tables.setup_links
        gone = delete(table).where(table.c.digest == digest).returning(table)
        row = self._connection.execute(gone).mappings().first()
        return None if row is None else SetupLinkRecord(**row)

    def drop_setup_links(self, account_id: int | None) -> None:
        """Forget the links of an account, or those for a first administrator."""
        table = tables.setup_links
        self._connection.execute(
            delete(table).where(table.c.account_id.is_not_distinct_from(account_id))
        )

    def add_token(self, token: TokenRecord) -> int:
        """Keep a token, whose `id` does not count; return its number."""
        values = {k: v for k, v in asdict(token).items() if k != "id"}
        added = insert(tables.tokens).values(**values).returning(tables.tokens.c.id)
        return int(self._connection.scalars(added).one())

    def revoke_token(self, account_id: int, token_id: int) -> TokenRecord | None:
        """Let a token of an account open nothing more; None: there is none such."""
        table = tables.tokens
        revoked = (
            update(table)
            .where(table.c.id == token_id, table.c.account_id == account_id)
            .values(revoked=True)
        )
        if not self._connection.execute(revoked).rowcount:
            return None
        return self._first(TokenRecord, select(table).where(table.c.id == token_id))

    def forget_tokens(self, expired_before: datetime) -> None:
        """Forget tokens that were to last until before a moment, revoked or not."""
        table = tables.tokens
        gone = delete(table).where(table.c.expires_at < expired_before)
        self._connection.execute(gone)

    def forget_setup_links(self, expired_before: datetime) -> None:
        """Forget links that nobody has used in time."""
        table = tables.setup_links
        gone = delete(table).where(table.c.expires_at < expired_before)
        self._connection.execute(gone)

    def know_device(self, digest: str, account_id: int, now: datetime) -> None:
        """Keep that an account was signed in to from a browser."""
        table = tables.devices
        self._connection.execute(delete(table).where(table.c.digest == digest))
        values = {"digest": digest, "account_id": account_id, "seen_at": now}
        self._connection.execute(insert(table).values(**values))

    def forget_devices(
        self,
        *,
        before: datetime | None = None,
        account_id: int | None = None,
        digest: str | None = None,
    ) -> None:
        """Forget browsers not seen since a moment, all of an account, or one."""
        table = tables.devices
        gone = delete(table)
        if before is not None:
            gone = gone.where(table.c.seen_at < before)
        if account_id is not None:
            gone = gone.where(table.c.account_id == account_id)
        if digest is not None:
            gone = gone.where(table.c.digest == digest)
        self._connection.execute(gone)

    def add_flow(self, flow: FlowRecord) -> None:
        """Keep that a browser is sent to the OpenID provider."""
        self._connection.execute(insert(tables.openid_flows).values(**asdict(flow)))

    def take_flow(self, digest: str) -> FlowRecord | None:
        """Return who comes back from there and forget it; None: nobody is expected."""
        table = tables.openid_flows
        gone = delete(table).where(table.c.digest == digest).returning(table)
        row = self._connection.execute(gone).mappings().first()
        return None if row is None else FlowRecord(**row)

    def forget_flows(self, before: datetime) -> None:
        """Forget browsers that did not come back by a moment."""
        table = tables.openid_flows
        self._connection.execute(delete(table).where(table.c.expires_at <= before))

    def add_failed_logins(self, buckets: Iterable[str], now: datetime) -> list[int]:
        """Count a failure in each bucket; return the numbers of the rows."""
        table = tables.failed_logins
        rows = [{"bucket": bucket, "at": now} for bucket in buckets]
        added = insert(table).returning(table.c.id)
        return list(self._connection.scalars(added, rows))

    def forget_failed_logins(
        self,
        *,
        before: datetime | None = None,
        bucket: str | None = None,
        numbers: Collection[int] | None = None,
    ) -> None:
        """Forget the failures that all conditions hold for."""
        table = tables.failed_logins
        gone = delete(table)
        if before is not None:
            gone = gone.where(table.c.at < before)
        if bucket is not None:
            gone = gone.where(table.c.bucket == bucket)
        if numbers is not None:
            gone = gone.where(table.c.id.in_(numbers))
        self._connection.execute(gone)
