"""Tables of the processes at work, what they do once for all, and how it went."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from gateway.ledger.columns import Moment, metadata

processes = Table(
    "processes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("boot", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("beat_at", Moment, nullable=False),
    Column("engine", Text),
    Column("findings", Text, nullable=False),
)
"""A row from the start of a process to its stop; who dies leaves it to others."""

jobs = Table(
    "jobs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
)
"""Leases of recurring jobs: who does each, and until when nobody else does."""

samples = Table(
    "samples",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("received", Integer, nullable=False),
    Column("reported", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("parked", Integer, nullable=False),
    Column("working", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("disk_free", BigInteger, nullable=False),
    Column("memory_free", BigInteger, nullable=False),
    Column("last_move", Integer, nullable=False),
)
"""A day of minutes, for the charts of the System page."""
