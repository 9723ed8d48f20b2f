"""Free text made fit for a DICOM attribute; pure.

Text of a model may hold anything. It stays text: nothing is escaped, and only
what a value representation cannot carry is taken out (PS3.5 6.1.3, 6.2).
"""

import re
import unicodedata

_SINGLE_LINE = re.compile(r"\s+")
_KEPT_CONTROLS = {"\n", "\f", "\r"}
_JOINERS = {"\u200c", "\u200d"}
ELLIPSIS = "..."
LONG_STRING_LIMIT = 64
"""Characters of one LO value."""
SHORT_TEXT_LIMIT = 1024
"""Characters of an ST value."""


def clean(text: str) -> str:
    """Return `text` for a value of VR UT, unchanged where it is valid.

    Control characters other than CR, LF and FF are removed, a tab becomes a
    space, and a lone surrogate (no UTF-8 form) becomes U+FFFD.
    """
    return "".join(_carried(character) for character in text)


def shorten(text: str, limit: int) -> str:
    """Return `text` cleaned, on one line and of at most `limit` characters.

    A text that had to be shortened ends in "...". Accents stay with their letter.
    """
    line = _SINGLE_LINE.sub(" ", clean(text)).strip()
    if len(line) <= limit:
        return line
    return line[: _whole(line, limit - len(ELLIPSIS))].rstrip() + ELLIPSIS


def long_string(text: str) -> str:
    """Return `text` as one value of VR LO: no backslash, 64 characters."""
    return shorten(text.replace("\\", "/"), LONG_STRING_LIMIT)


def wrap(line: str, width: int) -> tuple[str, ...]:
    """Break a text without line ends into lines of at most `width` characters.

    Broken at spaces, and within a word only where it is longer than a line. The
    lines joined by spaces are the text again, where no word was broken.
    """
    lines = [""]
    for word in line.split(" "):
        longer = f"{lines[-1]} {word}".lstrip(" ")
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.extend(_pieces(word, width))
    return tuple(each for each in lines if each)


def _pieces(word: str, width: int) -> list[str]:
    pieces = []
    while len(word) > width:
        end = _whole(word, width) or width
        pieces.append(word[:end])
        word = word[end:]
    return [*pieces, word]


def _whole(text: str, end: int) -> int:
    """Return the last place up to `end` that parts no accent from its letter."""
    while 0 < end < len(text) and _joined(text[end - 1], text[end]):
        end -= 1
    return end


def _joined(before: str, after: str) -> bool:
    return (
        unicodedata.category(after).startswith("M")
        or before in _JOINERS
        or after in _JOINERS
    )


def _carried(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return " "
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    is_control = code < 0x20 or 0x7F <= code < 0xA0
    return "" if is_control and character not in _KEPT_CONTROLS else character
