"""Changes of many threads share transactions; each keeps or loses its own."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import LedgerFailure, LostRace
from gateway.ledger import Ledger, Writing
from gateway.ledger.grouping import GroupCommit
from tests.data.ledgers import url_of

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path))
    yield ledger
    ledger.close()


class Counting:
    """Groups over a ledger, counting the transactions."""

    def __init__(self, ledger: Ledger) -> None:
        self.transactions = 0
        self.first_waits = threading.Event()
        self.may_go_on = threading.Event()
        self._ledger = ledger
        self.groups = GroupCommit(self._writing)

    @contextmanager
    def _writing(self) -> Iterator[Writing]:
        self.transactions += 1
        if self.transactions == 1:
            self.first_waits.set()
            self.may_go_on.wait(60)
        with self._ledger.writing() as rows:
            yield rows


def run_together(
    counting: Counting, changes: Sequence[Callable[[Writing], object]]
) -> list[Exception | None]:
    """Run the first change alone and all others in one transaction after it."""
    raised: list[Exception | None] = [None] * len(changes)

    def run(number: int) -> None:
        try:
            counting.groups.run(changes[number])
        except LostRace as error:
            raised[number] = error

    threads = [
        threading.Thread(target=run, args=(number,)) for number in range(len(changes))
    ]
    threads[0].start()
    assert counting.first_waits.wait(60)
    for thread in threads[1:]:
        thread.start()
    while len(counting.groups._waiting) < len(changes) - 1:
        time.sleep(0.01)
    counting.may_go_on.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert counting.transactions == 2
    return raised


def opening(uid: str) -> Callable[[Writing], object]:
    return lambda rows: rows.open_study(uid, "CR", NOW)


def fail(rows: Writing) -> None:
    rows.open_study("1.2.9", "CR", NOW)
    raise LostRace("somebody was faster")


def test_those_who_come_while_another_writes_share_the_next_transaction(
    ledger: Ledger,
) -> None:
    uids = [f"1.2.{number}" for number in range(9)]
    raised = run_together(Counting(ledger), [opening(uid) for uid in uids])
    assert raised == [None] * len(uids)
    with ledger.reading() as rows:
        assert all(rows.study(uid) is not None for uid in uids)


def test_a_change_that_fails_beside_others_is_undone_alone(ledger: Ledger) -> None:
    changes = [opening("1.2.1"), opening("1.2.2"), fail, opening("1.2.3")]
    raised = run_together(Counting(ledger), changes)
    assert [str(error) for error in raised if error] == ["somebody was faster"]
    assert isinstance(raised[2], LostRace)
    with ledger.reading() as rows:
        kept = [rows.study(f"1.2.{number}") is not None for number in (1, 2, 3, 9)]
    assert kept == [True, True, True, False]


def test_a_change_that_fails_with_nobody_beside_it_is_undone(ledger: Ledger) -> None:
    groups = GroupCommit(ledger.writing)
    with pytest.raises(LostRace, match="faster"):
        groups.run(fail)
    assert groups.run(lambda rows: rows.open_study("1.2.8", "CR", NOW)).id
    with ledger.reading() as rows:
        assert rows.study("1.2.9") is None


def test_a_mistake_in_a_change_is_raised_to_its_caller(ledger: Ledger) -> None:
    def mistake(_rows: Writing) -> None:
        raise ZeroDivisionError("one over zero")

    with pytest.raises(ZeroDivisionError):
        ledger.grouped(mistake)
    assert ledger.grouped(lambda rows: rows.study("1.2")) is None


def test_nobody_is_told_of_success_where_the_commit_failed(ledger: Ledger) -> None:
    @contextmanager
    def broken() -> Iterator[Writing]:
        with ledger.writing() as rows:
            yield rows
            raise LedgerFailure("no space for the log")

    with pytest.raises(LedgerFailure, match="no space"):
        GroupCommit(broken).run(lambda rows: rows.open_study("1.2.7", "CR", NOW))
    with ledger.reading() as rows:
        assert rows.study("1.2.7") is None


def test_a_writer_that_never_ends_is_reported(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ledger.BUSY_SECONDS", 0.05)
    with (
        ledger.writing(),
        pytest.raises(LedgerFailure, match="on end"),
    ):
        ledger.grouped(lambda rows: rows.study("1.2"))
