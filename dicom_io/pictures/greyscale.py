"""Data set -> GreyScale: what its stored values mean."""

import math

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.pictures.display import GreyScale, LookupTable, VoiFunction, Window


def read_grey_scale(ds: Dataset) -> GreyScale:
    """Read modality LUT, window, VOI LUT, padding and polarity.

    Photometric Interpretation gives the polarity: Presentation LUT Shape has to
    follow it (PS3.3 C.7.6.3.1.2, C.8.11.3), so a shape that contradicts it is
    not obeyed. A window or table that cannot be one counts as absent; of several
    the first is taken.
    """
    signed = ds.get("PixelRepresentation") == 1
    modality_table = _table(ds, "ModalityLUTSequence", signed=signed)
    rescaled_below_zero = modality_table is None and (
        _number(ds, "RescaleIntercept", 0.0) < 0
    )
    return GreyScale(
        slope=_number(ds, "RescaleSlope", 1.0) or 1.0,
        intercept=_number(ds, "RescaleIntercept", 0.0),
        modality_table=modality_table,
        window=_window(ds),
        voi_table=_table(ds, "VOILUTSequence", signed=signed or rescaled_below_zero),
        padding=_padding(ds, signed=signed),
        inverted=ds.get("PhotometricInterpretation") == "MONOCHROME1",
    )


def _values(ds: Dataset, keyword: str) -> list[object]:
    """Return a multi-valued attribute as a list, empty where it is absent."""
    value = ds.get(keyword)
    if value is None or value == "":
        return []
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return [value]
    return list(value)


def _number(ds: Dataset, keyword: str, default: float) -> float:
    values = _values(ds, keyword)
    try:
        number = float(str(values[0]))
    except (IndexError, ValueError):
        return default
    return number if math.isfinite(number) else default


def _window(ds: Dataset) -> Window | None:
    width = _number(ds, "WindowWidth", 0.0)
    center = _number(ds, "WindowCenter", math.nan)
    named = str(ds.get("VOILUTFunction") or VoiFunction.LINEAR)
    known = named in tuple(VoiFunction)
    function = VoiFunction(named) if known else VoiFunction.LINEAR
    narrowest = 1.0 if function is VoiFunction.LINEAR else 0.0
    if math.isnan(center) or width <= 0.0 or width < narrowest:
        return None
    return Window(center=center, width=width, function=function)


def _padding(ds: Dataset, *, signed: bool) -> tuple[int, int] | None:
    """Return the padded range of stored values, in order (PS3.3 C.7.5.1.1.2)."""
    values = _values(ds, "PixelPaddingValue")
    limits = _values(ds, "PixelPaddingRangeLimit")
    if not values:
        return None
    ends = [_stored(ds, value, signed=signed) for value in (values[0], *limits[:1])]
    return min(ends), max(ends)


def _stored(ds: Dataset, value: object, *, signed: bool) -> int:
    """Undo a wrong VR: US and SS share their bytes."""
    number = int(str(value))
    bits = int(ds.BitsAllocated)
    if signed and number >= 1 << (bits - 1):
        return number - (1 << bits)
    return number % (1 << bits) if not signed and number < 0 else number


def _table(ds: Dataset, keyword: str, *, signed: bool) -> LookupTable | None:
    """Return the first item of a LUT sequence (PS3.3 C.11.1.1, C.11.2.1.1)."""
    items = ds.get(keyword) or []
    if len(items) == 0:
        return None
    descriptor = [int(str(value)) for value in _values(items[0], "LUTDescriptor")]
    entries = _entries(items[0])
    if len(descriptor) != 3 or entries.size == 0:
        return None
    count, first, bits = descriptor
    entries = entries[: count or 1 << 16]
    if signed and first >= 1 << 15:
        first -= 1 << 16
    largest = max(float((1 << min(max(bits, 1), 16)) - 1), float(entries.max()))
    return LookupTable(first=first, entries=entries, largest=largest)


def _entries(item: Dataset) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return LUT Data, which may be words, or bytes one entry each."""
    data = item.get("LUTData")
    if isinstance(data, bytes):
        count = int(str(_values(item, "LUTDescriptor")[0])) or 1 << 16
        wide = len(data) >= 2 * count
        order = "<" if item.original_encoding[1] is not False else ">"
        words = np.frombuffer(data, f"{order}u2" if wide else "u1")
        return words.astype(np.float64)
    return np.array([float(str(value)) for value in _values(item, "LUTData")])
