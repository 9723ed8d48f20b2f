"""What docs/operations.md quotes is what the code says."""

import re

import pytest

from gate.pages import DOCS, default_keys
from gate.tree import PACKAGES

PAGE = (DOCS / "operations.md").read_text("utf-8")
SOURCE = "".join(
    path.read_text("utf-8")
    for package in PACKAGES
    for path in sorted((DOCS.parent / package).rglob("*.py"))
)


def quoted(heading: str) -> list[str]:
    """Return what stands in code marks in the first column of a section's table."""
    section = PAGE.split(f"### {heading}\n")[1].split("\n#")[0]
    first = [line.split("|")[1] for line in section.splitlines() if line[:1] == "|"]
    return [phrase for cell in first for phrase in re.findall("`([^`]+)`", cell)]


@pytest.mark.parametrize("heading", ["Lines of the log", "Why a study is parked"])
def test_each_line_and_reason_of_the_tables_is_one_of_the_code(heading: str) -> None:
    phrases = quoted(heading)
    assert len(phrases) > 5
    assert [phrase for phrase in phrases if phrase not in SOURCE] == []


def test_each_setting_that_is_named_is_one() -> None:
    tables = {key.partition(".")[0] for key in default_keys()}
    named = re.findall(r"`([a-z_]+)\.([a-z_]+)`", PAGE)
    keys = {f"{table}.{key}" for table, key in named if table in tables}
    assert len(keys) > 5
    assert sorted(keys - {*default_keys(), "listener.tls", "ledger.sqlite"}) == []
