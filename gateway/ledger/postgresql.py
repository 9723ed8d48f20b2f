"""How a ledger in PostgreSQL is opened: one writer, durable commits, lost servers.

Writers of all hosts take turns by a lock of the database, as those of SQLite do by its
file. Readers see one snapshot. Only a claim runs beside a writer: it takes rows that
nobody holds, and waits for none.
"""

import psycopg
from psycopg.types.string import StrDumper
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import LedgerFailure
from gateway.ledger.failures import waited_too_long

DRIVER = "postgresql+psycopg"

_ANSWER_SECONDS = 5
"""How long one host of the URL may take to accept a connection."""
_LOST = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""A server that fell silent is noticed within 15 s: below a DIMSE time-out of 30 s
(postgresql.org/docs/15/libpq-connect.html)."""
_IDLE_WRITER_SECONDS = 60
"""A writer whose host fell silent loses its transaction, so that others go on."""
_KEYS_SECONDS = 2
_WRITER = 0x6D61697261
"""The advisory lock of whoever writes: "maira"."""

_PREPARED = """
SELECT set_config('TimeZone', 'UTC', false),
    set_config('lock_timeout', %s, false),
    set_config('tcp_keepalives_idle', '5', false),
    set_config('tcp_keepalives_interval', '2', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false),
    current_setting('server_encoding'), current_setting('fsync')
"""
_LIMITED = (
    "SELECT set_config('idle_in_transaction_session_timeout', "
    f"'{_IDLE_WRITER_SECONDS}s', true)"
)
_TURN = f"{_LIMITED}, pg_advisory_xact_lock({_WRITER})"


def postgresql_engine(url: URL, busy_seconds: float) -> Engine:
    """Return an engine whose connections are looked at before each use.

    busy_seconds : how long anybody waits for a lock. Nothing is asked of the server
    yet. There is no limit of time for a statement: one that is cancelled while a
    COMMIT waits for a standby is committed here alone, and says so in a warning.
    """
    ours = {"application_name": "maira-gateway", "connect_timeout": _ANSWER_SECONDS}
    engine = create_engine(
        url.set(drivername=DRIVER),
        hide_parameters=True,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={
            name: value
            for name, value in {**ours, **_LOST}.items()
            if name not in url.query
        },
    )

    def prepare(dbapi: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        _prepare(dbapi, busy_seconds)

    # First of all: what SQLAlchemy asks next fails in a database of bytes.
    event.listen(engine, "connect", prepare, insert=True)
    event.listen(engine, "begin", _begin)
    return engine


def rewrite_keys(engine: Engine) -> bool:
    """Write the table of patients' keys anew, without what was overwritten in it.

    False where somebody reads it just now: writers queue behind who waits for it, so
    that is not waited for as long as for other locks. The server's log of writes holds
    the rest until it comes round (docs/operations.md).
    """
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed in the end, with its own limit
        connection.exec_driver_sql(f"SET lock_timeout = '{_KEYS_SECONDS}s'")
        try:
            connection.exec_driver_sql("VACUUM (FULL) patient_keys")
        except OperationalError as error:
            if waited_too_long(error):
                return False
            raise
    return True


class _Text(StrDumper):
    """Text as PostgreSQL can keep it: U+FFFD for U+0000, which it has no place for."""

    def dump(self, obj: str) -> "bytes | bytearray | memoryview | None":
        return super().dump(obj.replace("\0", "\ufffd"))


def _prepare(dbapi: object, busy_seconds: float) -> None:
    """Set what each connection needs; refuse a server that keeps nothing."""
    if not isinstance(dbapi, psycopg.Connection):
        raise LedgerFailure(f"a ledger in PostgreSQL needs the driver {DRIVER}")
    dbapi.adapters.register_dumper(str, _Text)
    dbapi.autocommit = True
    try:
        wait = str(int(busy_seconds * 1000))
        row = dbapi.execute(_PREPARED, (wait,)).fetchone()
    finally:
        dbapi.autocommit = False
    encoding, fsync = (row or ("", ""))[-2:]
    if encoding != "UTF8":
        raise LedgerFailure(
            "the ledger needs a database in UTF8: "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    if fsync != "on":
        raise LedgerFailure(
            "the ledger's server runs with fsync off, and would lose at a power cut "
            "what senders were told is kept: set fsync = on"
        )


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("writing", False):
        connection.exec_driver_sql(_TURN)
    elif options.get("claiming", False):
        connection.exec_driver_sql(_LIMITED)
