"""An open transaction, and how its rows become records."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Select, Table, select

from gateway.ledger.master import Patients

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record")


def selected(
    record: "type[DataclassInstance]", table: Table
) -> Select[*tuple[object, ...]]:
    """Ask for what a record holds of a table, which may have more columns."""
    return select(*(table.c[each.name] for each in fields(record)))


class Rows:
    """What the ledger is asked and changed with."""

    def __init__(self, connection: Connection, patients: Patients) -> None:
        self._connection = connection
        self._patients = patients

    def _refusable(self) -> AbstractContextManager[object]:
        """Open a block for one statement that a constraint may refuse.

        The transaction goes on after it: SQLite undoes the statement alone, and
        PostgreSQL, where it would end the transaction, what came after a savepoint.
        """
        is_sqlite = self._connection.dialect.name == "sqlite"
        return nullcontext() if is_sqlite else self._connection.begin_nested()

    def _first(
        self, record: type[Record], query: Select[*tuple[object, ...]]
    ) -> Record | None:
        return self._one(record, query.limit(1))

    def _one(
        self,
        record: type[Record],
        query: Select[*tuple[object, ...]],
        **values: object,
    ) -> Record | None:
        row = self._connection.execute(query, values).mappings().first()
        return None if row is None else record(**row)

    def _all(
        self,
        record: type[Record],
        query: Select[*tuple[object, ...]],
        **values: object,
    ) -> list[Record]:
        found = self._connection.execute(query, values)
        names = tuple(found.keys())
        # A quarter of the time that SQLAlchemy's mappings take.
        return [record(**dict(zip(names, row, strict=True))) for row in found]
