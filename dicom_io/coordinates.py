"""Normalized box <-> image pixels; pure.

Pixel coordinates have the corner origin of SCOORD and GSPS PIXEL graphics: 0.0
is the left (top) edge of the first column (row), Columns (Rows) the right
(bottom) edge of the last (PS3.3 C.18.6, C.10.5).

Three frames follow each other: *stored* (the image as it is in the archive),
*upright* (turned by `Orientation`), and the *crop* that the model reads: the
shorter edge is resized to `crop_side`, the long one to
int(crop_side * long / short), and the square in the middle is kept.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from model.report import GreyImage, NormalizedBox

_ROUNDING = 1e-9
"""A share that is off by less lies on the edge of the crop, not beyond it."""


class Projection(StrEnum):
    """From which side the patient was seen."""

    FRONTAL = "frontal"
    LATERAL = "lateral"


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelBox:
    """A rectangle in the stored image: columns to the right, rows down."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """How a stored image is turned to be upright with the patient's left right.

    Applied in this order: swap rows and columns, then mirror left-right, then
    mirror top-bottom. All False: shown as stored.
    """

    transpose: bool = False
    mirror_columns: bool = False
    mirror_rows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFrame:
    """The stored frontal image and how the model was shown it.

    rows, columns : of the stored image, before `orientation`.
    """

    rows: int
    columns: int
    orientation: Orientation = Orientation()


@dataclass(frozen=True, slots=True, kw_only=True)
class CroppedShare:
    """What the model does not see: `share` of the upright picture in [0, 1).

    `sides` names where it lies, half at each: top and bottom, or left and right;
    empty for a square picture.
    """

    share: float
    sides: tuple[str, ...]


def to_pixels(box: NormalizedBox, frame: ImageFrame, crop_side: int) -> PixelBox:
    """Map a box of the model to the stored image, without rounding.

    Each minimum comes out at most its maximum, whatever the model wrote, and
    everything lies within the image.
    """
    ordered = box.ordered()
    width, height = _upright_size(frame)
    left, right = (
        _from_crop(value, width, min(width, height), crop_side)
        for value in (ordered.x_min, ordered.x_max)
    )
    top, bottom = (
        _from_crop(value, height, min(width, height), crop_side)
        for value in (ordered.y_min, ordered.y_max)
    )
    upright = PixelBox(left=left, top=top, right=right, bottom=bottom)
    return _to_stored(upright, frame)


def to_normalized(
    box: PixelBox, frame: ImageFrame, crop_side: int
) -> NormalizedBox | None:
    """Map a box of the stored image to the model's crop, clipped to it.

    None where nothing of the box lies in the crop.
    """
    upright = to_upright(box, frame)
    width, height = _upright_size(frame)
    short = min(width, height)
    x_min = _to_crop(upright.left, width, short, crop_side)
    x_max = _to_crop(upright.right, width, short, crop_side)
    y_min = _to_crop(upright.top, height, short, crop_side)
    y_max = _to_crop(upright.bottom, height, short, crop_side)
    if min(x_max, y_max) < -_ROUNDING or max(x_min, y_min) > 1.0 + _ROUNDING:
        return None
    return NormalizedBox(
        x_min=_clip(x_min, 1.0),
        y_min=_clip(y_min, 1.0),
        x_max=_clip(x_max, 1.0),
        y_max=_clip(y_max, 1.0),
    )


def orientation_of(
    patient_orientation: tuple[str, ...], projection: Projection
) -> Orientation | None:
    """Return how to turn an image with this Patient Orientation (0020,0020).

    Its values are where the row (to the right) and the column (down) point. A
    frontal image is upright with feet down and the patient's left to the right,
    as radiographs are hung; of a lateral image only feet down is asked, it may
    face either way. Absent: as stored. None: it cannot be made upright.
    """
    if not any(patient_orientation):
        return Orientation()
    if len(patient_orientation) != 2 or not all(patient_orientation):
        return None
    across, down = (value[0] for value in patient_orientation)
    transpose = across in "FH"
    if transpose:
        across, down = down, across
    if down not in "FH" or across not in "LRAP":
        return None
    if projection is Projection.FRONTAL and across not in "LR":
        return None
    mirrored = projection is Projection.FRONTAL and across == "R"
    return Orientation(
        transpose=transpose, mirror_columns=mirrored, mirror_rows=down == "H"
    )


def orient(image: GreyImage, orientation: Orientation) -> GreyImage:
    """Turn a stored image upright; (rows, columns) swap where transposed."""
    if orientation.transpose:
        image = image.T
    if orientation.mirror_columns:
        image = image[:, ::-1]
    if orientation.mirror_rows:
        image = image[::-1]
    return np.ascontiguousarray(image)


def cropped_share(frame: ImageFrame) -> CroppedShare:
    """Return what the centre crop leaves out, before the crop's rounding."""
    width, height = _upright_size(frame)
    if width == height:
        return CroppedShare(share=0.0, sides=())
    share = 1.0 - min(width, height) / max(width, height)
    sides = ("left", "right") if width > height else ("top", "bottom")
    return CroppedShare(share=share, sides=sides)


def _upright_size(frame: ImageFrame) -> tuple[int, int]:
    """Return (width, height) after turning."""
    if frame.orientation.transpose:
        return frame.rows, frame.columns
    return frame.columns, frame.rows


def _resized(length: int, short: int, crop_side: int) -> tuple[int, int]:
    """Return an edge's length after resizing, and where the crop begins on it."""
    resized = int(crop_side * length / short)
    return resized, (resized - crop_side) // 2


def _from_crop(share: float, length: int, short: int, crop_side: int) -> float:
    resized, start = _resized(length, short, crop_side)
    return _clip((share * crop_side + start) * length / resized, length)


def _to_crop(position: float, length: int, short: int, crop_side: int) -> float:
    resized, start = _resized(length, short, crop_side)
    return (position * resized / length - start) / crop_side


def _clip(value: float, upper: float) -> float:
    return min(max(value, 0.0), float(upper))


def _to_stored(box: PixelBox, frame: ImageFrame) -> PixelBox:
    """Undo the turning, last step first."""
    width, height = _upright_size(frame)
    if frame.orientation.mirror_rows:
        box = _mirror_rows(box, height)
    if frame.orientation.mirror_columns:
        box = _mirror_columns(box, width)
    return _transpose(box) if frame.orientation.transpose else box


def to_upright(box: PixelBox, frame: ImageFrame) -> PixelBox:
    """Map a box of the stored image to the image as `orient` turns it."""
    width, height = _upright_size(frame)
    if frame.orientation.transpose:
        box = _transpose(box)
    if frame.orientation.mirror_columns:
        box = _mirror_columns(box, width)
    return _mirror_rows(box, height) if frame.orientation.mirror_rows else box


def _mirror_columns(box: PixelBox, width: int) -> PixelBox:
    return PixelBox(
        left=width - box.right, top=box.top, right=width - box.left, bottom=box.bottom
    )


def _mirror_rows(box: PixelBox, height: int) -> PixelBox:
    return PixelBox(
        left=box.left, top=height - box.bottom, right=box.right, bottom=height - box.top
    )


def _transpose(box: PixelBox) -> PixelBox:
    return PixelBox(left=box.top, top=box.left, right=box.bottom, bottom=box.right)
