"""A look at a ledger that changes nothing: it is there or not, and of what version."""

from enum import Enum
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url

from gateway.errors import LedgerFailure
from gateway.ledger.engine import engine_of
from gateway.ledger.failures import ledger_failures

_MIGRATIONS = Path(__file__).parent / "migrations"


class LedgerStanding(Enum):
    """What `serve` will do with a ledger."""

    ABSENT = "there is none yet; serve makes it"
    CURRENT = "can be opened"
    OLDER = "can be opened; serve migrates it"


def probe_ledger(url: str) -> LedgerStanding:
    """Say where the ledger at an SQLAlchemy URL stands; nothing is made or migrated.

    Raises LedgerFailure where it cannot be opened or was made by a newer gateway.
    """
    with ledger_failures():
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return _standing(engine_of(url))
        file = Path(parsed.database or "")
        if not file.exists():
            return LedgerStanding.ABSENT
        # A URI, so that SQLite opens the file to read alone; one that nobody has open
        # (no log beside it) without making a log (sqlite.org/uri.html).
        query = {"mode": "ro", "uri": "true"}
        if not file.with_name(f"{file.name}-wal").exists():
            query["immutable"] = "1"
        only_read = parsed.set(database=file.resolve().as_uri(), query=query)
        return _standing(create_engine(only_read, hide_parameters=True))


def _standing(engine: Engine) -> LedgerStanding:
    try:
        with engine.connect() as connection:
            held = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    scripts = ScriptDirectory.from_config(_config())
    if held is None:
        return LedgerStanding.ABSENT
    if held == scripts.get_current_head():
        return LedgerStanding.CURRENT
    if held not in {each.revision for each in scripts.walk_revisions()}:
        raise LedgerFailure(f"version {held!r} was made by a newer gateway")
    return LedgerStanding.OLDER


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
