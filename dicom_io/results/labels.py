"""Where the texts of the presentation state stand; pure.

Coordinates are PIXEL units (column, row) as in `PixelBox`, except for the
notice. Every area lies inside the image and has an area.

A label overlaps another, or the notice, only where those placed before it leave
no room in the image for it. Of the places that are left it takes one that touches
its own box and covers no other: above, below, left or right of it, then inside;
else the one that covers least of other boxes, of these the nearest.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from dicom_io.coordinates import ImageFrame, PixelBox
from dicom_io.results.placement import PlacedFinding, TrackedBox
from dicom_io.results.text import SHORT_TEXT_LIMIT, shorten, wrap

Area = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels: exact in the single precision of FL."""
Rectangles = npt.NDArray[np.float64]
"""(n, 4): left, top, right, bottom."""

NOTICE_AREA = (0.05, 0.01, 0.95, 0.05)
"""Left, top, right, bottom of the research notice, as shares of the display."""

LINE_END = "\r\n"
_LINE_HEIGHT = 0.02
"""Of the image's longer side, which a viewer fits to its window: 20 of 1000 pixels
of a screen, what letters of 14 points need."""
_LETTER_WIDTH = 0.009
_LINE_LETTERS = 40
_FEWEST_LETTERS = 8
"""A line of a narrow image; shorter ones cannot be read."""
_SHORTEST = 3
"""Letters; room for a number of two digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The text at one box.

    text : lines, separated by CR LF as ST has them (PS3.5 6.2).
    anchor : (column, row) of the box that the label belongs to, None where the
        label touches its box.
    """

    finding: PlacedFinding
    tracked: TrackedBox
    text: str
    area: Area
    anchor: tuple[float, float] | None


def place_labels(
    findings: Sequence[PlacedFinding], frame: ImageFrame
) -> tuple[Label, ...]:
    """Return a label for each box, in the order of the findings.

    The same findings and frame give the same labels.
    """
    boxes = [tracked.box for finding in findings for tracked in finding.boxes]
    taken: list[Area] = [_notice(frame)]
    labels = []
    for finding in findings:
        for tracked in finding.boxes:
            lines = label_lines(finding, tracked, frame)
            area = _place(_size(lines, frame), tracked.box, boxes, taken, frame)
            taken.append(area)
            labels.append(
                Label(
                    finding=finding,
                    tracked=tracked,
                    text=LINE_END.join(lines),
                    area=area,
                    anchor=_anchor(area, tracked.box),
                )
            )
    return tuple(labels)


def label_lines(
    finding: PlacedFinding, tracked: TrackedBox, frame: ImageFrame
) -> tuple[str, ...]:
    """Return number and sentence, the whole sentence at its first box only.

    More than an ST value holds is shortened; the SR has it all.
    """
    if tracked != finding.boxes[0]:
        return (str(finding.number),)
    limit = SHORT_TEXT_LIMIT
    while True:
        sentence = shorten(f"{finding.number} {finding.sentence}", limit)
        lines = _lines(sentence, frame)
        excess = len(LINE_END.join(lines)) - SHORT_TEXT_LIMIT
        if excess <= 0:
            return lines
        limit -= excess


def _lines(sentence: str, frame: ImageFrame) -> tuple[str, ...]:
    """Wrap at `_LINE_LETTERS`, or at the image's width where it gets too high."""
    longer_side = max(frame.rows, frame.columns)
    across = int(frame.columns / (_LETTER_WIDTH * longer_side))
    widest = max(across, _FEWEST_LETTERS)
    lines = wrap(sentence, min(_LINE_LETTERS, widest))
    if len(lines) * _LINE_HEIGHT * longer_side <= frame.rows:
        return lines
    return wrap(sentence, widest)


def _size(lines: Sequence[str], frame: ImageFrame) -> tuple[int, int]:
    """Return (width, height) in pixels, at most those of the image."""
    longer_side = max(frame.rows, frame.columns)
    letters = max(_SHORTEST, *map(len, lines))
    width = math.ceil(letters * _LETTER_WIDTH * longer_side)
    height = math.ceil(len(lines) * _LINE_HEIGHT * longer_side)
    return min(width, frame.columns), min(height, frame.rows)


def _notice(frame: ImageFrame) -> Area:
    """Return the pixels under the notice: the display shows the whole image."""
    left, top, right, bottom = NOTICE_AREA
    return (
        math.floor(left * frame.columns),
        math.floor(top * frame.rows),
        math.ceil(right * frame.columns),
        math.ceil(bottom * frame.rows),
    )


def _place(
    size: tuple[int, int],
    box: PixelBox,
    boxes: Sequence[PixelBox],
    taken: Sequence[Area],
    frame: ImageFrame,
) -> Area:
    """Return the best place: first of those at the box, then of those left."""
    labels, own = np.array(taken, float), np.array([_outside(box)], float)
    others = np.array([_outside(each) for each in boxes if each != box], float)
    areas = _areas(_beside(size, _outside(box)), size, frame)
    if not _free(areas, labels, others).any():
        areas = np.vstack([areas, _areas(_gaps(size, box, taken), size, frame)])
    order = (
        _covered(areas, own),
        _distances(areas, box),
        _covered(areas, others),
        _covered(areas, labels),
    )
    left, top, right, bottom = areas[np.lexsort(order)[0]].astype(int).tolist()
    return left, top, right, bottom


def _beside(size: tuple[int, int], box: Area) -> Iterator[tuple[int, int]]:
    """Yield left and top of the places that touch a box, the usual first."""
    width, height = size
    left, top, right, bottom = box
    for column in (left, right - width):
        yield column, top - height
    for column in (left, right - width):
        yield column, bottom
    for row in (top, bottom - height):
        yield left - width, row
    for row in (top, bottom - height):
        yield right, row
    yield from product((left, right - width), (top, bottom - height))


def _gaps(
    size: tuple[int, int], box: PixelBox, taken: Sequence[Area]
) -> Iterator[tuple[int, int]]:
    """Yield left and top of places all over the image.

    Whatever free place there is, moved left and up as far as it goes it stands at
    edges of what is taken or of the image: so one of these is free if any is.
    """
    width, height = size
    own = _outside(box)
    columns = {0, own[0], own[2]}.union(*({a[2], a[0] - width} for a in taken))
    rows = {0, own[1], own[3]}.union(*({a[3], a[1] - height} for a in taken))
    return product(sorted(columns), sorted(rows))


def _areas(
    corners: Iterable[tuple[int, int]], size: tuple[int, int], frame: ImageFrame
) -> Rectangles:
    """Return the areas of this size, moved into the image where they leave it."""
    starts, extent = np.array(list(corners), float), np.array(size, float)
    starts = np.clip(starts, 0, np.array([frame.columns, frame.rows]) - extent)
    return np.hstack([starts, starts + extent])


def _covered(areas: Rectangles, others: Rectangles) -> npt.NDArray[np.float64]:
    """Return for each area how many pixels of the others it covers, (n,)."""
    one, other = areas[:, None], others.reshape(1, -1, 4)
    start = np.maximum(one[..., :2], other[..., :2])
    end = np.minimum(one[..., 2:], other[..., 2:])
    pixels = np.clip(end - start, 0, None).prod(axis=-1).sum(axis=1)
    return np.asarray(pixels, np.float64)


def _free(
    areas: Rectangles, labels: Rectangles, boxes: Rectangles
) -> npt.NDArray[np.bool_]:
    covered = _covered(areas, labels) + _covered(areas, boxes)
    return np.asarray(covered == 0, np.bool_)


def _distances(areas: Rectangles, box: PixelBox) -> npt.NDArray[np.float64]:
    """Return how far each area is from the box, 0 where it touches it, (n,)."""
    left, top, right, bottom = _outside(box)
    across = np.maximum(left - areas[:, 2], areas[:, 0] - right)
    down = np.maximum(top - areas[:, 3], areas[:, 1] - bottom)
    far = np.hypot(np.clip(across, 0, None), np.clip(down, 0, None))
    return np.asarray(far, np.float64)


def _anchor(area: Area, box: PixelBox) -> tuple[float, float] | None:
    if _distances(np.array([area], float), box)[0] == 0:
        return None
    return (box.left, box.top)


def _outside(box: PixelBox) -> Area:
    """Return the whole pixels that a box touches."""
    return (
        math.floor(box.left),
        math.floor(box.top),
        math.ceil(box.right),
        math.ceil(box.bottom),
    )
