"""Bytes of an HL7 v2 message -> segments whose fields are read when asked for.

Chapter 2 of HL7 v2.5.1. Nothing is split before somebody asks for it, so that a
message of separators costs its own size and no more.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.errors import UnreadableMessage

_CHARACTER_SETS: Mapping[str, str] = {
    "": "utf-8",
    "ASCII": "ascii",
    "8859/1": "iso-8859-1",
    "8859/2": "iso-8859-2",
    "8859/5": "iso-8859-5",
    "8859/7": "iso-8859-7",
    "8859/9": "iso-8859-9",
    "8859/15": "iso-8859-15",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
}
"""MSH-18 (table 0211). Without one it should be ASCII: UTF-8 reads that too, and
what neither can is refused rather than guessed."""

_ESCAPE_LENGTH = 64
_MAX_SEGMENTS = 10_000
_MAX_REQUESTS = 100
_MAX_HEADER = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimiters:
    """The separators that MSH-1 and MSH-2 state (chapter 2.5.4)."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    encoding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment; fields count from 1 as in the standard."""

    fields: tuple[str, ...]
    marks: Delimiters

    @property
    def name(self) -> str:
        """The three letters."""
        return self.fields[0]

    def raw(self, field: int) -> str:
        """Return a field as it stands; "" where there is none."""
        return self.fields[field] if field < len(self.fields) else ""

    def text(self, field: int) -> str:
        """Return a field of text, repetitions as lines, escapes resolved."""
        lines = self.raw(field).split(self.marks.repetition)
        return "\n".join(unescape(line, self.marks) for line in lines)

    def repetitions(self, field: int) -> int:
        """Return how often a field occurs; 0 where it is empty."""
        raw = self.raw(field)
        return raw.count(self.marks.repetition) + 1 if raw else 0

    def component(self, field: int, component: int, repetition: int = 0) -> str:
        """Return a component, its first subcomponent; "" where there is none."""
        whole = self.whole_component(field, component, repetition)
        first = whole.partition(self.marks.subcomponent)[0]
        return unescape(first, self.marks).strip()

    def whole_component(self, field: int, component: int, repetition: int = 0) -> str:
        """Return a component as it stands, with its subcomponents."""
        repeated = self.raw(field).split(self.marks.repetition, repetition + 1)
        if repetition >= len(repeated):
            return ""
        parts = repeated[repetition].split(self.marks.component, component)
        return parts[component - 1] if component <= len(parts) else ""

    def coded(self, field: int, repetition: int) -> tuple[str, str]:
        """Return code and text of a CE or CWE (chapter 2.A.13)."""
        return (
            self.component(field, 1, repetition),
            self.component(field, 2, repetition)
            or self.component(field, 9, repetition)
            or self.component(field, 5, repetition),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The segments in their order; the first is MSH."""

    segments: tuple[Segment, ...]

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def is_about_several(self) -> bool:
        """Whether it holds more than one observation request."""
        return len(self.all("OBR")) > 1

    def all(self, name: str) -> list[Segment]:
        """Return every segment of a name."""
        return [each for each in self.segments if each.name == name]

    def groups(self, name: str) -> list[tuple[Segment, ...]]:
        """Return each segment of a name with those that follow it."""
        starts = [n for n, each in enumerate(self.segments) if each.name == name]
        ends = [*starts[1:], len(self.segments)]
        pairs = zip(starts, ends, strict=False)
        return [self.segments[start:end] for start, end in pairs]

    def pairs(
        self, first: str, second: str
    ) -> Iterator[tuple[Segment | None, Segment | None]]:
        """Yield each `second` with the `first` before it, and those left alone."""
        waiting: Segment | None = None
        for each in self.segments:
            if each.name == first:
                if waiting is not None:
                    yield waiting, None
                waiting = each
            elif each.name == second:
                yield waiting, each
                waiting = None
        if waiting is not None:
            yield waiting, None


def split(data: bytes) -> Message:
    """Read the segments; raises UnreadableMessage where it is no HL7 message."""
    text = _decode(data)
    lines = [
        line for line in re.split(r"[\r\n]+", text, maxsplit=_MAX_SEGMENTS) if line
    ]
    if len(lines) >= _MAX_SEGMENTS:
        raise UnreadableMessage(f"there are {_MAX_SEGMENTS} segments or more")
    marks = _delimiters(lines[0])
    if any(line.startswith("MSH") for line in lines[1:]):
        raise UnreadableMessage("a block holds more than one message")
    header = [f"MSH{marks.field}{lines[0][3:]}", *lines[1:]]
    message = Message(segments=tuple(_segment(line, marks) for line in header))
    if len(message.all("OBR")) > _MAX_REQUESTS:
        raise UnreadableMessage(f"there are more than {_MAX_REQUESTS} OBR")
    return message


def read_header(data: bytes) -> Segment:
    """Read MSH alone, in ASCII; raises UnreadableMessage where it does not begin so."""
    _require_header(data)
    line = re.split(rb"[\r\n]", data[:_MAX_HEADER], maxsplit=1)[0]
    text = line.decode("ascii", "replace").ljust(8)
    marks = _delimiters(text)
    return _segment(f"MSH{marks.field}{text[3:]}", marks)


def _require_header(data: bytes) -> None:
    if data[:3] != b"MSH" or len(data) < 8:
        raise UnreadableMessage("it does not begin with MSH")


def _decode(data: bytes) -> str:
    _require_header(data)
    if b"\0" in data:
        raise UnreadableMessage("it holds the character NUL")
    fields = data.partition(b"\r")[0][:2000].split(data[3:4])
    stated = fields[17].decode("ascii", "replace") if len(fields) > 17 else ""
    first = re.split("[~^]", stated.strip().upper())[0]
    try:
        return data.decode(_CHARACTER_SETS[first])
    except KeyError as error:
        raise UnreadableMessage("MSH-18 names a set that is not known") from error
    except UnicodeDecodeError as error:
        raise UnreadableMessage("it is not in the character set of MSH-18") from error


def _delimiters(header: str) -> Delimiters:
    """Read MSH-1 and MSH-2; what is left out has the recommended value."""
    if len(header) <= 3:
        raise UnreadableMessage("MSH-1 is not there")
    field = header[3]
    stated = header[4:].partition(field)[0]
    marks = stated + r"^~\&"[len(stated) :]
    distinct = {field, *marks[:4]}
    if len(distinct) != 5 or any(mark.isalnum() or mark < " " for mark in distinct):
        raise UnreadableMessage("MSH-1 and MSH-2 are no set of delimiters")
    return Delimiters(
        field=field,
        component=marks[0],
        repetition=marks[1],
        escape=marks[2],
        subcomponent=marks[3],
        encoding=stated,
    )


def _segment(line: str, marks: Delimiters) -> Segment:
    """Split a segment; MSH was given so that MSH-1 has its number."""
    return Segment(fields=tuple(line.split(marks.field, 255)), marks=marks)


def unescape(text: str, marks: Delimiters) -> str:
    """Resolve the escape sequences of chapter 2.7; unknown ones are dropped."""
    if marks.escape not in text:
        return text
    mark = re.escape(marks.escape)
    sequence = re.compile(f"{mark}([^{mark}\r\n]{{0,{_ESCAPE_LENGTH}}}){mark}")
    return sequence.sub(lambda found: _meaning(found[1], marks), text)


def _meaning(sequence: str, marks: Delimiters) -> str:
    plain = {
        "F": marks.field,
        "S": marks.component,
        "R": marks.repetition,
        "E": marks.escape,
        "T": marks.subcomponent,
    }
    if sequence in plain:
        return plain[sequence]
    if sequence[:1] == "X":
        return _hexadecimal(sequence[1:])
    spaces = sequence[:3].lower() in (".in", ".ti", ".sk")
    lines = sequence[:3].lower() in (".br", ".sp", ".ce")
    return "\n" if lines else " " if spaces else ""


def _hexadecimal(digits: str) -> str:
    """Read bytes in hexadecimal; line ends stay, other controls are dropped."""
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        return ""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("iso-8859-1")
    text = re.sub(r"\r\n?", "\n", text)
    return "".join(each for each in text if each == "\n" or each.isprintable())
