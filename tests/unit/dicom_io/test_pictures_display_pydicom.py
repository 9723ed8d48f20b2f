"""The judge is pydicom's own LUTs, on every value that 16 bits can hold."""

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian

from dicom_io.options import Rendering
from dicom_io.pictures.display import render
from dicom_io.pictures.greyscale import read_grey_scale
from tests.data.films import film_dataset

UNSIGNED = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
SIGNED = np.arange(-(1 << 15), 1 << 15, dtype=np.int16).reshape(256, 256)
TWELVE_BITS = np.arange(1 << 12, dtype=np.uint16).reshape(64, 64)
EIGHT_BITS = np.arange(1 << 8, dtype=np.uint8).reshape(16, 16)
IMAGES: dict[str, npt.NDArray[np.generic]] = {
    "unsigned": UNSIGNED,
    "signed": SIGNED,
    "12 bits": TWELVE_BITS,
    "8 bits": EIGHT_BITS,
}
BITS = {"unsigned": 16, "signed": 16, "12 bits": 12, "8 bits": 8}

WINDOWS = [
    (2048, 4096, "LINEAR"),
    (2048, 3600, "LINEAR"),
    (1000.5, 333.3, "LINEAR"),
    (-500, 1500, "LINEAR"),
    (100, 2, "LINEAR"),
    (40000, 65536, "LINEAR"),
    (2048, 4096, "LINEAR_EXACT"),
    (1000.5, 333.3, "LINEAR_EXACT"),
    (-500, 0.5, "LINEAR_EXACT"),
    (2048, 4096, "SIGMOID"),
    (-500, 1234.5, "SIGMOID"),
]
RESCALES = [(1, 0), (2, -1000), (0.25, 7.5), (1.7, -32.1)]


def table(first: int, bits: int, entries: npt.NDArray[np.uint16]) -> Dataset:
    item = Dataset()
    count = entries.size % (1 << 16)
    kind = "SS" if first < 0 else "US"
    item.add_new("LUTDescriptor", kind, [count, first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return item


def curve(size: int, bits: int) -> npt.NDArray[np.uint16]:
    """Return a gamma curve with all outputs that the bits allow."""
    largest = (1 << bits) - 1
    share = np.linspace(0, 1, size) ** 0.45
    return np.floor(share * largest + 0.5).astype(np.uint16)


def film(name: str, **header: object) -> Dataset:
    bits = BITS[name]
    ds = film_dataset(IMAGES[name], BitsStored=bits, HighBit=bits - 1)
    for keyword, value in header.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def window_range(ds: Dataset) -> tuple[float, float]:
    """Return the output range of pydicom's windows: that of the modality LUT."""
    if "ModalityLUTSequence" in ds:
        return 0.0, float((1 << int(ds.ModalityLUTSequence[0].LUTDescriptor[2])) - 1)
    bits, signed = int(ds.BitsStored), int(ds.PixelRepresentation)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope = float(ds.get("RescaleSlope", 1))
    intercept = float(ds.get("RescaleIntercept", 0))
    return low * slope + intercept, high * slope + intercept


def stored_values(ds: Dataset) -> npt.NDArray[np.integer[npt.NBitBase]]:
    kind = f"{'iu'[ds.PixelRepresentation == 0]}{ds.BitsAllocated // 8}"
    return np.frombuffer(ds.PixelData, kind).reshape(ds.Rows, ds.Columns)


def judge(ds: Dataset, low: float, high: float) -> npt.NDArray[np.float64]:
    """Return pydicom's picture in 8 bits, halves up.

    A half is one also where floating point, here or there, missed it by 1e-9.
    """
    stored = stored_values(ds).ravel()
    shown = apply_voi_lut(apply_modality_lut(stored, ds), ds, prefer_lut=False)
    share = (shown.astype(np.float64) - low) / (high - low)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        share = 1 - share
    return np.floor(share * 255 + 0.5 + 1e-9).reshape(ds.Rows, ds.Columns)


def ours(ds: Dataset) -> npt.NDArray[np.uint8]:
    return render(stored_values(ds), read_grey_scale(ds), Rendering.VOI)


@pytest.mark.parametrize("polarity", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("center", "width", "function"), WINDOWS)
@pytest.mark.parametrize("name", IMAGES)
def test_every_value_in_every_window_is_pydicoms(
    name: str, center: float, width: float, function: str, polarity: str
) -> None:
    for slope, intercept in RESCALES:
        ds = film(
            name,
            WindowCenter=center,
            WindowWidth=width,
            VOILUTFunction=function,
            RescaleSlope=slope,
            RescaleIntercept=intercept,
            PhotometricInterpretation=polarity,
        )
        assert np.array_equal(ours(ds), judge(ds, *window_range(ds)))


@pytest.mark.parametrize("polarity", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("name", "first", "size", "bits"),
    [
        ("unsigned", 0, 1 << 16, 16),
        ("unsigned", 1000, 4096, 12),
        ("signed", -1000, 5000, 14),
        ("signed", 100, 300, 10),
        ("12 bits", 0, 4096, 10),
        ("8 bits", 0, 256, 8),  # pydicom's index of such a table has 8 bits itself
    ],
)
def test_every_value_in_a_voi_table_is_pydicoms(
    name: str, first: int, size: int, bits: int, polarity: str
) -> None:
    lut = table(first, bits, curve(size, bits))
    ds = film(name, VOILUTSequence=[lut], PhotometricInterpretation=polarity)
    assert np.array_equal(ours(ds), judge(ds, 0, (1 << bits) - 1))


@pytest.mark.parametrize(("center", "width", "function"), WINDOWS)
@pytest.mark.parametrize("name", ["unsigned", "12 bits"])
def test_every_value_in_a_modality_table_and_a_window_is_pydicoms(
    name: str, center: float, width: float, function: str
) -> None:
    ds = film(
        name,
        ModalityLUTSequence=[table(200, 16, curve(3000, 12))],
        WindowCenter=center,
        WindowWidth=width,
        VOILUTFunction=function,
    )
    assert np.array_equal(ours(ds), judge(ds, *window_range(ds)))


@pytest.mark.parametrize("name", IMAGES)
def test_every_value_without_a_window_is_the_stretched_modality_value(
    name: str,
) -> None:
    for slope, intercept in RESCALES:
        ds = film(name, RescaleSlope=slope, RescaleIntercept=intercept)
        assert np.array_equal(ours(ds), judge(ds, *window_range(ds)))
