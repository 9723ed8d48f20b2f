"""Lines of text in a picture, in the font that Pillow brings; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]
"""Red, green, blue; 0 to 255."""
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LONGEST_LINE = 200
"""Characters; more never fit, so no longer text is measured."""
_GAP = 12
"""Pixels between two texts."""
_ANY_SIZE = 16


@dataclass(slots=True, kw_only=True)
class Pen:
    """Writes lines one below the other between `left` and `right`.

    `top` is where the next one goes. What would begin below `limit` is not
    written; `is_cut` says that it was not.
    """

    draw: ImageDraw.ImageDraw
    left: float
    right: float
    top: float
    limit: float
    is_cut: bool = False

    def write(
        self, content: str, *, size: int, colour: Colour, indent: int = 0
    ) -> None:
        """Write `content` in as many lines as it needs."""
        font = ImageFont.load_default(size)
        width = self.right - self.left - indent
        for line in _lines(content, font, width):
            if self.top >= self.limit:
                self.is_cut = True
                return
            place = (self.left + indent, self.top)
            self.draw.text(place, line, fill=colour, font=font)
            self.top += size * 1.35
        self.top += _GAP


def _lines(content: str, font: Font, width: float) -> Iterator[str]:
    """Break a text into lines of at most `width` pixels, within words if needed."""
    line = ""
    for word in content.split():
        longer = f"{line} {word}" if line else word
        if _fits(longer, font, width):
            line = longer
            continue
        if line:
            yield line
        line = word
        while not _fits(line, font, width):
            count = _fitting(line, font, width)
            yield line[:count]
            line = line[count:]
    if line:
        yield line


def _fits(line: str, font: Font, width: float) -> bool:
    return len(line) <= _LONGEST_LINE and font.getlength(line) <= width


def _fitting(word: str, font: Font, width: float) -> int:
    """Return how many letters of a word fit into a line, at least one."""
    count = min(len(word), _LONGEST_LINE)
    while count > 1 and font.getlength(word[:count]) > width:
        count -= 1
    return count


def can_be_shown(content: str) -> bool:
    """Say whether the font has every letter of a text."""
    return all(map(_has_glyph, set("".join(content.split()))))


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    font = ImageFont.load_default(_ANY_SIZE)
    # U+FFFF is no character: what is drawn for it stands for a missing glyph
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))
