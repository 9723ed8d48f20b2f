"""When a peer last did its part is kept, and no silence of it forgets that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contacts import Contacts
from gateway.errors import LedgerFailure
from gateway.ledger import ContactRecord, Ledger, Way
from tests.data.ledgers import at, url_of


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path))
    yield ledger
    ledger.close()


def kept(ledger: Ledger) -> list[ContactRecord]:
    with ledger.reading() as rows:
        return rows.contacts()


def test_a_failure_leaves_the_last_success_as_it_was(ledger: Ledger) -> None:
    contacts = Contacts()
    contacts.answered("pacs", Way.ASKED, at(1))
    contacts.keep(ledger)
    contacts.failed("pacs", Way.ASKED, at(2))
    contacts.failed("pacs", Way.ASKED, at(3))
    contacts.keep(ledger)
    assert kept(ledger) == [
        ContactRecord(peer="pacs", way=Way.ASKED, answered_at=at(1), failed_at=at(3))
    ]


def test_what_is_kept_is_written_once(ledger: Ledger) -> None:
    contacts = Contacts()
    contacts.answered("pacs", Way.SENT, at(1))
    assert [contacts.keep(ledger), contacts.keep(ledger)] == [1, 0]


def test_what_could_not_be_written_is_written_later(
    ledger: Ledger, tmp_path: Path
) -> None:
    contacts = Contacts()
    contacts.answered("pacs", Way.ASKED, at(1))
    contacts.answered("pacs", Way.SENT, at(2))
    broken = Ledger.open(url_of(tmp_path))
    broken._damage = "said to be damaged"
    with pytest.raises(LedgerFailure):
        contacts.keep(broken)
    broken.close()
    contacts.keep(ledger)
    assert [(row.way, row.answered_at) for row in kept(ledger)] == [
        (Way.ASKED, at(1)),
        (Way.SENT, at(2)),
    ]
