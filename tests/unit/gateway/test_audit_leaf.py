"""The bytes that are hashed of a record: every column, in one way only."""

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.leaf import canonical, leaf_of
from gateway.ledger import schema

ROW: dict[str, object] = {
    "sequence": 7,
    "recorded_at": datetime(2026, 3, 2, 10, 30, tzinfo=UTC),
    "event": "110103",
    "event_type": None,
    "action": "R",
    "outcome": 0,
    "study_instance_uid": None,
    "user": 'M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller "x"',
    "detail": "",
    "message": "<AuditMessage/>",
}

BYTES = (
    b'{"action":"R","detail":"","event":"110103","message":"<AuditMessage/>",'
    b'"outcome":0,"recorded_at":"2026-03-02T10:30:00.000000Z","sequence":7,'
    b'"user":"M\\u00fcller \\"x\\"","v":1}'
)
"""Written by hand from the rules at the top of the module."""

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def test_the_bytes_are_those_of_the_rules() -> None:
    assert canonical(ROW) == BYTES


def test_a_leaf_is_hashed_with_the_prefix_of_a_leaf() -> None:
    assert leaf_of(ROW) == sha256(b"\x00" + BYTES).digest()


def test_a_time_is_the_same_in_every_zone_and_as_the_database_gives_it() -> None:
    elsewhere = datetime(2026, 3, 2, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    naive = datetime(2026, 3, 2, 10, 30)  # noqa: DTZ001 - as SQLite gives it
    assert canonical({**ROW, "recorded_at": elsewhere}) == BYTES
    assert canonical({**ROW, "recorded_at": naive}) == BYTES


@pytest.mark.parametrize(
    "column", [each.name for each in schema.audit.columns if each.name != "leaf"]
)
def test_each_column_of_the_table_is_covered(column: str) -> None:
    """A column that is added later too: nothing of a record may be left out."""
    assert leaf_of({**ROW, column: "other"}) != leaf_of(ROW)


def test_a_column_that_holds_nothing_changes_no_leaf() -> None:
    assert leaf_of({**ROW, "of_a_later_version": None}) == leaf_of(ROW)
    assert leaf_of({**ROW, "of_a_later_version": ""}) != leaf_of(ROW)


@given(
    st.fixed_dictionaries(
        {"sequence": st.integers(1), "user": texts, "detail": texts, "message": texts}
    )
)
def test_the_record_can_be_read_back_from_its_bytes(row: dict[str, object]) -> None:
    """So no two records have the same bytes."""
    read = json.loads(canonical(row))
    assert read.pop("v") == 1
    assert read == {key: value for key, value in row.items() if value is not None}


def test_the_bytes_are_one_line() -> None:
    line = canonical({**ROW, "detail": "a\nb\u2028c\x85"})
    assert len(line.splitlines()) == len(line.decode().splitlines()) == 1


def test_what_no_column_holds_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical({**ROW, "detail": b"bytes"})
