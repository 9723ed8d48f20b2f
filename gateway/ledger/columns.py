"""Types of the columns of the ledger, and the metadata that all of its tables share."""

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import DateTime, Dialect, Enum, MetaData, String, TypeDecorator

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware time, kept in UTC; a naive one is refused with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - given by SQLAlchemy
    ) -> datetime | None:
        """Turn any zone into UTC, for SQLite keeps no zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger keeps no time without a zone")
        return value.astimezone(UTC)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - given by SQLAlchemy
    ) -> datetime | None:
        """Give the zone back that SQLite does not keep."""
        if value is None or value.tzinfo is not None:
            return value and value.astimezone(UTC)
        return value.replace(tzinfo=UTC)


def words(kind: type[StrEnum]) -> Enum:
    """Return a column type that keeps the values of `kind` as plain text."""
    return Enum(
        kind,
        native_enum=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


UID = String(64)
"""A UID has at most 64 characters (PS3.5 9.1)."""

ORDERED_UID = UID.with_variant(String(64, collation="C"), "postgresql")
"""Searched by its beginning, so in the order of its characters whatever the order of
words that the database was made with."""
