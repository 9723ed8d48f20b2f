"""A search of the audit by programs: an interval of time, and values of columns.

Found in the order of time, a page after the other from where the last one ended, so a
page costs what it holds and not what lies before it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, or_
from sqlalchemy.sql.elements import ColumnElement

from gateway.ledger import schema
from gateway.ledger.records import AuditRecord
from gateway.ledger.rows import Rows, selected


class AuditColumn(StrEnum):
    """What can be asked for besides the time."""

    EVENT = "event"
    EVENT_TYPE = "event_type"
    ACTION = "action"
    OUTCOME = "outcome"
    USER = "user"
    STUDY = "study_instance_uid"
    PATIENT = "patient"


_LEADS = frozenset({AuditColumn.STUDY, AuditColumn.PATIENT})
"""Few records share their values, so their indexes are better than that of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlace:
    """Where a page ended."""

    recorded_at: datetime
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """What is searched for: all conditions hold.

    since : included; until : not. among : a column, and the values of which it has
    one; a column may stand there more than once.
    """

    since: datetime
    until: datetime
    among: tuple[tuple[AuditColumn, Collection[str]], ...] = ()
    after: AuditPlace | None = None
    limit: int = 100


class AuditSearching(Rows):
    """The search."""

    def search_audit(self, wanted: AuditSearch) -> list[AuditRecord]:
        """Return the first `wanted.limit` records that match, in the order of time."""
        table = schema.audit
        found = (
            selected(AuditRecord, table)
            .where(
                table.c.recorded_at >= wanted.since,
                table.c.recorded_at < wanted.until,
                *(_has(column, values) for column, values in wanted.among),
                *_beyond(wanted.after),
            )
            .order_by(table.c.recorded_at, table.c.sequence)
        )
        return self._all(AuditRecord, found.limit(wanted.limit))


def _has(name: AuditColumn, values: Collection[str]) -> ColumnElement[bool]:
    column = schema.audit.c[name.value]
    if name is AuditColumn.OUTCOME:
        return column.in_([int(value) for value in values])
    if name in _LEADS:
        return column.in_(values)
    # Hidden from the choice of an index: half of the log may have that value, and all
    # of it would have to be sorted by time before the first page.
    return func.coalesce(column, "").in_(values)


def _beyond(after: AuditPlace | None) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    time, number = schema.audit.c.recorded_at, schema.audit.c.sequence
    return [
        time >= after.recorded_at,
        or_(time > after.recorded_at, number > after.sequence),
    ]
