"""Reports to compare, and the two plain forms in which anybody can give them.

A CSV with a text a study, and the grounded JSON of RadFact's own tool; a folder
with one text file a study. Every error names the file and where in it.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import TypeVar

from gateway.evaluation.errors import BadSource
from model.radfact.values import Rectangle, Report, Sentence

Kind = TypeVar("Kind")

ID_COLUMNS = ("study_id", "example_id")
_CORNERS = ("x_min", "y_min", "x_max", "y_max")
_SLACK = 0.01
"""A coordinate that is outside of its frame by less lies on the edge."""


class Part(StrEnum):
    """Which side a source stands for; the value is its column in RadFact's files."""

    GENERATED = "prediction"
    REFERENCE = "target"


class BoxFrame(StrEnum):
    """What boxes are shares of."""

    IMAGE = "image"
    """The stored frontal image."""
    CROP = "crop"
    """The square that the model was shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenReport:
    """A report as it came: `text` to be split, or `sentences`; never both."""

    text: str | None = None
    sentences: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A study without a report that could be used, and why."""

    study_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """The reports of one side by study, and the studies that have none.

    `frame` is that of the boxes, None where the source cannot hold any. `models`
    names who generated them: (model name, SHA-256 of the weights).
    """

    place: str
    reports: Mapping[str, GivenReport]
    absent: tuple[Absent, ...] = ()
    frame: BoxFrame | None = None
    models: tuple[tuple[str, str], ...] = ()


def read_table(path: Path, part: Part) -> Reports:
    """Read a CSV with a study and its text a row (RadFact's narrative form)."""
    columns = ("text", part.value)
    rows = read_rows(path, ID_COLUMNS, columns)
    reports = collect(
        (where, study, GivenReport(text=text)) for where, study, text in rows
    )
    return Reports(place=str(path), reports=reports)


def read_rows(
    path: Path, keys: Iterable[str], values: Iterable[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (file and line, key, value) of a CSV with a heading.

    The first column of `keys`, and of `values`, that the heading has is taken.
    Raises BadSource for a missing column, a short row, or an empty key.
    """
    # not splitlines: a form feed or a Unicode line separator ends no row
    rows = csv.reader(StringIO(read_text(path)), strict=True)
    try:
        heading = next(rows, [])
        key_at = _column(path, heading, tuple(keys))
        value_at = _column(path, heading, tuple(values))
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if len(row) <= max(key_at, value_at):
                if row:
                    raise BadSource(f"{where}: the row has {len(row)} columns only")
                continue
            if not row[key_at].strip():
                raise BadSource(f"{where}: no study is named")
            yield where, row[key_at].strip(), row[value_at]
    except csv.Error as error:
        raise BadSource(f"{path}, line {rows.line_num}: {error}") from error


def read_grounded(path: Path, part: Part, frame: BoxFrame) -> Reports:
    """Read the grounded JSON of RadFact: sentences with boxes a study."""
    entries = read_entries(path)
    reports = collect(
        (where, entry_id(entry, ID_COLUMNS, where), _grounded(entry, part, where))
        for where, entry in entries
    )
    return Reports(place=str(path), reports=reports, frame=frame)


def read_texts(folder: Path) -> Reports:
    """Read a folder with one text file a study, named by the study."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise BadSource(f"{folder} holds no .txt file")
    reports = {path.stem: GivenReport(text=read_text(path)) for path in files}
    return Reports(place=str(folder), reports=reports)


def read_matches(path: Path) -> dict[str, str]:
    """Read which reference (`reference_id`) belongs to which study (`study_id`)."""
    found: dict[str, str] = {}
    for where, study, reference in read_rows(path, ("study_id",), ("reference_id",)):
        if study in found:
            raise BadSource(f"{where}: study {study!r} stands twice")
        found[study] = reference.strip()
    return found


def collect(
    found: Iterable[tuple[str, str, GivenReport]],
) -> dict[str, GivenReport]:
    """Return reports by study; raise BadSource for a study that stands twice."""
    reports: dict[str, GivenReport] = {}
    for where, study, report in found:
        if study in reports:
            raise BadSource(f"{where}: study {study!r} stands twice")
        reports[study] = report
    return reports


def read_text(path: Path) -> str:
    """Return the text of a file; raise BadSource where it cannot be read."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise BadSource(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadSource(f"{path} is no UTF-8 text (byte {error.start})") from error


def read_entries(path: Path) -> list[tuple[str, dict[str, object]]]:
    """Return (file and place, object) of a JSON list of objects."""
    try:
        parsed = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise BadSource(f"{path}, line {error.lineno}: {error.msg}") from error
    except ValueError as error:
        raise BadSource(f"{path} holds a number of too many digits") from error
    except RecursionError as error:
        raise BadSource(f"{path} is nested too deeply") from error
    if not isinstance(parsed, list):
        raise BadSource(f"{path} holds no list of studies")
    for number, entry in enumerate(parsed, 1):
        if not isinstance(entry, dict):
            raise BadSource(f"{path}, entry {number}: it is no object")
        _demand_unicode(entry, f"{path}, entry {number}")
    return [(f"{path}, entry {n}", entry) for n, entry in enumerate(parsed, 1)]


def entry_id(entry: Mapping[str, object], names: Iterable[str], where: str) -> str:
    """Return the study of a JSON entry."""
    wanted = tuple(names)
    found = next((entry[name] for name in wanted if name in entry), None)
    if not isinstance(found, str | int) or not str(found).strip():
        raise BadSource(f"{where}: no {' or '.join(wanted)}")
    return str(found).strip()


def field(entry: object, name: str, kind: type[Kind], where: str) -> Kind:
    """Return a field of an entry that has to be of one kind."""
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, kind):
        raise BadSource(f"{where}: {name!r} is missing or no {kind.__name__}")
    return value


def rectangle(numbers: Iterable[object], where: str) -> Rectangle:
    """Return the box of x_min, y_min, x_max, y_max; minimum and maximum in order."""
    values = [n for n in numbers if isinstance(n, int | float)]
    if len(values) != 4 or not all(-_SLACK <= v <= 1.0 + _SLACK for v in values):
        raise BadSource(f"{where}: a box is not four shares of the frame in [0, 1]")
    x_1, y_1, x_2, y_2 = (min(max(float(value), 0.0), 1.0) for value in values)
    return Rectangle(
        x_min=min(x_1, x_2),
        y_min=min(y_1, y_2),
        x_max=max(x_1, x_2),
        y_max=max(y_1, y_2),
    )


def _demand_unicode(entry: dict[str, object], where: str) -> None:
    """Refuse half a surrogate pair, which JSON can name and no file can hold."""
    try:
        json.dumps(entry, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadSource(f"{where}: a text that no UTF-8 can hold") from error


def _column(path: Path, heading: list[str], wanted: tuple[str, ...]) -> int:
    names = [name.strip() for name in heading]
    for name in wanted:
        if name in names:
            return names.index(name)
    raise BadSource(f"{path}, line 1: no column {' or '.join(wanted)}")


def _grounded(entry: dict[str, object], part: Part, where: str) -> GivenReport:
    phrases = field(entry, part.value, list, where)
    return GivenReport(sentences=tuple(_sentence(each, where) for each in phrases))


def _sentence(phrase: object, where: str) -> Sentence:
    text = field(phrase, "text", str, where)
    boxes = phrase.get("boxes") or [] if isinstance(phrase, dict) else []
    if not isinstance(boxes, list):
        raise BadSource(f"{where}: 'boxes' is no list")
    return Sentence(text=text, boxes=tuple(_box(box, where) for box in boxes))


def _box(box: object, where: str) -> Rectangle:
    if not isinstance(box, dict):
        raise BadSource(f"{where}: a box is no object")
    return rectangle([box.get(name) for name in _CORNERS], where)
