"""Normalized box <-> image pixels; pure.

Pixel coordinates have the corner origin of SCOORD and GSPS PIXEL graphics: 0.0
is the left (top) edge of the first column (row), Columns (Rows) the right
(bottom) edge of the last (PS3.3 C.18.6, C.10.5).
"""

from dataclasses import dataclass


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
