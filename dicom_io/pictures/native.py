"""Uncompressed pixel data ("native format", PS3.5 8.2), taken as it lies in memory.

The default decoder copies the frame two times on its way; here it is not copied at all
where no bit has to be cut.
"""

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

Stored = npt.NDArray[np.integer[npt.NBitBase]]
_DTYPES = {(8, 0): "u1", (8, 1): "i1", (16, 0): "<u2", (16, 1): "<i2"}
"""By Bits Allocated and Pixel Representation."""


def read_native(ds: Dataset) -> Stored | None:
    """Return the stored values of a single grey frame, None where not for us.

    What is compressed, big endian, or not what the header says is left to the default
    decoders, which say what is wrong.
    """
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated or not syntax.is_little_endian:
        return None
    allocated, is_signed = int(ds.BitsAllocated), int(ds.PixelRepresentation)
    dtype = _DTYPES.get((allocated, is_signed))
    single = int(ds.SamplesPerPixel) == int(ds.get("NumberOfFrames") or 1) == 1
    if dtype is None or not single or not 0 < int(ds.BitsStored) <= allocated:
        return None
    shape = int(ds.Rows), int(ds.Columns)
    size = shape[0] * shape[1] * allocated // 8
    if len(ds.PixelData) != size + size % 2:
        return None
    values: Stored = np.frombuffer(ds.PixelData, dtype, shape[0] * shape[1])
    return _cut(values.reshape(shape), allocated - int(ds.BitsStored))


def _cut(values: Stored, unused: int) -> Stored:
    """Clear the highest bits of each value, or fill them with its sign.

    They once held overlays (retired). As a rule they hold nothing, so extremes are
    looked at first.
    """
    limits = np.iinfo(values.dtype)
    if limits.min >> unused <= values.min() <= values.max() <= limits.max >> unused:
        return values
    cut: Stored = (values << unused) >> unused
    return cut
