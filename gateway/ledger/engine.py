"""How the ledger's database is opened: durability, transactions, migrations."""

import sqlite3
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    RootTransaction,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import LedgerFailure
from gateway.ledger.failures import ledger_failures

BUSY_SECONDS = 20
"""How long a writer waits for another; below the 30 s of a DIMSE time-out."""

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    # FULL: in WAL mode NORMAL may lose the last commits when the power fails
    # (sqlite.org/pragma.html#pragma_synchronous).
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


def open_engine(url: str) -> Engine:
    """Return an engine whose ledger is migrated to the newest version.

    Raises LedgerFailure where the database cannot be opened, cannot keep what it is
    told, or was made by a newer gateway.
    """
    with ledger_failures():
        engine = engine_of(url)
        try:
            with engine.connect() as connection:
                migrate(connection)
        except BaseException:
            engine.dispose()
            raise
    return engine


def engine_of(url: str) -> Engine:
    """Return an engine for a ledger as it is; the file of SQLite is made.

    Raises LedgerFailure for a database of another kind.
    """
    parsed = make_url(url)
    if is_postgresql(parsed):
        from gateway.ledger.postgresql import postgresql_engine  # noqa: PLC0415 - optional

        return postgresql_engine(parsed, BUSY_SECONDS)
    if parsed.get_backend_name() != "sqlite":
        raise LedgerFailure(
            "a ledger lies in SQLite or in PostgreSQL, not in "
            f"{parsed.get_backend_name()}: set ledger.url"
        )
    _create_private(parsed.database)
    engine = create_engine(parsed, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "handle_error", _drop_read_only)
    return engine


def is_postgresql(url: URL | str) -> bool:
    """Whether a URL names a database of PostgreSQL, by whichever driver."""
    return make_url(url).get_backend_name() == "postgresql"


def snapshots_of(engine: Engine) -> Engine:
    """Return the engine for readers: each of their transactions is one snapshot.

    One of SQLite always is.
    """
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


def time_of_server(connection: Connection) -> datetime:
    """Return the present moment by the clock of PostgreSQL, aware, UTC."""
    found: datetime = connection.scalars(select(func.clock_timestamp())).one()
    return found.astimezone(UTC)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the ledger to `revision`, in one transaction.

    Two processes that start at once do it one after the other.
    """
    connection.execution_options(writing=True)
    with connection.begin():
        if revision == "head" and _is_newest(connection):
            return
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _is_newest(connection: Connection) -> bool:
    """Whether nothing is to be done: to find that out, alembic loads every step."""
    return MigrationContext.configure(connection).get_current_revision() == _newest()


@cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.set_main_option("path_separator", "os")
    return config


def forget_deleted(engine: Engine) -> bool:
    """Bring what was deleted out of the files of the database; false while read."""
    if is_postgresql(engine.url):
        from gateway.ledger.postgresql import rewrite_keys  # noqa: PLC0415 - optional

        return rewrite_keys(engine)
    with engine.connect() as connection:
        dbapi = connection.connection.dbapi_connection
        if dbapi is None:
            return False
        cursor = dbapi.cursor()
        try:
            # The write-ahead log goes into the file, and is emptied.
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (busy, *_) = cursor.fetchone() or (1,)
            return not busy
        finally:
            cursor.close()


def _create_private(database: str | None) -> None:
    """Make the file for this user only; its log and index inherit that."""
    if database is None or database == ":memory:":
        return
    try:
        Path(database).touch(mode=0o600)
    except OSError as error:
        raise LedgerFailure(f"the ledger cannot be opened: {error}") from error


def _prepare_sqlite(dbapi: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # None: the driver begins no transaction by itself; `_begin_sqlite` does.
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.execute("PRAGMA journal_mode = WAL")
        if (mode := cursor.fetchone()) != ("wal",):
            raise LedgerFailure(
                f"the ledger needs a file with a write-ahead log, not {mode!r}: "
                "put it on a local disk"
            )
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once, so no read of its can be overtaken.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def begin_writing(connection: Connection) -> RootTransaction:
    """Begin the write transaction, on a new connection where the old may only read.

    SQLite opens a file for reading alone where it could not be opened for a moment;
    a connection that is kept would refuse to write for as long as it lives.
    """
    connection.execution_options(writing=True)
    try:
        return _begin_able(connection)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _begin_able(connection)


def _begin_able(connection: Connection) -> RootTransaction:
    """Begin, and let SQLite say now whether it may write: its BEGIN does not."""
    transaction = connection.begin()
    if connection.dialect.name == "sqlite":
        try:
            connection.exec_driver_sql("DELETE FROM alembic_version WHERE false")
        except BaseException:
            transaction.rollback()
            raise
    return transaction


def _drop_read_only(context: ExceptionContext) -> None:
    """Keep no connection that may only read, nor any that was opened before."""
    code = getattr(context.original_exception, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_READONLY:
        context.is_disconnect = True
