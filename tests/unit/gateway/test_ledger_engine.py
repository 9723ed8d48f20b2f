"""How the ledger is opened: durability, migrations, and what can be wrong."""

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, event, inspect, text

from gateway.errors import LedgerFailure
from gateway.ledger import Ledger
from gateway.ledger.columns import metadata
from gateway.ledger.engine import open_engine
from tests.data.ledgers import STUDY_UID, given_study, is_of, only_sqlite, url_of


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(url_of(tmp_path))
    yield engine
    engine.dispose()


@only_sqlite
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),  # 2 is FULL (sqlite.org/pragma.html#pragma_synchronous)
        ("foreign_keys", 1),
        ("busy_timeout", 20_000),
    ],
)
def test_every_connection_is_durable_and_strict(
    engine: Engine, pragma: str, value: object
) -> None:
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            found = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
            assert found == value


def test_the_migrations_make_the_tables_of_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        fits = {"include_object": partial(is_of, connection.dialect.name)}
        context = MigrationContext.configure(connection, opts=fits)
        assert compare_metadata(context, metadata) == []


def test_every_table_comes_from_a_migration(engine: Engine) -> None:
    made = set(inspect(engine).get_table_names())
    assert made == {"alembic_version", *metadata.tables}


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    ledger = Ledger.open(url_of(tmp_path))
    study = given_study(ledger)
    ledger.close()
    again = Ledger.open(url_of(tmp_path))
    with again.reading() as rows:
        assert rows.study(STUDY_UID) == study
    again.close()


def test_a_ledger_of_a_newer_gateway_is_refused(tmp_path: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerFailure, match="newer gateway"):
        open_engine(url_of(tmp_path))


@only_sqlite
def test_a_ledger_in_memory_is_refused() -> None:
    with pytest.raises(LedgerFailure, match="write-ahead log"):
        open_engine("sqlite://")


@only_sqlite
def test_a_folder_that_is_missing_is_a_ledger_failure(tmp_path: Path) -> None:
    with pytest.raises(LedgerFailure, match="cannot be opened"):
        Ledger.open(url_of(tmp_path / "missing"))


@only_sqlite
def test_only_this_user_may_read_the_ledger(tmp_path: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO notes VALUES ('key', 'value')"))
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [
        "ledger.db",
        "ledger.db-shm",
        "ledger.db-wal",
    ]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


@only_sqlite
def test_a_file_that_is_no_database_is_a_ledger_failure(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database" * 500)
    with pytest.raises(LedgerFailure, match="not a database"):
        Ledger.open(url_of(tmp_path))


@only_sqlite
def test_a_ledger_that_another_process_holds_is_a_ledger_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ledger.engine._PRAGMAS", ("PRAGMA busy_timeout = 50",))
    ledger = Ledger.open(url_of(tmp_path))
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(LedgerFailure, match="locked"), ledger.writing():
            pass
    finally:
        other.execute("ROLLBACK")
        other.close()
    given_study(ledger)
    ledger.close()


@only_sqlite
def test_a_ledger_that_may_only_be_read_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger.open(url_of(tmp_path)).close()
    monkeypatch.setattr("gateway.ledger.engine._PRAGMAS", ("PRAGMA query_only = 1",))
    with pytest.raises(LedgerFailure, match="let this user write"):
        Ledger.open(url_of(tmp_path))


def test_a_failure_tells_nothing_of_what_was_to_be_written(tmp_path: Path) -> None:
    ledger = Ledger.open(url_of(tmp_path))
    with ledger.writing() as rows:
        rows._connection.execute(text("DROP TABLE notes"))
    with pytest.raises(LedgerFailure) as caught, ledger.writing() as rows:
        rows.remember("key", "DOE^JANE")
    assert "DOE" not in f"{caught.value} {caught.value.__cause__}"
    ledger.close()


@only_sqlite
def test_a_full_disk_fails_the_write_and_is_overcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own limit of pages stands for the disk: the same SQLITE_FULL."""
    Ledger.open(url_of(tmp_path)).close()
    monkeypatch.setattr(
        "gateway.ledger.engine._PRAGMAS", ("PRAGMA max_page_count = 1",)
    )
    full = Ledger.open(url_of(tmp_path))
    with pytest.raises(LedgerFailure, match="full"), full.writing() as rows:
        rows.remember("key", "x" * 100_000)
    full.close()
    monkeypatch.undo()
    roomy = Ledger.open(url_of(tmp_path))
    with roomy.writing() as rows:
        assert rows.recall("key") is None
        rows.remember("key", "x" * 100_000)
    roomy.close()


@only_sqlite
def test_a_connection_that_may_only_read_is_not_kept(tmp_path: Path) -> None:
    """SQLite opens a file for reading alone where it could not for a moment."""
    ledger = Ledger.open(url_of(tmp_path))
    file = tmp_path / "ledger.db"
    opened: list[str] = []

    @event.listens_for(ledger._engine, "do_connect")
    def connect(*_: object) -> sqlite3.Connection:
        opened.append("ro" if not opened else "rw")
        return sqlite3.connect(
            f"{file.as_uri()}?mode={opened[-1]}", uri=True, check_same_thread=False
        )

    ledger._engine.dispose()
    study = given_study(ledger)
    with ledger.reading() as rows:
        assert rows.study(STUDY_UID) == study
    assert opened == ["ro", "rw"]
    ledger.close()
