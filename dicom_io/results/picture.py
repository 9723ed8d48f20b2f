"""A radiograph with its findings drawn on it, as a PNG for people.

Drawn from `ReadFinding`, which is what an archive gave back: the picture shows
the stored result, never the model's answer on its way there.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from dicom_io.coordinates import PixelBox
from dicom_io.product import RESEARCH_NOTICE
from dicom_io.results.read import ReadFinding
from model.report import GreyImage

Colour = tuple[int, int, int]

DRAWN_HEIGHT = 900
"""Pixels of the radiograph in the picture, whatever its stored size."""

_PANEL_WIDTH = 440
_BANNER_HEIGHT = 44
_PANEL_LIMIT = 4096
_KEY_HEIGHT = 84
_MARGIN = 24
_GLYPH_SHARE = 0.52
"""Mean width of a letter of Pillow's font, as a share of its size."""
_BACKGROUND: Colour = (18, 22, 28)
_INK: Colour = (232, 236, 241)
_MUTED: Colour = (150, 160, 172)
_WARNING: Colour = (255, 196, 0)
_TRUTH: Colour = (255, 255, 255)
# Okabe and Ito's palette, which people with colour blindness can tell apart
_PALETTE: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 190, 140),
    (240, 228, 66),
    (224, 130, 180),
    (213, 94, 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One sentence with all its boxes and the number and colour it is drawn in."""

    number: int
    colour: Colour
    sentence: str
    boxes: tuple[PixelBox, ...]


def draw_findings(
    image: GreyImage,
    findings: Sequence[ReadFinding],
    truth: Sequence[PixelBox] = (),
    without_box: Sequence[str] = (),
    title: str = "",
) -> bytes:
    """Return the radiograph with numbered boxes and a legend, as PNG.

    image : (rows, columns) uint8, in the orientation in which it is stored and
        in the greys in which it is shown to people; 0 = black.
    truth : boxes known to be right (planted ones), drawn dashed.
    without_box : sentences that have no place in the image.

    Boxes of one sentence share a number. The same arguments give the same bytes.
    """
    entries = _entries(findings)
    film = Image.fromarray(image).convert("RGB")
    scale = DRAWN_HEIGHT / film.height
    film = film.resize((max(1, round(film.width * scale)), DRAWN_HEIGHT))
    panel = _legend_panel(title, entries, without_box, has_truth=bool(truth))
    canvas = Image.new(
        "RGB", (film.width + panel.width, _BANNER_HEIGHT + panel.height), _BACKGROUND
    )
    canvas.paste(film, (0, _BANNER_HEIGHT))
    canvas.paste(panel, (film.width, _BANNER_HEIGHT))
    draw = ImageDraw.Draw(canvas)
    _draw_banner(draw, canvas.width)
    _draw_boxes(draw, entries, truth, scale)
    file = BytesIO()
    canvas.save(file, "PNG", optimize=True)
    return file.getvalue()


def _entries(findings: Sequence[ReadFinding]) -> tuple[_Entry, ...]:
    boxes: dict[str, list[PixelBox]] = {}
    for finding in findings:
        boxes.setdefault(finding.sentence, []).append(finding.box)
    return tuple(
        _Entry(
            number=number,
            colour=_PALETTE[(number - 1) % len(_PALETTE)],
            sentence=sentence,
            boxes=tuple(of_sentence),
        )
        for number, (sentence, of_sentence) in enumerate(boxes.items(), 1)
    )


def _draw_banner(draw: ImageDraw.ImageDraw, width: int) -> None:
    draw.rectangle((0, 0, width, _BANNER_HEIGHT), fill=_WARNING)
    draw.text(
        (width / 2, _BANNER_HEIGHT / 2),
        RESEARCH_NOTICE.upper(),
        fill=_BACKGROUND,
        font=ImageFont.load_default(22),
        anchor="mm",
    )


def _draw_boxes(
    draw: ImageDraw.ImageDraw,
    entries: Sequence[_Entry],
    truth: Sequence[PixelBox],
    scale: float,
) -> None:
    for entry in entries:
        for box in entry.boxes:
            area = _scaled(box, scale)
            draw.rectangle(area, outline=entry.colour, width=4)
            _tag(draw, (area[0], max(area[1] - 26, _BANNER_HEIGHT)), entry)
    # on top, so that both can be seen where they agree
    for box in truth:
        _dashed(draw, _scaled(box, scale))


def _scaled(box: PixelBox, scale: float) -> tuple[float, float, float, float]:
    return (
        box.left * scale,
        box.top * scale + _BANNER_HEIGHT,
        box.right * scale,
        box.bottom * scale + _BANNER_HEIGHT,
    )


def _tag(draw: ImageDraw.ImageDraw, corner: tuple[float, float], entry: _Entry) -> None:
    left, top = corner
    draw.rectangle((left, top, left + 26, top + 26), fill=entry.colour)
    draw.text(
        (left + 13, top + 13),
        str(entry.number),
        fill=_BACKGROUND,
        font=ImageFont.load_default(18),
        anchor="mm",
    )


def _dashed(
    draw: ImageDraw.ImageDraw,
    area: tuple[float, float, float, float],
    dash: float = 10.0,
) -> None:
    left, top, right, bottom = area
    for start in _steps(left, right, 2 * dash):
        end = min(start + dash, right)
        draw.line((start, top, end, top), fill=_TRUTH, width=2)
        draw.line((start, bottom, end, bottom), fill=_TRUTH, width=2)
    for start in _steps(top, bottom, 2 * dash):
        end = min(start + dash, bottom)
        draw.line((left, start, left, end), fill=_TRUTH, width=2)
        draw.line((right, start, right, end), fill=_TRUTH, width=2)


def _steps(start: float, stop: float, step: float) -> list[float]:
    return [start + step * count for count in range(int((stop - start) / step) + 1)]


def _legend_panel(
    title: str,
    entries: Sequence[_Entry],
    without_box: Sequence[str],
    *,
    has_truth: bool,
) -> Image.Image:
    """Return the panel beside the film: as high as the film, or as its text."""
    panel = Image.new("RGB", (_PANEL_WIDTH, _PANEL_LIMIT), _BACKGROUND)
    pen = _Pen(draw=ImageDraw.Draw(panel))
    pen.write(title, size=22, colour=_INK)
    for entry in entries:
        _tag(pen.draw, (_MARGIN, pen.top - 2), entry)
        pen.write(entry.sentence, size=19, colour=_INK, indent=40)
    if without_box:
        pen.write("Without a box", size=15, colour=_MUTED)
    for sentence in without_box:
        pen.write(sentence, size=17, colour=_INK)
    pen.top = max(pen.top, DRAWN_HEIGHT - _KEY_HEIGHT)
    pen.write("Solid: box in the stored report", size=15, colour=_MUTED)
    if has_truth:
        pen.write("Dashed: planted truth", size=15, colour=_MUTED)
    height = min(max(DRAWN_HEIGHT, round(pen.top)), _PANEL_LIMIT)
    return panel.crop((0, 0, _PANEL_WIDTH, height))


@dataclass(slots=True, kw_only=True)
class _Pen:
    """Writes lines one below the other; `top` is where the next one goes."""

    draw: ImageDraw.ImageDraw
    top: float = _MARGIN

    def write(
        self, content: str, *, size: int, colour: Colour, indent: int = 0
    ) -> None:
        """Write `content` in as many lines as it needs."""
        font = ImageFont.load_default(size)
        width = _PANEL_WIDTH - 2 * _MARGIN - indent
        for line in textwrap.wrap(content, int(width / (_GLYPH_SHARE * size))):
            place = (_MARGIN + indent, self.top)
            self.draw.text(place, line, fill=colour, font=font)
            self.top += size * 1.35
        self.top += _MARGIN / 2
