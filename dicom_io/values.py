"""Attribute values -> plain Python values; tolerant, each absence is None.

Values are decoded here and not by pydicom because it warns with the value, and
a warning with a patient's name must not reach a log.
"""

import re
import unicodedata
from datetime import date, time

from pydicom.charset import CODES_TO_ENCODINGS, handled_encodings, python_encoding
from pydicom.datadict import tag_for_keyword

from dicom_io.elements import Attributes, Element
from dicom_io.errors import UnreadableHeader
from dicom_io.uid import is_uid

_DATE = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6})\d*)?")
_FRAGMENTS = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
_BINARY_VRS = frozenset({"US", "SS", "UL", "SL", "UV", "SV"})
_SIGNED_VRS = frozenset({"SS", "SL", "SV"})
_UNDECODABLE = "backslashreplace"
"""Two Patient IDs that differ must never decode alike, and one that cannot be
decoded is no exact key: the backslash keeps it from being queried."""
_SPECIFIC_CHARACTER_SET = 0x0008_0005
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def find(attributes: Attributes, keyword: str) -> Element | None:
    """Return the element with this keyword of the standard's dictionary."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return attributes.elements.get(tag)


def items(attributes: Attributes, keyword: str) -> list[Attributes]:
    """Return the items of a sequence; empty where it is absent."""
    element = find(attributes, keyword)
    return [] if element is None else element.items


def text(attributes: Attributes, keyword: str) -> str | None:
    """Return the decoded value without its padding, backslashes kept."""
    element = find(attributes, keyword)
    if element is None or not element.value:
        return None
    return decode(element.value, attributes).strip(" \0") or None


def texts(attributes: Attributes, keyword: str) -> tuple[str, ...]:
    """Return the values of a multi-valued attribute, empty ones in place."""
    value = text(attributes, keyword)
    if value is None:
        return ()
    return tuple(part.strip(" \0") for part in value.split("\\"))


def clean_text(attributes: Attributes, keyword: str, limit: int = 1024) -> str | None:
    """Return a value for people to read: one line, no controls, capped."""
    value = text(attributes, keyword)
    return None if value is None else one_line(value, limit)


def one_line(value: str, limit: int) -> str | None:
    """Drop control and direction characters, join the lines, cut at `limit`."""
    kept = (
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in value[: 4 * limit]
        if character not in _BIDIRECTIONAL
    )
    return " ".join("".join(kept).split())[:limit].rstrip() or None


def uid(attributes: Attributes, keyword: str) -> str:
    """Return a UID, or raise UnreadableHeader (PS3.5 9.1)."""
    value = text(attributes, keyword) or ""
    if not is_uid(value):
        raise UnreadableHeader(f"{keyword} is not a UID: {value[:64]!r}")
    return value


def day(attributes: Attributes, keyword: str) -> date | None:
    """Return a DA value; what is not a date counts as absent."""
    match = _DATE.fullmatch(text(attributes, keyword) or "")
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def clock(attributes: Attributes, keyword: str) -> time | None:
    """Return a TM value; what is not a time counts as absent."""
    match = _TIME.fullmatch(text(attributes, keyword) or "")
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    microsecond = int((match[4] or "0").ljust(6, "0"))
    try:
        return time(hour, minute, second, microsecond)
    except ValueError:
        return None


def integer(attributes: Attributes, keyword: str) -> int | None:
    """Return the first value as a whole number, whichever VR carries it."""
    element = find(attributes, keyword)
    if element is None or not element.value:
        return None
    if element.vr not in _BINARY_VRS:
        numbers = decimals(attributes, keyword)
        whole = bool(numbers) and numbers[0].is_integer()
        return int(numbers[0]) if whole else None
    size = 2 if element.vr in ("US", "SS") else len(element.value)
    return int.from_bytes(
        element.value[:size],
        "little" if attributes.little_endian else "big",
        signed=element.vr in _SIGNED_VRS,
    )


def decimals(attributes: Attributes, keyword: str) -> tuple[float, ...]:
    """Return the values of a DS or IS; empty if one of them is no finite number."""
    try:
        numbers = tuple(float(value) for value in texts(attributes, keyword))
    except ValueError:
        return ()
    return numbers if all(abs(number) < 1e300 for number in numbers) else ()


def codes(attributes: Attributes, keyword: str) -> tuple[tuple[str, str], ...]:
    """Return (code value, coding scheme designator) of each item (PS3.3 8.8)."""
    found = []
    for item in items(attributes, keyword):
        value = text(item, "CodeValue") or text(item, "LongCodeValue")
        if value is not None:
            found.append((value, text(item, "CodingSchemeDesignator") or ""))
    return tuple(found)


def meanings(attributes: Attributes, keyword: str) -> str | None:
    """Return the code meanings of a code sequence, joined."""
    found = [clean_text(item, "CodeMeaning") for item in items(attributes, keyword)]
    return ", ".join(meaning for meaning in found if meaning) or None


def decode(value: bytes, attributes: Attributes) -> str:
    """Decode with the character sets in force (PS3.5 6.1); never raises."""
    first = _encodings(attributes)[0]
    if b"\x1b" not in value:
        return value.decode(first, _UNDECODABLE)
    return "".join(_decode_fragment(part, first) for part in _FRAGMENTS.findall(value))


def _encodings(attributes: Attributes) -> list[str]:
    """Return Python's names of the character sets; unknown terms are Latin-1."""
    holder: Attributes | None = attributes
    while holder is not None:
        element = holder.elements.get(_SPECIFIC_CHARACTER_SET)
        if element is not None and element.value:
            terms = element.value.decode("ascii", "replace").split("\\")
            return [python_encoding.get(term.strip(" \0"), "latin-1") for term in terms]
        holder = holder.parent
    return ["latin-1"]


def _decode_fragment(fragment: bytes, first: str) -> str:
    """Decode up to the next escape sequence (PS3.5 6.1.2.5)."""
    if not fragment.startswith(b"\x1b"):
        return fragment.decode(first, _UNDECODABLE)
    size = 4 if fragment[:3] in (b"\x1b$(", b"\x1b$)") else 3
    encoding = CODES_TO_ENCODINGS.get(fragment[:size], first)
    if encoding in handled_encodings:
        return fragment.decode(encoding, _UNDECODABLE)
    return fragment[size:].decode(encoding, _UNDECODABLE)
