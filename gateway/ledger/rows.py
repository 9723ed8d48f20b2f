"""An open transaction, and how its rows become records."""

from typing import TypeVar

from sqlalchemy import Connection, Select

from gateway.ledger.master import Patients

Record = TypeVar("Record")


class Rows:
    """What the questions of the ledger are asked with."""

    def __init__(self, connection: Connection, patients: Patients) -> None:
        self._connection = connection
        self._patients = patients

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
        self, record: type[Record], query: Select[*tuple[object, ...]]
    ) -> list[Record]:
        return [record(**row) for row in self._connection.execute(query).mappings()]
