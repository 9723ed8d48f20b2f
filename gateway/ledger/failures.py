"""What a database says of a failure, as errors of ours; values stay out of them."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import LedgerCorrupt, LedgerFailure

WHAT_TO_DO = (
    "stop the gateway, then run `maira-gateway doctor`, which says what can be done"
)

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Primary result codes (sqlite.org/rescode.html)."""
_DAMAGED_STATES = ("XX001", "XX002")
"""data_corrupted, index_corrupted (postgresql.org/docs/15/errcodes-appendix.html)."""
_ONLY_READS = "25006"
_WRONG_DATA = "22"
_WAITED_TOO_LONG = "55P03"


@contextmanager
def ledger_failures() -> Iterator[None]:
    """Turn what the database says into `LedgerFailure`.

    Only the driver's words are passed on: the statement's parameters, and the details
    of PostgreSQL, may hold identifiers of patients.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        if isinstance(cause, Exception) and hasattr(cause, "sqlstate"):
            raise _of_postgresql(cause) from None
        raise _of_sqlite(cause or type(error).__name__) from error
    except ImportError as error:
        raise LedgerFailure(
            f"the driver of the ledger's database is not installed: {error}; "
            "pip install 'maira-gateway[postgresql]'"
        ) from error
    except CommandError as error:
        raise LedgerFailure(
            f"the ledger's version is not known here ({error}); it was made by a "
            "newer gateway: install that version, or restore an earlier copy"
        ) from error


def waited_too_long(error: SQLAlchemyError) -> bool:
    """Whether PostgreSQL says that somebody else held what was wanted."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) == _WAITED_TOO_LONG


def _of_sqlite(cause: object) -> LedgerFailure:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_READONLY:
        return LedgerFailure(
            f"the ledger failed: {cause}: let this user write the file of the "
            "ledger and its folder, then start the gateway again"
        )
    if code in _DAMAGED:
        return LedgerCorrupt(f"the ledger is damaged ({cause}): {WHAT_TO_DO}")
    return LedgerFailure(f"the ledger failed: {cause}")


def _of_postgresql(cause: Exception) -> LedgerFailure:
    words, state = _words_of(cause), getattr(cause, "sqlstate", None)
    if state in _DAMAGED_STATES:
        return LedgerCorrupt(f"the ledger is damaged ({words}): {WHAT_TO_DO}")
    return LedgerFailure(f"the ledger failed: {words}{_advice(words, state)}")


def _words_of(cause: Exception) -> str:
    """Return the first line of the server, or the name of its error.

    Its details quote rows; what is said of wrong data may quote a value.
    """
    state = getattr(cause, "sqlstate", None)
    if state is None:  # there is no connection, or it was lost
        return next(iter(str(cause).splitlines()), type(cause).__name__)
    if state.startswith(_WRONG_DATA):
        return re.sub(r"(?<!^)(?=[A-Z])", " ", type(cause).__name__).lower()
    diag = getattr(cause, "diag", None)
    return getattr(diag, "message_primary", None) or type(cause).__name__


def _advice(words: str, state: str | None) -> str:
    if state == _ONLY_READS:
        return (
            ": it only reads, as a standby does: name every server in ledger.url, with "
            "target_session_attrs=read-write"
        )
    if state == _WAITED_TOO_LONG:
        return ": another writer holds the ledger"
    if state is None and "password" in words:
        return ": name ledger.password_file, or set MAIRA_GATEWAY_LEDGER_URL"
    return ""
