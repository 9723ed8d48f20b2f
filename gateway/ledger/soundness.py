"""Whether the file of a ledger is sound, asked of SQLite itself; changes nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.ledger.engine import BUSY_SECONDS

MOST = 5
"""Faults that are named; a damaged file has hundreds."""


def faults_of(ledger: Path, *, thorough: bool) -> tuple[str, ...]:
    """Return what SQLite finds wrong with a ledger's file; nothing: it is sound.

    thorough : also compare each index with its table (`integrity_check` instead of
    `quick_check`, sqlite.org/pragma.html). Both read the whole file. A file that
    another process holds is waited for, and is a fault where that takes too long.
    """
    pragma = "integrity_check" if thorough else "quick_check"
    uri = f"{ledger.resolve().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, BUSY_SECONDS, uri=True)) as opened:
            rows = opened.execute(f"PRAGMA {pragma}({MOST})").fetchall()
            rows += opened.execute("PRAGMA foreign_key_check").fetchmany(MOST)
            rows += opened.execute(STRAY_STATES).fetchmany(MOST)
    except sqlite3.Error as error:
        return (str(error),)
    return tuple(" ".join(map(str, row)) for row in rows if row != ("ok",))


STRAY_STATES = """
SELECT 'study ' || study_instance_uid || ' is ' || state || ', its last move says '
    || to_state
FROM studies JOIN moves ON moves.id =
    (SELECT max(id) FROM moves WHERE study_id = studies.id)
WHERE to_state <> state
"""
"""A move and the state that it leads to are one transaction: they cannot differ."""
