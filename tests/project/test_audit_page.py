"""The table of docs/audit.md is what the kinds of messages are."""

import re

from gate.pages import DOCS, table
from gateway.audit import kinds
from gateway.audit.message import AuditEntry
from tests.data.audit_examples import EXAMPLES

PAGE = (DOCS / "audit.md").read_text("utf-8")


def row_of(name: str) -> tuple[str, ...]:
    """Return one kind: its codes in all forms, and what it is for."""
    made = [form("ann") for form in EXAMPLES[name]]
    said = str(getattr(kinds, name).__doc__).splitlines()[0]
    meaning = said.removeprefix("Record ").removeprefix("that ")
    return (
        f"`{name}`",
        _each(made, "event"),
        _each(made, "event_type"),
        _each(made, "action"),
        _each(made, "outcome"),
        re.sub(r" \((PS3\.15 )?A\.5[.0-9]*\)", "", meaning),
    )


def _each(made: list[AuditEntry], column: str) -> str:
    found = {getattr(entry, column) for entry in made}
    return ", ".join(sorted(str(each) for each in found if each is not None))


def kinds_table() -> str:
    headings = ("kind", "event", "type", "action", "outcome", "it is recorded")
    ordered = sorted(EXAMPLES, key=lambda name: (row_of(name)[1], name))
    return table(headings, map(row_of, ordered))


def test_the_page_lists_every_kind_as_it_is() -> None:
    (shown,) = re.findall(r"<!-- kinds -->\n(.*?)\n?<!-- end -->", PAGE, re.DOTALL)
    assert shown == kinds_table(), "put this table there"
