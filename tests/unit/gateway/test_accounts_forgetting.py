"""What is over goes after its time, and nothing that is in use."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, func, select

from gateway.accounts import flows, links, managing, tokens
from gateway.accounts.forgetting import DEVICE, TOKEN, forget_ended
from gateway.accounts.roles import AccountRole, Permission
from gateway.accounts.sessions import sign_in
from gateway.accounts.throttle import Attempt
from gateway.audit import parts
from gateway.ledger import Ledger, account_tables
from tests.data.console import PASSWORD, hashed_password
from tests.data.ledgers import NOW, url_of

BY = parts.Person(name="root")
KEPT = (
    account_tables.sessions,
    account_tables.devices,
    account_tables.tokens,
    account_tables.setup_links,
    account_tables.openid_flows,
    account_tables.failed_logins,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path))
    with opened.writing() as rows:
        rows.add_account(
            "rita", AccountRole.VIEWER, NOW, password_hash=hashed_password()
        )
    yield opened
    opened.close()


def counts(ledger: Ledger) -> dict[str, int]:
    """Return how many rows each table has, without those that have none."""
    with ledger.reading() as rows:
        found = {table.name: _rows(rows, table) for table in KEPT}
    return {name: count for name, count in found.items() if count}


def _rows(rows: object, table: Table) -> int:
    connection = getattr(rows, "_connection")  # noqa: B009 - of the ledger itself
    return int(connection.scalar(select(func.count()).select_from(table)))


def enter(ledger: Ledger, device: str | None, now: datetime) -> str | None:
    attempt = Attempt(name="rita", address="192.0.2.7", device=device, at=now)
    return sign_in(ledger, attempt, PASSWORD).device


def test_what_is_over_goes_and_what_is_in_use_stays(ledger: Ledger) -> None:
    enter(ledger, None, NOW)
    wanted = tokens.NewToken(
        account="rita", name="t", permissions={Permission.STUDIES_READ}, days=30
    )
    tokens.make_token(ledger, wanted, BY, NOW)
    tokens.make_token(ledger, wanted, BY, NOW)
    (newest, _) = tokens.tokens_of(ledger, "rita")
    tokens.revoke_token(ledger, "rita", newest.id, BY, NOW)
    with ledger.writing() as rows:
        links.link_for(rows, managing.known(rows, "rita"), BY, NOW)
    flows.begin(ledger, "x" * 43, "/", "192.0.2.7", NOW)
    everything = {table.name for table in KEPT}
    forget_ended(ledger, NOW + timedelta(minutes=5))
    assert counts(ledger).keys() == everything
    forget_ended(ledger, NOW + timedelta(days=2))
    assert counts(ledger) == {"sessions": 1, "devices": 1, "tokens": 2}
    ended = NOW + timedelta(days=30) + TOKEN
    forget_ended(ledger, ended)
    assert counts(ledger)["tokens"] == 2
    forget_ended(ledger, ended + timedelta(seconds=1))
    assert counts(ledger) == {"sessions": 1, "devices": 1}
    forget_ended(ledger, NOW + DEVICE + timedelta(seconds=1))
    assert counts(ledger) == {}


def test_a_browser_is_known_once(ledger: Ledger) -> None:
    device = enter(ledger, None, NOW)
    for minutes in range(1, 4):
        device = enter(ledger, device, NOW + timedelta(minutes=minutes))
    assert counts(ledger) == {"sessions": 4, "devices": 1}
