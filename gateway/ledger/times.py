"""Times of the ledger that are compared with the clock, moved when it is set."""

from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Interval,
    String,
    func,
    literal,
    type_coerce,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from gateway.ledger import account_tables, campaign_tables, process_tables, schema

MOVED: tuple[Column[datetime], ...] = (
    schema.studies.c.opened_at,
    schema.studies.c.last_arrival_at,
    schema.studies.c.changed_at,
    schema.studies.c.not_before,
    schema.studies.c.lease_until,
    schema.studies.c.due_at,
    campaign_tables.campaigns.c.next_at,
    campaign_tables.campaign_studies.c.not_before,
    campaign_tables.campaign_studies.c.asked_at,
    schema.deliveries.c.first_tried_at,
    schema.deliveries.c.not_before,
    schema.silences.c.since,
    schema.silences.c.until,
    schema.commitments.c.received_at,
    schema.commitments.c.not_before,
    schema.groundings.c.not_before,
    schema.retrievals.c.opened_at,
    schema.retrievals.c.expires_at,
    schema.instances.c.received_at,
    schema.quarantine.c.received_at,
    schema.orders.c.received_at,
    schema.outside_reports.c.received_at,
    account_tables.sessions.c.opened_at,
    account_tables.sessions.c.seen_at,
    account_tables.setup_links.c.expires_at,
    account_tables.failed_logins.c.at,
    schema.audit_repositories.c.failing_since,
    schema.audit_repositories.c.not_before,
    process_tables.processes.c.beat_at,
    process_tables.jobs.c.until,
)
"""Pauses, leases, quiet periods and ages. Moves, results and the audit are records:
they stay as they were written."""


def move(connection: Connection, step: timedelta) -> None:
    """Move them all by `step`, in the caller's transaction."""
    moved = moved_in_sqlite if connection.dialect.name == "sqlite" else moved_elsewhere
    for table in dict.fromkeys(column.table for column in MOVED):
        values = {c.name: moved(c, step) for c in MOVED if c.table is table}
        connection.execute(update(table).values(values))


def moved_in_sqlite(column: Column[datetime], step: timedelta) -> ColumnElement[str]:
    """SQLite keeps text, and counts to the millisecond; six digits are kept."""
    seconds = f"{step.total_seconds():+.3f} seconds"
    text = func.strftime("%Y-%m-%d %H:%M:%f000", type_coerce(column, String), seconds)
    return type_coerce(text, String)


def moved_elsewhere(
    column: Column[datetime], step: timedelta
) -> ColumnElement[datetime]:
    """Add the step, as PostgreSQL can."""
    zoned = type_coerce(column, DateTime(timezone=True))
    return type_coerce(zoned + literal(step, Interval()), DateTime(timezone=True))
