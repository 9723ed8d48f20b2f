"""Which sentence has which boxes in the stored image; pure.

The findings SR and the GSPS are both built from these values, so their
coordinates and tracking UIDs are the same by construction.
"""

from dataclasses import dataclass

import numpy as np

from dicom_io.coordinates import ImageFrame, PixelBox, to_pixels
from dicom_io.results.identity import result_uid
from dicom_io.results.text import clean
from dicom_io.results.values import ResultContext
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
    crop_side = report.provenance.crop_side
    placed = []
    for number, phrase in enumerate(said, 1):
        seen = _seen(phrase, frame, crop_side)
        uids = [
            result_uid(report, context, "tracking", str(number), str(index))
            for index in range(len(seen))
        ]
        placed.append(
            PlacedFinding(
                number=number,
                sentence=_sentence(phrase) or NO_TEXT,
                boxes=_tracked(number, seen, uids),
                dropped=len(phrase.boxes) - len(seen),
            )
        )
    return tuple(placed)


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


def _sentence(phrase: GroundedPhrase) -> str:
    return clean(phrase.text).strip()


def _seen(
    phrase: GroundedPhrase, frame: ImageFrame, crop_side: int
) -> tuple[PixelBox, ...]:
    boxes = (_in_image(box, frame, crop_side) for box in phrase.boxes)
    return tuple(box for box in boxes if box is not None)


def _in_image(box: NormalizedBox, frame: ImageFrame, crop_side: int) -> PixelBox | None:
    pixels = to_pixels(box.ordered(), frame, crop_side)
    seen = PixelBox(
        left=_stored(pixels.left, frame.columns),
        top=_stored(pixels.top, frame.rows),
        right=_stored(pixels.right, frame.columns),
        bottom=_stored(pixels.bottom, frame.rows),
    )
    return seen if seen.left < seen.right and seen.top < seen.bottom else None


def _stored(value: float, limit: int) -> float:
    # FL (PS3.5 6.2) is single precision: what is checked here is what is read back
    return float(np.float32(min(max(value, 0.0), float(limit))))


def _tracked(
    number: int, boxes: tuple[PixelBox, ...], uids: list[str]
) -> tuple[TrackedBox, ...]:
    return tuple(
        TrackedBox(
            box=box, tracking_uid=uid, identifier=_identifier(number, index, len(boxes))
        )
        for index, (box, uid) in enumerate(zip(boxes, uids, strict=True), 1)
    )


def _identifier(number: int, index: int, count: int) -> str:
    return f"Finding {number} box {index}/{count}" if count > 1 else f"Finding {number}"
