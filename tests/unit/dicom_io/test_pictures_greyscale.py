import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_io.pictures.display import VoiFunction, Window
from dicom_io.pictures.greyscale import read_grey_scale
from tests.data.films import film_dataset


def table(descriptor: list[int], data: bytes | list[int]) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return item


def test_an_ordinary_header_has_no_transformation() -> None:
    scale = read_grey_scale(film_dataset())
    assert (scale.slope, scale.intercept, scale.inverted) == (1, 0, False)
    assert (scale.window, scale.voi_table, scale.padding) == (None, None, None)


def test_of_several_windows_the_first_is_taken() -> None:
    ds = film_dataset(WindowCenter=[100, 200], WindowWidth=[50, 60])
    assert read_grey_scale(ds).window == Window(center=100, width=50)


@pytest.mark.parametrize(
    ("center", "width", "function"),
    [(100, 0, None), (100, -5, None), (None, 5, None), (100, 0.5, "LINEAR")],
)
def test_a_window_that_is_none_counts_as_absent(
    center: float | None, width: float, function: str | None
) -> None:
    ds = film_dataset(WindowCenter=center, WindowWidth=width)
    if function:
        ds.VOILUTFunction = function
    assert read_grey_scale(ds).window is None


def test_the_function_of_the_window_is_read() -> None:
    ds = film_dataset(WindowCenter=1, WindowWidth=0.5, VOILUTFunction="SIGMOID")
    window = read_grey_scale(ds).window
    assert window is not None
    assert window.function is VoiFunction.SIGMOID


def test_photometric_interpretation_alone_gives_the_polarity() -> None:
    for shape in ("IDENTITY", "INVERSE"):
        ds = film_dataset(
            PhotometricInterpretation="MONOCHROME1", PresentationLUTShape=shape
        )
        assert read_grey_scale(ds).inverted


def test_the_padding_range_is_ordered() -> None:
    ds = film_dataset(PixelPaddingValue=4095, PixelPaddingRangeLimit=4000)
    assert read_grey_scale(ds).padding == (4000, 4095)


def test_padding_written_unsigned_is_read_as_signed() -> None:
    ds = film_dataset(np.zeros((2, 2), np.int16))
    ds.add_new("PixelPaddingValue", "US", 63536)
    assert read_grey_scale(ds).padding == (-2000, -2000)


@pytest.mark.parametrize("data", [[0, 5, 9], b"\0\0\x05\0\x09\0", b"\0\x05\x09\0"])
def test_a_table_is_read_from_words_numbers_and_bytes(data: bytes | list[int]) -> None:
    ds = film_dataset(VOILUTSequence=[table([3, 7, 8], data)])
    voi = read_grey_scale(ds).voi_table
    assert voi is not None
    assert (voi.first, voi.entries.tolist(), voi.largest) == (7, [0, 5, 9], 255)


def test_the_first_input_of_a_table_may_be_negative() -> None:
    ds = film_dataset(np.zeros((2, 2), np.int16))
    ds.VOILUTSequence = [table([2, 65526, 16], [1, 2])]
    voi = read_grey_scale(ds).voi_table
    assert voi is not None
    assert voi.first == -10


def test_a_table_without_data_counts_as_absent() -> None:
    assert read_grey_scale(film_dataset(VOILUTSequence=[Dataset()])).voi_table is None
