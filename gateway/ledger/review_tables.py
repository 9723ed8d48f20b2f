"""Tables of those who review the audit: what they keep, and what they signed."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from gateway.ledger.columns import Moment, metadata

saved_filters = Table(
    "saved_filters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("saved_at", Moment, nullable=False),
    UniqueConstraint("owner", "name"),
)
"""`question` as `reviewing.asking` writes it."""

reviews = Table(
    "reviews",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("question", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("last_sequence", Integer, nullable=False),
    Column("records", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("reviewer", Text, nullable=False),
    Column("reviewed_at", Moment, nullable=False),
    Index(None, "reviewed_at"),
)
"""Sign-offs; none is ever changed. `last_sequence` is where the log ended then."""
