"""Stored values -> the 8-bit picture; pure, numpy alone.

A radiograph's stored values have at most 16 bits. So modality LUT, VOI, polarity and
8 bits are worked out once for every possible value, as one table, and the picture is
one look into that table: exact, and light on memory.
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
_BLOCK = 1 << 16
_COUNTED = 1 << 18
"""Values counted at one time: counting makes a copy eight bytes wide."""
_HALF = 0.5 + 1e-9
"""Rounds a half up even where its floating-point value falls a little short of it: the
picture does not depend on the order of the arithmetic."""


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
    return look_up(stored, fuse(stored, scale, rendering))


def fuse(stored: StoredImage, scale: GreyScale, rendering: Rendering) -> GreyImage:
    """Return the whole way from stored value to picture as one table.

    One entry for each possible stored value of the type, lowest first. See `render`.
    """
    limits = np.iinfo(stored.dtype)
    possible = np.arange(limits.min, limits.max + 1)
    values = modality_values(possible.astype(np.float64), scale)
    seen = values[_deciding(stored, scale) - limits.min]
    if not seen.size or np.ptp(seen) == 0:
        return np.zeros(possible.shape, np.uint8)
    shares = _shares(values, seen, scale, rendering)
    if scale.inverted:
        shares = 1.0 - shares
    table: GreyImage = np.floor(shares * 255.0 + _HALF).astype(np.uint8)
    table[_is_padding(possible, scale)] = 0
    return table


def value_range(stored: StoredImage, scale: GreyScale) -> tuple[float, float]:
    """Return the lowest and the highest output of the modality LUT in this image.

    Padding does not count; (0.0, 0.0) where there is nothing else.
    """
    used = _deciding(stored, scale).astype(np.float64)
    values = modality_values(used, scale)
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def look_up(stored: StoredImage, table: GreyImage) -> GreyImage:
    """Return the entry of each stored value; `table` as `fuse` returns it.

    Goes by blocks, whose indices stay in the processor's cache.
    """
    lowest = int(np.iinfo(stored.dtype).min)
    # Seen as unsigned, negative values come last.
    unsigned = np.roll(table, lowest)
    values = np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    index = values.view(f"u{values.itemsize}").ravel()
    picture = np.empty(index.size, np.uint8)
    for start in range(0, index.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        # "clip" clips nothing here; it lets the entries go straight to their place.
        np.take(unsigned, index[block], out=picture[block], mode="clip")
    return picture.reshape(stored.shape)


def count_values(stored: StoredImage | GreyImage) -> npt.NDArray[np.int64]:
    """Count how often each possible value of the type occurs, lowest value first."""
    lowest = int(np.iinfo(stored.dtype).min)
    values = np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    unsigned = values.view(f"u{values.itemsize}").ravel()
    counts = np.zeros(1 << 8 * values.itemsize, np.int64)
    for start in range(0, unsigned.size, _COUNTED):
        block = unsigned[start : start + _COUNTED]
        counts += np.bincount(block, minlength=counts.size)
    # Seen as unsigned, negative values came last.
    return np.roll(counts, -lowest)


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


def _deciding(stored: StoredImage, scale: GreyScale) -> npt.NDArray[np.int64]:
    """Return stored values with the lowest and the highest of the modality LUT.

    Empty where all is padding. Rescaling keeps or turns the order, so the extremes
    are enough, unless one is padding; a table may put any value anywhere.
    """
    extremes = np.array([stored.min(), stored.max()], np.int64)
    if scale.modality_table is None and not _is_padding(extremes, scale).any():
        return extremes
    used = np.flatnonzero(count_values(stored)) + int(np.iinfo(stored.dtype).min)
    return used[~_is_padding(used, scale)]


def _shares(values: Values, seen: Values, scale: GreyScale, how: Rendering) -> Values:
    """Return each value's share of white in [0, 1], before polarity.

    `seen` : values with the lowest and the highest of the image, which differ.
    """
    if how is Rendering.VOI and scale.window is not None:
        return apply_window(values, scale.window)
    if how is Rendering.VOI and scale.voi_table is not None:
        looked_up = apply_table(values, scale.voi_table)
        return np.clip(looked_up / scale.voi_table.largest, 0.0, 1.0)
    return np.asarray(np.clip((values - seen.min()) / np.ptp(seen), 0.0, 1.0))


def _is_padding(
    possible: npt.NDArray[np.int64], scale: GreyScale
) -> npt.NDArray[np.bool_]:
    if scale.padding is None:
        return np.zeros(possible.shape, np.bool_)
    low, high = scale.padding
    return (possible >= low) & (possible <= high)
