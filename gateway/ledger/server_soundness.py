"""Whether a ledger in PostgreSQL is sound, asked of the server; changes nothing.

It reads every row of every table, as nobody else does, and compares indexes with their
tables where the server has the extension amcheck.
"""

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Connection, Engine, text

from gateway.errors import LedgerFailure
from gateway.ledger.engine import engine_of, snapshots_of
from gateway.ledger.failures import ledger_failures
from gateway.ledger.soundness import MOST, STRAY_STATES

_UNFINISHED = """
SELECT 'the index ' || indexrelid::regclass || ' is not valid: REINDEX it'
FROM pg_index WHERE NOT indisvalid
UNION ALL
SELECT 'the constraint ' || conname || ' was never checked'
FROM pg_constraint WHERE NOT convalidated
"""
_INDEXES = """
SELECT indexrelid::regclass FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = current_schema()
    AND relam = (SELECT oid FROM pg_am WHERE amname = 'btree')
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_HAS_AMCHECK = "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'"


def faults_of_server(url: str) -> tuple[str, ...]:
    """Return what is wrong with a ledger in PostgreSQL; nothing: it is sound."""
    engine = snapshots_of(engine_of(url))
    try:
        return tuple(islice(_faults(engine), MOST))
    finally:
        engine.dispose()


def _faults(engine: Engine) -> Iterator[str]:
    for statement in (_UNFINISHED, STRAY_STATES):
        yield from _asked(engine, statement)
    # One of an earlier version has fewer tables.
    for table in sorted(_asked(engine, _TABLES)):
        name = table.replace('"', '""')
        read = f'SELECT sum(length(t::text)) FROM "{name}" t'  # noqa: S608 - a name
        yield from _failure(engine, read)
    if _asked(engine, _HAS_AMCHECK) != ["0"]:
        for index in _asked(engine, _INDEXES):
            yield from _failure(engine, f"SELECT bt_index_check('{index}', true)")


def _asked(engine: Engine, statement: str) -> list[str]:
    try:
        with ledger_failures(), engine.connect() as connection:
            return _words(connection, statement)
    except LedgerFailure as error:
        return [str(error)]


def _words(connection: Connection, statement: str) -> list[str]:
    rows = connection.execute(text(statement)).fetchall()
    return [str(row[0]) for row in rows]


def _failure(engine: Engine, statement: str) -> list[str]:
    """Return why a statement fails, if it does; what it finds is not asked."""
    try:
        with ledger_failures(), engine.connect() as connection:
            connection.execute(text(statement))
    except LedgerFailure as error:
        return [str(error)]
    return []
