"""The judge is pydicom's default decoder."""

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicom_io.pictures.native import read_native
from tests.data.films import film_dataset

EVERY = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)


def film(
    stored: np.ndarray, bits: int, syntax: UID = ExplicitVRLittleEndian
) -> Dataset:
    ds = film_dataset(stored, BitsStored=bits, HighBit=bits - 1)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    return ds


@pytest.mark.parametrize("bits", [16, 15, 12, 9, 1])
@pytest.mark.parametrize("kind", ["u2", "i2"])
def test_every_word_is_cut_to_its_stored_bits_as_by_pydicom(
    kind: str, bits: int
) -> None:
    ds = film(EVERY.view(kind), bits)
    stored = read_native(ds)
    assert stored is not None
    assert stored.dtype == ds.pixel_array.dtype
    assert np.array_equal(stored, ds.pixel_array)


@pytest.mark.parametrize("bits", [8, 6])
@pytest.mark.parametrize("kind", ["u1", "i1"])
def test_every_byte_is_cut_to_its_stored_bits_as_by_pydicom(
    kind: str, bits: int
) -> None:
    ds = film(np.arange(255, dtype=np.uint8).view(kind).reshape(15, 17), bits)
    ds.PixelData = ds.PixelData.ljust(256, b"\0")
    stored = read_native(ds)
    assert stored is not None
    assert np.array_equal(stored, ds.pixel_array)


def test_values_within_their_bits_are_not_copied() -> None:
    ds = film(EVERY >> 4, 12)
    stored = read_native(ds)
    assert stored is not None
    assert np.shares_memory(stored, np.frombuffer(ds.PixelData, "u1"))


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_each_little_endian_syntax_is_read(syntax: UID) -> None:
    stored = read_native(film(EVERY, 16, syntax))
    assert stored is not None
    assert np.array_equal(stored, EVERY)


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, RLELossless])
def test_another_syntax_is_left_to_the_default_decoders(syntax: UID) -> None:
    assert read_native(film(EVERY, 16, syntax)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"Rows": 257},
        {"Rows": 255},
        {"BitsStored": 17},
        {"BitsStored": 0},
        {"BitsAllocated": 32},
        {"SamplesPerPixel": 3},
        {"NumberOfFrames": 2},
        {"PixelRepresentation": 2},
    ],
)
def test_what_is_not_as_its_header_says_is_left_to_the_default_decoders(
    changes: dict[str, int],
) -> None:
    ds = film(EVERY, 16)
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    assert read_native(ds) is None
