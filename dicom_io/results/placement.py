"""Which sentence has which boxes in the stored image; pure.

The findings SR and the GSPS are both built from these values, so their
coordinates and tracking UIDs are the same by construction.
"""

from dataclasses import dataclass

from dicom_io.coordinates import ImageFrame, PixelBox, to_pixels
from dicom_io.results.text import clean
from dicom_io.results.values import ResultContext
from dicom_io.uid import derive_uid
from model.report import GroundedPhrase, GroundedReport, NormalizedBox

Point = tuple[float, float]
NO_TEXT = "(no text)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedBox:
    """One box with its identity; `identifier` is "Finding 2 box 1/2"."""

    box: PixelBox
    tracking_uid: str
    identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFinding:
    """One sentence of the report, numbered from 1 in the model's order.

    dropped : number of the model's boxes with no area in the image.
    """

    number: int
    sentence: str
    boxes: tuple[TrackedBox, ...]
    dropped: int


def place_findings(
    report: GroundedReport, frame: ImageFrame, context: ResultContext
) -> tuple[PlacedFinding, ...]:
    """Place each sentence of `report` in the image of `frame`.

    A sentence that is empty once cleaned and has no box is left out; one with a
    box is kept as "(no text)".
    """
    said = [phrase for phrase in report.phrases if phrase.boxes or _sentence(phrase)]
    return tuple(
        _place(number, phrase, _Placing(report=report, frame=frame, context=context))
        for number, phrase in enumerate(said, 1)
    )


def corners(box: PixelBox) -> tuple[Point, ...]:
    """Return the closed outline: five (column, row) points, clockwise.

    A viewer draws three sides of a POLYLINE whose first point is not repeated.
    """
    return (
        (box.left, box.top),
        (box.right, box.top),
        (box.right, box.bottom),
        (box.left, box.bottom),
        (box.left, box.top),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placing:
    report: GroundedReport
    frame: ImageFrame
    context: ResultContext


def _place(number: int, phrase: GroundedPhrase, placing: _Placing) -> PlacedFinding:
    mapped = [_in_image(box, placing) for box in phrase.boxes]
    visible = [box for box in mapped if box is not None]
    return PlacedFinding(
        number=number,
        sentence=_sentence(phrase) or NO_TEXT,
        boxes=tuple(
            TrackedBox(
                box=box,
                tracking_uid=_tracking_uid(placing, number, index),
                identifier=_identifier(number, index, len(visible)),
            )
            for index, box in enumerate(visible, 1)
        ),
        dropped=len(mapped) - len(visible),
    )


def _sentence(phrase: GroundedPhrase) -> str:
    return clean(phrase.text).strip()


def _in_image(box: NormalizedBox, placing: _Placing) -> PixelBox | None:
    frame = placing.frame
    pixels = to_pixels(box.ordered(), frame, placing.report.provenance.crop_side)
    clipped = PixelBox(
        left=min(max(pixels.left, 0.0), frame.columns),
        top=min(max(pixels.top, 0.0), frame.rows),
        right=min(max(pixels.right, 0.0), frame.columns),
        bottom=min(max(pixels.bottom, 0.0), frame.rows),
    )
    has_area = clipped.left < clipped.right and clipped.top < clipped.bottom
    return clipped if has_area else None


def _tracking_uid(placing: _Placing, number: int, index: int) -> str:
    context = placing.context
    where = (str(context.revision), placing.report.task.value, placing.report.phrase)
    keys = [key for key in where if key is not None]
    return derive_uid(context.case_key, "tracking", *keys, str(number), str(index))


def _identifier(number: int, index: int, count: int) -> str:
    return f"Finding {number} box {index}/{count}" if count > 1 else f"Finding {number}"
