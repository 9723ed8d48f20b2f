"""The parts of docs/ that are written from the code's own tables.

`python -m gate.pages` rewrites them between their marks; a test demands that
they are current.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pydicom.uid import UID

from dicom_io.contexts import (
    ENCAPSULATED_CLASSES,
    FILM_CLASSES,
    FRAMES_CLASSES,
    IMAGE_SYNTAXES,
    KEY_OBJECT_CLASSES,
    PLAIN_SYNTAXES,
    REPORT_CLASSES,
    STATE_CLASSES,
)
from dicom_io.identity import VERDICTS, Comparison
from dicom_io.status import Status
from gate import conformance
from gateway.accounts.roles import PERMISSIONS, AccountRole, Permission
from gateway.failpoints import FAILPOINTS
from gateway.lifecycle import FINAL, WAITING_FOR_A_PERSON, State
from gateway.lifecycle_diagram import mermaid_diagram
from model.report import FlagKind

DOCS = Path(__file__).parent.parent / "docs"
DEFAULTS = DOCS.parent / "config" / "default.toml"

_PART = re.compile(r"(<!-- from the code: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_KEY = re.compile(r"(# )?(\w+) = (.+)")
_TABLE = re.compile(r"(# )?\[([\w.]+)\]")


def rewritten(text: str) -> str:
    """Return a page with each part between its marks as the code has it now."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}\n{part[3]}", text)


def pages() -> list[Path]:
    """Return the pages that have a part from the code."""
    return [
        path for path in sorted(DOCS.glob("*.md")) if _PART.search(path.read_text())
    ]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def settings_table() -> str:
    """Return every key of config/default.toml: its default and its meaning."""
    rows = [
        (f"`{key}`", f"`{value}`", meaning)
        for key, value, meaning in documented_keys(DEFAULTS.read_text("utf-8"))
    ]
    return table(("key", "default", "meaning"), rows)


def documented_keys(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (dotted key, default, comment) of a commented TOML file.

    A key without a comment of its own shares the one above it; what stands above
    an empty comment line is about the whole table. Tables and keys that are
    commented out are examples: yielded too, with their example value.
    """
    above, comment, fresh = "", "", True
    for line in text.splitlines():
        if found := _TABLE.fullmatch(line):
            above, comment, fresh = f"{found[2]}.", "", True
        elif found := _KEY.fullmatch(line):
            value, _, note = found[3].partition("  # ")
            meaning = note.strip() or comment
            yield above + found[2], value.strip(), meaning
            fresh = True
        elif line == "#":
            fresh = True
        elif line.startswith("# "):
            comment = line[2:] if fresh else f"{comment} {line[2:]}"
            fresh = False


def default_keys() -> Iterator[str]:
    """Yield the dotted name of every key that has a default."""
    yield from _dotted(tomllib.loads(DEFAULTS.read_text("utf-8")))


def class_table() -> str:
    """Return the storage classes that the listener accepts."""
    kinds = {
        "film": FILM_CLASSES,
        "film, frames": FRAMES_CLASSES,
        "report": REPORT_CLASSES,
        "report, encapsulated": ENCAPSULATED_CLASSES,
        "presentation state": STATE_CLASSES,
        "key object selection": KEY_OBJECT_CLASSES,
    }
    rows = [
        (UID(uid).name, f"`{uid}`", kind)
        for kind, uids in kinds.items()
        for uid in uids
    ]
    return table(("SOP class", "UID", "taken as"), rows)


def syntax_table() -> str:
    """Return the transfer syntaxes in the order of preference."""
    rows = [
        (UID(uid).name, f"`{uid}`", "all" if uid in PLAIN_SYNTAXES else "films")
        for uid in IMAGE_SYNTAXES
    ]
    return table(("transfer syntax", "UID", "for"), rows)


def status_table() -> str:
    """Return the statuses that a C-STORE to this node may be answered."""
    rows = [(f"`{int(s):04X}`", s.meaning, s.section) for s in Status]
    return table(("status", "meaning", "source"), rows)


def lifecycle_diagram() -> str:
    """Return the machine of gateway/lifecycle.py as a Mermaid state diagram."""
    return f"```mermaid\n{mermaid_diagram()}```"


def state_table() -> str:
    """Return every state: who ends it."""
    rows = [(f"`{state}`", _ended_by(state)) for state in State]
    return table(("state", "ended by"), rows)


def failpoint_table() -> str:
    """Return every point where a test may kill the gateway: what is true there."""
    rows = [(f"`{name}`", meaning) for name, meaning in FAILPOINTS.items()]
    return table(("point", "what is true there"), rows)


def identity_table() -> str:
    """Return the verdict of the identity guard for each attribute and case."""
    rows = [
        (f"`{key}`", *(verdicts[comparison] for comparison in Comparison))
        for key, verdicts in VERDICTS.items()
    ]
    return table(("attribute", *(c.replace("-", " ") for c in Comparison)), rows)


def role_table() -> str:
    """Return what each role of an account may do."""
    rows = [
        (f"`{each}`", *("yes" if each in PERMISSIONS[r] else "" for r in AccountRole))
        for each in Permission
    ]
    return table(("permission", *AccountRole), rows)


def flag_list() -> str:
    """Return the names of the report's flags."""
    return ", ".join(f"`{kind}`" for kind in FlagKind) + "."


def configuration_table(*tables: str) -> Callable[[], str]:
    """Return a function that lists the keys of some tables of the settings."""

    def listed() -> str:
        rows = [
            (f"`{key}`", f"`{value}`", meaning)
            for key, value, meaning in documented_keys(DEFAULTS.read_text("utf-8"))
            if key.partition(".")[0] in tables
        ]
        return table(("key", "default", "meaning"), rows)

    return listed


def _written(make: Callable[[], conformance.Table]) -> Callable[[], str]:
    return lambda: table(*make())


PARTS: dict[str, Callable[[], str]] = {
    **{name: _written(make) for name, make in conformance.TABLES.items()},
    "network-settings": configuration_table("listener", "peers", "archive"),
    "settings": settings_table,
    "sop-classes": class_table,
    "transfer-syntaxes": syntax_table,
    "statuses": status_table,
    "lifecycle": lifecycle_diagram,
    "states": state_table,
    "identity": identity_table,
    "failpoints": failpoint_table,
    "flags": flag_list,
    "roles": role_table,
}
"""Mark in a page -> what stands there."""


def main() -> int:
    """Rewrite the pages in place."""
    for path in pages():
        path.write_text(rewritten(path.read_text("utf-8")), "utf-8")
        print(path.name)
    return 0


def _ended_by(state: State) -> str:
    if state in WAITING_FOR_A_PERSON:
        return "a person"
    if state in FINAL:
        return "a new image, a person or the retention time"
    return "the quiet period" if state is State.RECEIVING else "a worker"


def _dotted(values: dict[str, object], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
