"""The guarded parser: bytes of a data set -> attributes, without recursion.

It exists because a general reader trusts what it reads: it recurses as deep as
the sequences nest, inflates whatever was deflated, and warns with the values of
the patient. This one keeps its own stack and its own limits, never looks at
pixel data, and has one error for everything (PS3.5 section 7).
"""

import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from pydicom.datadict import dictionary_VR

from dicom_io.errors import UnreadableHeader

MAX_DEPTH = 32
MAX_ELEMENTS = 100_000
MAX_VALUE_BYTES = 1 << 20
MAX_TOTAL_BYTES = 16 << 20
"""Limits of our own. No radiograph or report comes near them; a longer value is
passed over, the other three end the reading."""

_UNDEFINED = 0xFFFF_FFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD
_PIXELS = frozenset({0x7FE0_0008, 0x7FE0_0009, 0x7FE0_0010})
_LONG_VRS = frozenset(
    {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How elements are written (PS3.5 section 10 and Annex A)."""

    implicit: bool
    little_endian: bool


@dataclass(slots=True)
class Attributes:
    """The attributes of a data set or of a sequence item, by tag."""

    little_endian: bool
    parent: "Attributes | None" = None
    elements: "dict[int, Element]" = field(default_factory=dict)


@dataclass(slots=True)
class Element:
    """One attribute: the bytes of its value, or the items of a sequence.

    `passed_over`: the value is longer than `MAX_VALUE_BYTES` and was not kept.
    """

    vr: str
    value: bytes = b""
    passed_over: bool = False
    items: list[Attributes] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedData:
    """What stood before the pixel data, and whether there is pixel data."""

    attributes: Attributes
    has_pixels: bool


def parse(stream: BinaryIO, encoding: Encoding, end: int | None) -> ParsedData:
    """Read `stream` from its position to `end` or to the pixel data.

    end : None where only the stream itself knows where it ends; it then reports
    from `seek` how far it came.

    Raises UnreadableHeader for nesting, counts or sizes over the limits, and for
    lengths that do not fit.
    """
    parser = _Parser(stream, _actual(stream, encoding), end)
    has_pixels = parser.run()
    return ParsedData(attributes=parser.root, has_pixels=has_pixels)


def _actual(stream: BinaryIO, named: Encoding) -> Encoding:
    """Return the VR encoding in use: some writers name the other one."""
    start = stream.tell()
    head = stream.read(6)
    stream.seek(start)
    explicit = len(head) == 6 and head[4:6].isalpha() and head[4:6].isupper()
    if not head:
        return named
    return Encoding(implicit=not explicit, little_endian=named.little_endian)


@dataclass(slots=True)
class _Level:
    """An open item (`attributes`), or sequence or fragments (`element`)."""

    end: int | None
    encoding: Encoding
    attributes: Attributes | None = None
    element: Element | None = None


class _Parser:
    """The loop over elements, with the open levels as a stack."""

    def __init__(self, stream: BinaryIO, encoding: Encoding, end: int | None) -> None:
        self.stream = stream
        self.end = end
        self.position = stream.tell()
        self.root = Attributes(little_endian=encoding.little_endian)
        self.levels = [_Level(end=end, encoding=encoding, attributes=self.root)]
        self.elements = 0
        self.kept_bytes = 0

    def run(self) -> bool:
        """Return True if pixel data follows the attributes."""
        while self._close_levels():
            self._count()
            tag = self._tag()
            if tag >> 16 == 0xFFFE:
                self._delimiter(tag)
            elif tag in _PIXELS and len(self.levels) == 1:
                return self._element_head(tag)[1] != 0
            else:
                self._element(tag)
        return False

    def _close_levels(self) -> bool:
        """Close what ends here; return False at the end of the data set."""
        while self.levels[-1].end is not None and self.position >= self.levels[-1].end:
            if self.position > self.levels[-1].end:
                raise UnreadableHeader("an element is longer than what holds it")
            self.levels.pop()
            if not self.levels:
                return False
        return len(self.levels) > 1 or self.end is not None or self._has_more()

    def _has_more(self) -> bool:
        more = bool(self.stream.read(1))
        self.stream.seek(self.position)
        return more

    def _count(self) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise UnreadableHeader(f"more than {MAX_ELEMENTS} elements")

    def _take(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) != count:
            raise UnreadableHeader(f"it ends inside an element at {self.position}")
        self.position += count
        return data

    def _number(self, size: int) -> int:
        little = self.levels[-1].encoding.little_endian
        return int.from_bytes(self._take(size), "little" if little else "big")

    def _tag(self) -> int:
        group = self._number(2)
        return group << 16 | self._number(2)

    def _delimiter(self, tag: int) -> None:
        length = self._number(4)
        level = self.levels[-1]
        if tag == _ITEM and level.element is not None:
            self._open_item(level, level.element, length)
        elif tag in (_ITEM_END, _SEQUENCE_END) and len(self.levels) > 1:
            self.levels.pop()
        else:
            raise UnreadableHeader("an item or delimiter stands outside a sequence")

    def _open_item(self, level: _Level, element: Element, length: int) -> None:
        if element.vr != "SQ":
            self._skip(length)
            return
        item = Attributes(
            little_endian=level.encoding.little_endian, parent=self._holder()
        )
        element.items.append(item)
        self._push(_Level(end=None, encoding=level.encoding, attributes=item), length)

    def _holder(self) -> Attributes:
        """Return the attributes that the sequence at hand belongs to."""
        for level in reversed(self.levels):
            if level.attributes is not None:
                return level.attributes
        return self.root

    def _push(self, level: _Level, length: int) -> None:
        if length != _UNDEFINED:
            level.end = self.position + length
        self.levels.append(level)
        if len(self.levels) > 2 * MAX_DEPTH + 1:
            raise UnreadableHeader(f"sequences nested deeper than {MAX_DEPTH}")

    def _element_head(self, tag: int) -> tuple[str, int]:
        """Return the VR and the length of the element whose tag was read."""
        if self.levels[-1].encoding.implicit:
            return _dictionary_vr(tag), self._number(4)
        raw = self._take(2)
        if not raw.isalpha():
            # Implicit VR inside an explicit data set: four bytes of length.
            little = self.levels[-1].encoding.little_endian
            data = raw + self._take(2)
            length = struct.unpack("<I" if little else ">I", data)[0]
            return _dictionary_vr(tag), int(length)
        vr = raw.decode("ascii", "replace")
        if vr in _LONG_VRS:
            self._take(2)
            return vr, self._number(4)
        return vr, self._number(2)

    def _element(self, tag: int) -> None:
        level = self.levels[-1]
        if level.attributes is None:
            raise UnreadableHeader("an element stands where an item is due")
        vr, length = self._element_head(tag)
        encoding = level.encoding
        if vr == "UN" and (length == _UNDEFINED or _dictionary_vr(tag) == "SQ"):
            # PS3.5 6.2.2 note 4: such a value is implicit VR little endian.
            vr, encoding = "SQ", Encoding(implicit=True, little_endian=True)
        element = Element(vr=vr)
        earlier = level.attributes.elements.get(tag)
        level.attributes.elements[tag] = element
        if vr == "SQ" or length == _UNDEFINED:
            self._push(_Level(end=None, encoding=encoding, element=element), length)
        else:
            element.passed_over = length > MAX_VALUE_BYTES
            element.value = self._value(length)
        if earlier is not None and not _is_repeated(earlier, element):
            raise UnreadableHeader(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) stands twice")

    def _value(self, length: int) -> bytes:
        if length > MAX_VALUE_BYTES:
            self._skip(length)
            return b""
        self.kept_bytes += length
        if self.kept_bytes > MAX_TOTAL_BYTES:
            raise UnreadableHeader(f"more than {MAX_TOTAL_BYTES} bytes of attributes")
        return self._take(length)

    def _skip(self, length: int) -> None:
        self.position += length
        beyond = self.end is not None and self.position > self.end
        if length == _UNDEFINED or beyond:
            raise UnreadableHeader("an element is longer than the data set")
        if self.stream.seek(self.position) != self.position:
            raise UnreadableHeader("an element is longer than the data set")


def _is_repeated(earlier: Element, element: Element) -> bool:
    """Whether an element that occurs again says the same (PS3.5 7.1 forbids both).

    Of two that differ one reader believes the first and another the last.
    """
    is_comparable = element.vr != "SQ" and not element.passed_over
    return is_comparable and earlier == element


def _dictionary_vr(tag: int) -> str:
    """Return the VR of a standard attribute, UN for any other."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"
