"""A radiograph with its findings drawn on it, for people; pure.

No name of a patient is ever drawn. The letters are those of the font that Pillow
brings, which is English only: another letter becomes a crossed box, and the
picture says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from dicom_io.coordinates import ImageFrame, PixelBox
from dicom_io.product import RESEARCH_NOTICE
from dicom_io.results.lettering import Colour, Pen, can_be_shown
from dicom_io.results.read import ReadFinding
from dicom_io.results.wording import margins_in_words
from model.report import GreyImage

DRAWN_HEIGHT = 900
"""Pixels of the radiograph in the picture, whatever its stored size."""
DRAWN_WIDTH = 1800
"""The most pixels of a radiograph that is wider than it is high."""

_PANEL_WIDTH = 440
_BANNER_HEIGHT = 44
_PANEL_LIMIT = 4096
_SENTENCES_LIMIT = 3400
"""Where the sentences end at the latest: what the marks mean stands below them."""
_KEY_HEIGHT = 150
_MARGIN = 24
_CUT_SHORT = "The text goes on: there is more of it than this picture holds."
_NO_LETTER = "Crossed box: a letter that this picture cannot show"
_BACKGROUND: Colour = (18, 22, 28)
_INK: Colour = (232, 236, 241)
_MUTED: Colour = (150, 160, 172)
_WARNING: Colour = (255, 196, 0)
_TRUTH: Colour = (255, 255, 255)
_UNSEEN: Colour = (120, 130, 142)
_UNSEEN_LABEL = "not seen by the model"
_DIMMED = 0.55
"""Share of its brightness that an unseen margin keeps: dark, and still to be read."""
_HATCH_STEP = 14
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
class Entry:
    """One sentence with all its boxes and the number by which both are marked."""

    number: int
    sentence: str
    boxes: tuple[PixelBox, ...]

    @property
    def colour(self) -> Colour:
        """Return the colour of number and boxes."""
        return _PALETTE[(self.number - 1) % len(_PALETTE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What a picture shows.

    image : (rows, columns) uint8, in the greys in which it is shown to people;
        0 = black. Boxes are in its pixels.
    pixel_ratio : height of a pixel divided by its width.
    truth : boxes known to be right (planted ones), drawn dashed.
    without_box : sentences that have no place in the image.
    heading : what stands below the title; remarks : what stands below all.
    """

    image: GreyImage
    entries: tuple[Entry, ...] = ()
    without_box: tuple[str, ...] = ()
    truth: tuple[PixelBox, ...] = ()
    title: str = ""
    heading: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    pixel_ratio: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Pixels of the picture for one of the film."""

    across: float
    down: float

    def area(self, box: PixelBox) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom of a box in the picture."""
        return (
            box.left * self.across,
            box.top * self.down + _BANNER_HEIGHT,
            box.right * self.across,
            box.bottom * self.down + _BANNER_HEIGHT,
        )


def draw_findings(
    image: GreyImage,
    findings: Sequence[ReadFinding],
    truth: Sequence[PixelBox] = (),
    without_box: Sequence[str] = (),
    title: str = "",
) -> bytes:
    """Return what an archive gave back as a PNG: the stored result itself.

    image, truth, without_box, title : as in `Drawing`. Boxes of one sentence share
    a number. The same arguments give the same bytes.
    """
    drawing = Drawing(
        image=image,
        entries=_entries(findings),
        without_box=tuple(without_box),
        truth=tuple(truth),
        title=title,
    )
    file = BytesIO()
    draw(drawing).save(file, "PNG", optimize=True)
    return file.getvalue()


def draw(drawing: Drawing) -> Image.Image:
    """Return the radiograph with numbered boxes and a legend, mode RGB.

    The margins that the model's centre crop left out are dimmed and hatched. The
    same drawing gives the same pixels.
    """
    scale = _scale(drawing)
    film = _film(drawing.image, scale)
    panel = _legend_panel(drawing)
    height = max(film.height, panel.height)
    canvas = Image.new(
        "RGB", (film.width + panel.width, _BANNER_HEIGHT + height), _BACKGROUND
    )
    canvas.paste(film, (0, _BANNER_HEIGHT))
    canvas.paste(panel, (film.width, _BANNER_HEIGHT))
    pen = ImageDraw.Draw(canvas)
    _draw_banner(pen, canvas.width)
    _draw_boxes(pen, drawing, scale)
    return canvas


def _scale(drawing: Drawing) -> _Scale:
    rows, columns = drawing.image.shape
    across = min(DRAWN_HEIGHT / (rows * drawing.pixel_ratio), DRAWN_WIDTH / columns)
    return _Scale(across=across, down=across * drawing.pixel_ratio)


def _film(image: GreyImage, scale: _Scale) -> Image.Image:
    rows, columns = image.shape
    size = max(1, round(columns * scale.across)), max(1, round(rows * scale.down))
    film = Image.fromarray(image).resize(size).convert("RGB")
    for left, top, right, bottom in _unseen_margins(columns, rows):
        _draw_margin(
            film,
            (
                round(left * scale.across),
                round(top * scale.down),
                round(right * scale.across),
                round(bottom * scale.down),
            ),
        )
    return film


def _entries(findings: Sequence[ReadFinding]) -> tuple[Entry, ...]:
    boxes: dict[str, list[PixelBox]] = {}
    for finding in findings:
        boxes.setdefault(finding.sentence, []).append(finding.box)
    return tuple(
        Entry(number=number, sentence=sentence, boxes=tuple(of_sentence))
        for number, (sentence, of_sentence) in enumerate(boxes.items(), 1)
    )


def _unseen_margins(width: int, height: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return what lies beside the central square, as left, top, right, bottom.

    A film is turned by quarters before the crop, so the square lies in its middle
    also in the orientation in which it is stored.
    """
    cut = abs(width - height) // 2
    if cut == 0:
        return ()
    if width > height:
        return (0, 0, cut, height), (width - cut, 0, width, height)
    return (0, 0, width, cut), (0, height - cut, width, height)


def _draw_margin(film: Image.Image, area: tuple[int, int, int, int]) -> None:
    """Dim and hatch a margin, line its inner edges and name it where it has room."""
    if area[0] == area[2] or area[1] == area[3]:
        return
    margin = film.crop(area).point(lambda grey: grey * _DIMMED)
    width, height = margin.size
    draw = ImageDraw.Draw(margin)
    for start in range(-height, width, _HATCH_STEP):
        draw.line((start, height, start + height, 0), fill=_UNSEEN)
    draw.rectangle((0, 0, width - 1, height - 1), outline=_WARNING)
    _name_margin(margin)
    film.paste(margin, area[:2])


def _name_margin(margin: Image.Image) -> None:
    """Write what a margin is into its middle, along its longer side."""
    font = ImageFont.load_default(15)
    left, top, right, bottom = font.getbbox(_UNSEEN_LABEL)
    label = Image.new("RGB", (round(right - left) + 12, round(bottom - top) + 8))
    pen = ImageDraw.Draw(label)
    middle = (label.width / 2, label.height / 2)
    pen.text(middle, _UNSEEN_LABEL, fill=_WARNING, font=font, anchor="mm")
    if margin.height > margin.width:
        label = label.transpose(Image.Transpose.ROTATE_90)
    if label.width <= margin.width and label.height <= margin.height:
        place = (margin.width - label.width) // 2, (margin.height - label.height) // 2
        margin.paste(label, place)


def _keys(drawing: Drawing) -> tuple[str, ...]:
    """Return what the drawing's marks mean."""
    rows, columns = drawing.image.shape
    unseen = margins_in_words(ImageFrame(rows=rows, columns=columns))
    shown = (drawing.title, *drawing.heading, *drawing.without_box, *drawing.remarks)
    sentences = (*shown, *(entry.sentence for entry in drawing.entries))
    return (
        *(("Solid: box in the report",) if drawing.entries else ()),
        *(("Dashed: planted truth",) if drawing.truth else ()),
        *((f"Hatched: not seen by the model, {unseen}",) if unseen else ()),
        *((_NO_LETTER,) if not all(map(can_be_shown, sentences)) else ()),
    )


def _draw_banner(draw: ImageDraw.ImageDraw, width: int) -> None:
    draw.rectangle((0, 0, width, _BANNER_HEIGHT - 1), fill=_WARNING)
    draw.text(
        (width / 2, _BANNER_HEIGHT / 2),
        RESEARCH_NOTICE.upper(),
        fill=_BACKGROUND,
        font=ImageFont.load_default(22),
        anchor="mm",
    )


def _draw_boxes(draw: ImageDraw.ImageDraw, drawing: Drawing, scale: _Scale) -> None:
    for entry in drawing.entries:
        for box in entry.boxes:
            area = scale.area(box)
            draw.rectangle(area, outline=entry.colour, width=4)
            _tag(draw, (area[0], max(area[1] - 26, _BANNER_HEIGHT)), entry)
    # on top, so that both can be seen where they agree
    for box in drawing.truth:
        _dashed(draw, scale.area(box))


def _tag(draw: ImageDraw.ImageDraw, corner: tuple[float, float], entry: Entry) -> None:
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


def _legend_panel(drawing: Drawing) -> Image.Image:
    """Return the panel beside the film: as high as the film, or as its text."""
    panel = Image.new("RGB", (_PANEL_WIDTH, _PANEL_LIMIT), _BACKGROUND)
    pen = Pen(
        draw=ImageDraw.Draw(panel),
        left=_MARGIN,
        right=_PANEL_WIDTH - _MARGIN,
        top=_MARGIN,
        limit=_SENTENCES_LIMIT,
    )
    pen.write(drawing.title, size=22, colour=_INK)
    for line in drawing.heading:
        pen.write(line, size=15, colour=_MUTED)
    _write_sentences(pen, drawing)
    pen.limit = _PANEL_LIMIT
    pen.top = max(pen.top, DRAWN_HEIGHT - _KEY_HEIGHT)
    for key in _keys(drawing):
        pen.write(key, size=15, colour=_MUTED)
    for remark in drawing.remarks:
        pen.write(remark, size=15, colour=_WARNING)
    height = min(max(DRAWN_HEIGHT, round(pen.top)), _PANEL_LIMIT)
    return panel.crop((0, 0, _PANEL_WIDTH, height))


def _write_sentences(pen: Pen, drawing: Drawing) -> None:
    for entry in drawing.entries:
        if pen.top < pen.limit:
            _tag(pen.draw, (_MARGIN, pen.top - 2), entry)
        pen.write(entry.sentence, size=19, colour=_INK, indent=40)
    if drawing.entries and drawing.without_box:
        pen.write("Without a box", size=15, colour=_MUTED)
    for sentence in drawing.without_box:
        pen.write(sentence, size=17, colour=_INK)
    if pen.is_cut:
        pen.limit = _PANEL_LIMIT
        pen.write(_CUT_SHORT, size=17, colour=_WARNING)
