"""The audit log as files: CSV for a spreadsheet, XML of its messages, lines of JSON.

Written as it is read, a page at a time, so a million records need no more memory than
a thousand. An export is recorded before its first line and again with its count after
the last one; one that was broken off says so.
"""

import csv
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from io import StringIO
from typing import NoReturn, TextIO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from pydantic import TypeAdapter

from gateway.audit import kinds
from gateway.audit.message import printable
from gateway.audit.parts import Person
from gateway.ledger import AuditPage, AuditRecord
from gateway.reviewing.asking import Question, View
from gateway.reviewing.desk import Desk
from gateway.reviewing.sentences import meaning_of, sentence
from gateway.site import Clock

AT_ONCE = 500
"""Records that are read and written at once."""

NAMESPACE = "urn:maira-gateway:audit:1"

_RECORD = TypeAdapter(AuditRecord)


class Format(StrEnum):
    """How an export is written."""

    CSV = "csv"
    """RFC 4180, UTF-8: what the list shows, without the messages."""
    XML = "xml"
    """One document with the messages of PS3.15 A.5."""
    JSON = "jsonl"
    """A record a line, with its message."""

    @property
    def label(self) -> str:
        """What people call it."""
        return "JSON lines" if self is Format.JSON else self.value.upper()

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        match self:
            case Format.CSV:
                return "text/csv; charset=utf-8; header=present"
            case Format.XML:
                return "application/xml"
            case Format.JSON:
                return "application/jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Who exports what, since when; `clock` says when it has ended."""

    question: Question
    by: Person
    clock: Clock


def export(desk: Desk, wanted: Exported, format_: Format) -> Iterator[str]:
    """Record the export, then yield its text; close the iterator to break it off.

    The record of the export itself is the last one that the log gives to it.
    """
    last = _begin(desk, wanted, format_)
    return _texts(_written(desk, wanted, format_, last))


def _texts(pieces: Generator[tuple[str, int], None, None]) -> Iterator[str]:
    with closing(pieces):
        for text, _ in pieces:
            yield text


def write(desk: Desk, wanted: Exported, format_: Format, out: TextIO) -> int:
    """Write an export; return how many records it has."""
    last, written = _begin(desk, wanted, format_), 0
    with closing(_written(desk, wanted, format_, last)) as pieces:
        for text, count in pieces:
            out.write(text)
            written += count
    return written


def _begin(desk: Desk, wanted: Exported, format_: Format) -> int:
    told = f"{wanted.question} as {format_}"
    with desk.ledger.writing() as rows:
        return rows.append_audit(kinds.audit_exported(wanted.by, told, wanted.clock()))


def _written(
    desk: Desk, wanted: Exported, format_: Format, last: int
) -> Generator[tuple[str, int], None, None]:
    """Yield the text in pieces, each with how many records are in it."""
    written, ended = 0, "broken off"
    try:
        yield _HEADS[format_], 0
        for page in pages(desk, wanted.question, last):
            yield "".join(map(_WRITERS[format_], page)), len(page)
            written += len(page)
        yield _FEET[format_], 0
        ended = "complete"
    finally:
        told = f"{wanted.question} as {format_}: {ended}, {written} records"
        with desk.ledger.writing() as rows:
            rows.append_audit(kinds.audit_exported(wanted.by, told, wanted.clock()))


def pages(desk: Desk, question: Question, last: int) -> Iterator[list[AuditRecord]]:
    """Yield what a question finds up to record `last`, the oldest first."""
    page = AuditPage(newest_first=False, limit=AT_ONCE)
    while True:
        with desk.ledger.reading() as rows:
            places = rows.find_audit(question.wanted, page)
            records = rows.audit_records([place.sequence for place in places])
        yield [
            record
            for record in records
            if record.sequence <= last and _is_wanted(desk, question, record)
        ]
        if len(places) < AT_ONCE:
            return
        page = replace(page, after=places[-1])


def _is_wanted(desk: Desk, question: Question, record: AuditRecord) -> bool:
    if question.view is not View.OUT_OF_HOURS:
        return True
    return not desk.hours.hold(record.recorded_at)


CSV_COLUMNS = (
    "sequence",
    "recorded_at",
    "what",
    "event",
    "event_type",
    "meaning",
    "action",
    "outcome",
    "role",
    "user",
    "patient",
    "study_instance_uid",
    "node",
    "address",
    "detail",
)

_FULLWIDTH = ("\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The same four as East Asian editions of spreadsheets read them."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *_FULLWIDTH)


def safe_cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula.

    Those that begin like one get an apostrophe first, which spreadsheets do not show
    (OWASP, CSV Injection); blanks before it are passed over, as spreadsheets do.
    """
    begins = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if begins else text


def csv_line(cells: list[str]) -> str:
    """Return a record of RFC 4180, every cell quoted."""
    line = StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(
        [safe_cell(cell) for cell in cells]
    )
    return line.getvalue()


def _csv(record: AuditRecord) -> str:
    cells = (
        record.sequence,
        _moment(record.recorded_at),
        sentence(record),
        record.event,
        record.event_type,
        meaning_of(record),
        record.action,
        record.outcome,
        record.person_role,
        record.user,
        record.patient,
        record.study_instance_uid,
        record.node,
        record.address,
        record.detail,
    )
    return csv_line(["" if cell is None else str(cell) for cell in cells])


def _json(record: AuditRecord) -> str:
    return _RECORD.dump_json(record).decode() + "\n"


def _xml(record: AuditRecord) -> str:
    """Return the record with its message as it is kept, or as text where it is none."""
    body = record.message
    if not is_message(body):
        body = f"<log:Unreadable>{escape(printable(body, len(body)))}</log:Unreadable>"
    return (
        f"<log:Record sequence={quoteattr(str(record.sequence))} "
        f"recordedAt={quoteattr(_moment(record.recorded_at))}>{body}</log:Record>\n"
    )


def is_message(text: str) -> bool:
    """Whether a text is one AuditMessage that may stand inside another document.

    What the log holds may have been altered: nothing of it may end the document, or
    bring definitions of its own along.
    """
    parser = expat.ParserCreate()
    names: list[str] = []
    parser.StartElementHandler = lambda name, _attributes: names.append(name)
    parser.StartDoctypeDeclHandler = _refuse
    parser.XmlDeclHandler = _refuse
    try:
        parser.Parse(text.encode("utf-8"), True)  # noqa: FBT003 - that is all of it
    except (expat.ExpatError, UnicodeEncodeError, _Refused):
        return False
    return names[:1] == ["AuditMessage"]


class _Refused(Exception):  # noqa: N818 - says what was done
    """A part of a document that no message has."""


def _refuse(*_parts: object) -> NoReturn:
    raise _Refused


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_HEADS = {
    Format.CSV: csv_line([*CSV_COLUMNS]),
    Format.XML: '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<log:AuditLog xmlns:log="{NAMESPACE}">\n',
    Format.JSON: "",
}
_FEET = {Format.CSV: "", Format.XML: "</log:AuditLog>\n", Format.JSON: ""}
_WRITERS = {Format.CSV: _csv, Format.XML: _xml, Format.JSON: _json}
