"""How the ledger's database is opened: durability, transactions, migrations."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import LedgerCorrupt, LedgerFailure

BUSY_SECONDS = 20
"""How long a writer waits for another; below the 30 s of a DIMSE time-out."""

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    # FULL: in WAL mode NORMAL may lose the last commits when the power fails
    # (sqlite.org/pragma.html#pragma_synchronous).
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


WHAT_TO_DO = (
    "stop the gateway, then run `maira-gateway doctor`, which says what can be done"
)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Primary result codes (sqlite.org/rescode.html)."""


@contextmanager
def ledger_failures() -> Iterator[None]:
    """Turn what the database says into `LedgerFailure`.

    Only the driver's words are passed on: the statement's parameters may hold
    identifiers of patients.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or type(error).__name__
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_READONLY:
            raise LedgerFailure(
                f"the ledger failed: {cause}: let this user write the file of the "
                "ledger and its folder, then start the gateway again"
            ) from error
        if code in _DAMAGED:
            raise LedgerCorrupt(f"the ledger is damaged ({cause}): {WHAT_TO_DO}") from (
                error
            )
        raise LedgerFailure(f"the ledger failed: {cause}") from error
    except ImportError as error:
        raise LedgerFailure(
            f"the driver of the ledger's database is not installed: {error}"
        ) from error
    except CommandError as error:
        raise LedgerFailure(
            f"the ledger's version is not known here ({error}); it was made by a "
            "newer gateway: install that version, or restore an earlier copy"
        ) from error


def open_engine(url: str) -> Engine:
    """Return an engine whose ledger is migrated to the newest version.

    Raises LedgerFailure where the database cannot be opened, cannot keep a
    write-ahead log, or was made by a newer gateway.
    """
    with ledger_failures():
        engine = create_engine(url, hide_parameters=True)
        if engine.dialect.name == "sqlite":
            _create_private(engine.url.database)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            event.listen(engine, "handle_error", _drop_read_only)
        try:
            with engine.connect() as connection:
                migrate(connection)
        except BaseException:
            engine.dispose()
            raise
    return engine


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the ledger to `revision`, in one transaction.

    Two processes that start at once do it one after the other.
    """
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    connection.execution_options(writing=True)
    with connection.begin():
        command.upgrade(config, revision)


def empty_log(engine: Engine) -> bool:
    """Bring SQLite's write-ahead log into its file and empty it; false while read."""
    if engine.dialect.name != "sqlite":
        return True
    with engine.connect() as connection:
        dbapi = connection.connection.dbapi_connection
        if dbapi is None:
            return False
        cursor = dbapi.cursor()
        try:
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
