"""Tables, named queries, unit of work and compare-and-set moves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine

from gateway.errors import LedgerCorrupt, LedgerFailure
from gateway.failpoints import pass_failpoint
from gateway.ledger.engine import BUSY_SECONDS, ledger_failures, open_engine
from gateway.ledger.grouping import GroupCommit
from gateway.ledger.reading import Reading
from gateway.ledger.records import (
    AuditFilter,
    AuditRecord,
    Backlog,
    CommitmentItemRecord,
    CommitmentRecord,
    CommitmentState,
    DeliveryRecord,
    DeliveryState,
    Document,
    InstanceRecord,
    MoveRecord,
    NewInstance,
    RepositoryRecord,
    ResultRecord,
    RetrievalRecord,
    Role,
    SilenceRecord,
    SlotRecord,
    StudyRecord,
)
from gateway.ledger.writing import Writing

__all__ = [
    "AuditFilter",
    "AuditRecord",
    "Backlog",
    "CommitmentItemRecord",
    "CommitmentRecord",
    "CommitmentState",
    "DeliveryRecord",
    "DeliveryState",
    "Document",
    "InstanceRecord",
    "Ledger",
    "MoveRecord",
    "NewInstance",
    "Reading",
    "RepositoryRecord",
    "ResultRecord",
    "RetrievalRecord",
    "Role",
    "SilenceRecord",
    "SlotRecord",
    "StudyRecord",
    "Writing",
]

T = TypeVar("T")


class Ledger:
    """What the gateway remembers, safe to share between threads and processes.

    `Ledger.open` opens it. All methods raise LedgerFailure where the database
    does not do its part; nothing of that transaction is kept then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._groups = GroupCommit(self.writing)
        self._damage: str | None = None

    @classmethod
    def open(cls, url: str) -> "Ledger":
        """Open the ledger at an SQLAlchemy URL, made or migrated where needed."""
        return cls(open_engine(url))

    def close(self) -> None:
        """Close the connections; open transactions must have ended."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Hold one consistent snapshot; changes of others stay unseen."""
        with self._watched(), self._engine.begin() as connection:
            yield Reading(connection)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Hold the one write transaction: commit on exit, roll back on an error.

        When the block has ended, what it wrote outlives a power cut. Raises
        LedgerCorrupt, with nothing tried, once the database has said that it is
        damaged: what is written to such a file may be lost or make it worse.
        """
        if self._damage is not None:
            raise LedgerCorrupt(self._damage)
        with (
            self._in_turn(),
            self._watched(),
            self._engine.connect() as connection,
        ):
            connection.execution_options(writing=True)
            with connection.begin():
                yield Writing(connection)
                pass_failpoint("ledger:before-commit")
            pass_failpoint("ledger:after-commit")

    def grouped(self, change: Callable[[Writing], T]) -> T:
        """Make a small change in a transaction that other threads may share.

        Returns what `change` returns, once it outlives a power cut; what `change`
        raises is raised here, and nothing of it is kept. It may run on another
        thread, and must not open a transaction.
        """
        return self._groups.run(change)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Turn what the database says into LedgerFailure, and remember damage."""
        try:
            with ledger_failures():
                yield
        except LedgerCorrupt as error:
            self._damage = str(error)
            raise

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let the threads of this process write one after the other.

        Left to SQLite they would ask for its lock again and again, with naps of up
        to 100 ms; that is for other processes.
        """
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise LedgerFailure(f"the ledger was written for {BUSY_SECONDS} s on end")
        try:
            yield
        finally:
            self._turn.release()
