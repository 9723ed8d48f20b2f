"""Tables, named queries, unit of work and compare-and-set moves."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from gateway.ledger.engine import ledger_failures, open_engine
from gateway.ledger.reading import Reading
from gateway.ledger.records import (
    AuditFilter,
    AuditRecord,
    DeliveryRecord,
    DeliveryState,
    Document,
    InstanceRecord,
    MoveRecord,
    NewInstance,
    ResultRecord,
    RetrievalRecord,
    Role,
    SlotRecord,
    StudyRecord,
)
from gateway.ledger.writing import Writing

__all__ = [
    "AuditFilter",
    "AuditRecord",
    "DeliveryRecord",
    "DeliveryState",
    "Document",
    "InstanceRecord",
    "Ledger",
    "MoveRecord",
    "NewInstance",
    "Reading",
    "ResultRecord",
    "RetrievalRecord",
    "Role",
    "SlotRecord",
    "StudyRecord",
    "Writing",
]


class Ledger:
    """What the gateway remembers, safe to share between threads and processes.

    `Ledger.open` opens it. All methods raise LedgerFailure where the database
    does not do its part; nothing of that transaction is kept then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
        with ledger_failures(), self._engine.begin() as connection:
            yield Reading(connection)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Hold the one write transaction: commit on exit, roll back on an error.

        When the block has ended, what it wrote outlives a power cut.
        """
        with ledger_failures(), self._engine.connect() as connection:
            connection.execution_options(writing=True)
            with connection.begin():
                yield Writing(connection)
