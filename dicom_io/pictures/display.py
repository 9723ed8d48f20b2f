"""Stored values -> the 8-bit picture; pure, numpy alone.

A radiograph's stored values have at most 16 bits. So each transformation is
worked out once for every possible value, as a table, and the picture is one look
into that table: exact, and light on memory.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from dicom_io.options import Rendering
from model.report import GreyImage

StoredImage = npt.NDArray[np.integer[npt.NBitBase]]
"""(rows, columns) stored values: uint8, int8, uint16 or int16."""
Values = npt.NDArray[np.float64]
"""One value for each possible stored value, lowest first."""


class VoiFunction(StrEnum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Window Center and Window Width, in units of the modality LUT's output."""

    center: float
    width: float
    function: VoiFunction = VoiFunction.LINEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupTable:
    """A Modality or VOI LUT: `entries[0]` belongs to the input `first`.

    Inputs below and above take the first and the last entry (PS3.3 C.11.1.1.1).
    `largest` is the largest output that its bits allow.
    """

    first: int
    entries: Values
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyScale:
    """What the header says about the meaning of stored values.

    `modality_table` replaces `slope` and `intercept`. `padding` is an inclusive
    range of stored values that are no part of the image (0028,0120, 0028,0121).
    `inverted`: the lowest value is white (MONOCHROME1).
    """

    slope: float = 1.0
    intercept: float = 0.0
    modality_table: LookupTable | None = None
    window: Window | None = None
    voi_table: LookupTable | None = None
    padding: tuple[int, int] | None = None
    inverted: bool = False


def render(stored: StoredImage, scale: GreyScale, rendering: Rendering) -> GreyImage:
    """Return the picture, 0 = black, in the orientation of `stored`.

    as-trained : modality LUT, then the range of this image without its padding
    stretched to 0..255. voi : modality LUT, then the window or else the VOI LUT,
    or else the same stretch (PS3.3 C.11.1, C.11.2; PS3.4 N.2).

    MONOCHROME1 is inverted after that, padding becomes black, and halves are
    rounded up. An image of one value becomes black altogether.
    """
    lowest = int(np.iinfo(stored.dtype).min)
    possible = np.arange(lowest, np.iinfo(stored.dtype).max + 1)
    index = stored.astype(np.int32) - lowest
    used = np.bincount(index.ravel(), minlength=possible.size) > 0
    padding = _is_padding(possible, scale)
    values = modality_values(possible.astype(np.float64), scale)
    shares = _shares(values, used & ~padding, scale, rendering)
    if scale.inverted:
        shares = 1.0 - shares
    table = np.floor(shares * 255.0 + 0.5).astype(np.uint8)
    table[padding] = 0
    if not shares[used & ~padding].size or np.ptp(values[used & ~padding]) == 0:
        table[:] = 0
    return np.asarray(table[index])


def modality_values(stored: Values, scale: GreyScale) -> Values:
    """Apply the Modality LUT or Rescale Slope and Intercept (PS3.3 C.11.1)."""
    if scale.modality_table is not None:
        return apply_table(stored, scale.modality_table)
    return stored * scale.slope + scale.intercept


def apply_table(values: Values, table: LookupTable) -> Values:
    """Look each value up; beyond the ends the end's entry holds."""
    last = table.entries.size - 1
    index = np.clip(np.floor(values) - table.first, 0, last).astype(np.int64)
    return np.asarray(table.entries[index])


def apply_window(values: Values, window: Window) -> Values:
    """Return shares in [0, 1] of the output range (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    center, width = window.center, window.width
    match window.function:
        case VoiFunction.LINEAR:
            # Width 1 is a threshold: the slope's divisor would be 0.
            slope = max(width - 1.0, np.finfo(np.float64).tiny)
            low = center - 0.5 - (width - 1.0) / 2.0
            share = (values - (center - 0.5)) / slope + 0.5
            return np.where(values <= low, 0.0, np.clip(share, 0.0, 1.0))
        case VoiFunction.LINEAR_EXACT:
            return np.clip((values - center) / width + 0.5, 0.0, 1.0)
        case VoiFunction.SIGMOID:
            exponent = np.clip(-4.0 * (values - center) / width, -700.0, 700.0)
            return np.asarray(1.0 / (1.0 + np.exp(exponent)))


def _shares(
    values: Values, visible: npt.NDArray[np.bool_], scale: GreyScale, how: Rendering
) -> Values:
    """Return each value's share of white in [0, 1], before polarity."""
    if how is Rendering.VOI and scale.window is not None:
        return apply_window(values, scale.window)
    if how is Rendering.VOI and scale.voi_table is not None:
        looked_up = apply_table(values, scale.voi_table)
        return np.clip(looked_up / scale.voi_table.largest, 0.0, 1.0)
    seen = values[visible]
    if not seen.size or np.ptp(seen) == 0:
        return np.zeros_like(values)
    return np.asarray(np.clip((values - seen.min()) / np.ptp(seen), 0.0, 1.0))


def _is_padding(
    possible: npt.NDArray[np.int64], scale: GreyScale
) -> npt.NDArray[np.bool_]:
    if scale.padding is None:
        return np.zeros(possible.shape, np.bool_)
    low, high = scale.padding
    return (possible >= low) & (possible <= high)
