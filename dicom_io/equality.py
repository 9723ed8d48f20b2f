"""Two files that hold the same attributes, however each was encoded.

For instances without pixel data: a report or a presentation state that is sent
again in another transfer syntax is the same one.
"""

from pathlib import Path

from dicom_io.elements import Attributes, Element
from dicom_io.parsing import read_file
from dicom_io.values import decode

_SPECIFIC_CHARACTER_SET = 0x0008_0005
_WORD_BYTES = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
"""Size of what a big endian data set turns around (PS3.5 7.3)."""
_OPAQUE = frozenset({"OB", "UN"})
_LEADING_SPACES_COUNT = frozenset({"LT", "ST", "UT"})


def same_attributes(path: Path, other: Path) -> bool:
    """Tell whether two files without pixel data hold the same data set.

    Compared are all attributes, in sequences too, without the padding that their
    VR ignores; not the file meta information, the group lengths and the character
    set that texts are written in. False where either has pixel data, or a value
    too long to be kept by the parser.

    Raises UnreadableHeader and OSError as `parsing.read_file` does.
    """
    one, two = read_file(path), read_file(other)
    if one.has_pixels or two.has_pixels:
        return False
    return _same_items(one.attributes, two.attributes)


def _same_items(one: Attributes, two: Attributes) -> bool:
    tags = _compared(one)
    return tags == _compared(two) and all(_same_elements(one, two, tag) for tag in tags)


def _compared(attributes: Attributes) -> frozenset[int]:
    return frozenset(
        tag
        for tag in attributes.elements
        if tag & 0xFFFF and tag != _SPECIFIC_CHARACTER_SET
    )


def _same_elements(one: Attributes, two: Attributes, tag: int) -> bool:
    first, second = one.elements[tag], two.elements[tag]
    if first.passed_over or second.passed_over:
        return False
    if len(first.items) != len(second.items):
        return False
    # implicit VR does not say what a private value is
    opaque = bool(_OPAQUE & {first.vr, second.vr})
    return _plain(first, one, opaque=opaque) == _plain(
        second, two, opaque=opaque
    ) and all(map(_same_items, first.items, second.items))


def _plain(element: Element, holder: Attributes, *, opaque: bool) -> bytes | str:
    """Return a value as little endian bytes or as text, without its padding."""
    size = _WORD_BYTES.get(element.vr[:2])
    if size is not None and not holder.little_endian:
        return _turned(element.value, size)
    if opaque:
        return element.value.rstrip(b" \0")
    if size is not None:
        return element.value
    decoded = decode(element.value, holder).rstrip(" \0")
    if element.vr in _LEADING_SPACES_COUNT:
        return decoded
    return "\\".join(part.strip(" \0") for part in decoded.split("\\"))


def _turned(value: bytes, size: int) -> bytes:
    words = (value[start : start + size] for start in range(0, len(value), size))
    return b"".join(word[::-1] for word in words)
