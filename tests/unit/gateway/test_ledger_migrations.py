"""A ledger of every earlier version, with a row in each table, read by this one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Table,
    insert,
    select,
)
from sqlalchemy.types import TypeEngine

from gateway.audit.leaf import leaf_of
from gateway.ledger import Ledger
from gateway.ledger import engine as opening
from gateway.ledger.columns import metadata
from gateway.ledger.engine import engine_of, migrate, open_engine
from tests.data.ledgers import empty_url_of, url_of

MOMENT = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


def revisions() -> list[str]:
    """Return the versions before the newest, the oldest first."""
    config = Config()
    folder = Path(opening.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    walked = ScriptDirectory.from_config(config).walk_revisions()
    return [each.revision for each in walked][:0:-1]


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Engine]:
    """A database that is opened as the ledger's is, and not migrated."""
    engine = engine_of(empty_url_of(tmp_path))
    yield engine
    engine.dispose()


def value_of(table: str, name: str, type_: TypeEngine[object]) -> object:
    """Return a value for a column, such as the schema of today can read."""
    type_name = str(type_).partition("(")[0]
    today = metadata.tables[table].c.get(name) if table in metadata.tables else None
    words = getattr(getattr(today, "type", None), "enums", None)
    if words:
        return words[0]
    if name == "only":
        return 1
    match type_name:
        case "INTEGER" | "BIGINT":
            return 1
        case "BOOLEAN":
            return True
        case "DATETIME" | "TIMESTAMP":
            return MOMENT
        case _:
            return name[: getattr(type_, "length", None) or 16]


def fill(connection: Connection) -> dict[str, dict[str, object]]:
    """Put a row into every table as the database describes it."""
    found = MetaData()
    found.reflect(connection)
    rows = {}
    for table in found.sorted_tables:
        if table.name != "alembic_version":
            rows[table.name] = _put_row(connection, table)
    return rows


def _put_row(connection: Connection, table: Table) -> dict[str, object]:
    row = {
        column.name: value_of(table.name, column.name, column.type)
        for column in table.columns
    }
    there = connection.execute(select(table)).mappings().first()
    if there is not None:  # the migration made it
        return dict(there)
    connection.execute(insert(table), row)
    return row


def test_there_is_an_earlier_version() -> None:
    assert revisions()[0] == "0001"


@pytest.mark.parametrize("revision", revisions())
def test_each_row_of_an_earlier_ledger_is_there_after_the_upgrade(
    revision: str, old: Engine, tmp_path: Path
) -> None:
    with old.connect() as connection:
        migrate(connection, revision)
    with old.begin() as connection:
        kept = fill(connection)
    assert len(kept) >= 9
    old.dispose()
    new = open_engine(url_of(tmp_path))
    with new.connect() as connection:
        for name, row in kept.items():
            read = connection.execute(select(metadata.tables[name])).mappings().one()
            wanted = _upgraded(row)
            assert {key: _plain(read[key]) for key in wanted} == {
                key: _plain(value) for key, value in wanted.items()
            }, name
    new.dispose()


def _upgraded(row: dict[str, object]) -> dict[str, object]:
    """Return a row as it is to be read today: a digest names its kind since 0004."""
    if "sha256" not in row:
        return row
    rest = {key: value for key, value in row.items() if key != "sha256"}
    return {**rest, "digest": f"sha256:{row['sha256']}"}


def _plain(value: object) -> object:
    """Return what is compared: the word of an enumeration, a head that was counted."""
    return getattr(value, "value", value)


def test_each_record_that_is_here_gets_its_leaf(old: Engine, tmp_path: Path) -> None:
    with old.connect() as connection:
        migrate(connection, "0006")
    with old.begin() as connection:
        fill(connection)
        audit = Table("audit", MetaData(), autoload_with=connection)
        row = dict(connection.execute(select(audit)).mappings().one())
        connection.execute(insert(audit), [{**row, "sequence": n} for n in range(2, 9)])
    old.dispose()
    new = open_engine(url_of(tmp_path))
    with new.connect() as connection:
        rows = connection.execute(select(metadata.tables["audit"])).all()
    new.dispose()
    assert len(rows) == 8
    assert [r.leaf for r in rows] == [leaf_of(r._asdict()).hex() for r in rows]


REPORTS = """[
  {"task": "grounded-findings", "phrases": [{}, {}, {}], "flags": [{}]},
  {"task": "findings", "phrases": [{}], "flags": []},
  {"task": "phrase-grounding", "phrases": [{}, {}, {}, {}], "flags": [{}]}
]"""
VIEWS = """{"frontal": {"accession_number": "ACC-7"}, "lateral": null}"""


@pytest.mark.parametrize(
    ("bodies", "shown"),
    [
        # Three sentences of one task, one of the other: three findings. Two flags.
        ({"reports": REPORTS, "views": VIEWS}, (3, 2, "ACC-7")),
        ({"views": VIEWS}, (None, None, "ACC-7")),
        ({"reports": "[]", "views": "no JSON"}, (0, 0, None)),
        ({"reports": "[{}]", "views": "{}"}, (None, None, None)),
    ],
)
def test_what_the_list_shows_is_counted_from_what_is_kept(
    bodies: dict[str, str],
    shown: tuple[int | None, int | None, str | None],
    old: Engine,
    tmp_path: Path,
) -> None:
    with old.connect() as connection:
        migrate(connection, "0005")
    with old.begin() as connection:
        fill(connection)
        found = MetaData()
        found.reflect(connection)
        documents = found.tables["documents"]
        connection.execute(documents.delete())
        connection.execute(
            insert(documents),
            [
                {"study_id": 1, "revision": 1, "document": document, "body": body}
                for document, body in bodies.items()
            ],
        )
    old.dispose()
    ledger = Ledger.open(url_of(tmp_path))
    with ledger.reading() as rows:
        study = rows.study_by_id(1)
    ledger.close()
    assert (study.findings, study.flags, study.accession_number) == shown
