import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.options import Rendering
from dicom_io.pictures.display import (
    GreyScale,
    LookupTable,
    VoiFunction,
    Window,
    apply_window,
    count_values,
    render,
)

TRAINED, VOI = Rendering.AS_TRAINED, Rendering.VOI


def row(*values: int, dtype: type[np.integer] = np.uint16) -> np.ndarray:
    return np.array([values], dtype=dtype)


def test_the_full_range_of_an_image_is_stretched() -> None:
    # (150-100)/(300-100)*255 = 63.75 -> 64
    assert render(row(100, 150, 300), GreyScale(), TRAINED).tolist() == [[0, 64, 255]]


@given(st.lists(st.integers(0, 255), min_size=1).map(lambda v: [0, 255, *v]))
def test_an_image_that_has_the_full_range_stays_as_it_is(values: list[int]) -> None:
    stored = row(*values, dtype=np.uint8)
    assert np.array_equal(render(stored, GreyScale(), TRAINED), stored)


def test_monochrome1_is_inverted() -> None:
    scale = GreyScale(inverted=True)
    assert render(row(0, 10), scale, TRAINED).tolist() == [[255, 0]]


def test_padding_has_no_part_in_the_range_and_is_black() -> None:
    for inverted in (False, True):
        scale = GreyScale(padding=(4000, 4095), inverted=inverted)
        picture = render(row(4095, 4000, 10, 20), scale, TRAINED)
        assert picture[0, :2].tolist() == [0, 0]
        assert sorted(picture[0, 2:].tolist()) == [0, 255]


def test_signed_values_and_rescale_keep_their_order() -> None:
    scale = GreyScale(slope=2.0, intercept=-1000.0)
    picture = render(row(-2000, 0, 2000, dtype=np.int16), scale, TRAINED)
    assert picture.tolist() == [[0, 128, 255]]


def test_a_negative_slope_turns_the_order() -> None:
    picture = render(row(0, 100), GreyScale(slope=-1.0), TRAINED)
    assert picture.tolist() == [[255, 0]]


def test_an_image_of_one_value_is_black() -> None:
    for scale in (GreyScale(), GreyScale(inverted=True)):
        assert render(row(7, 7), scale, TRAINED).tolist() == [[0, 0]]
    padded = GreyScale(padding=(7, 7))
    assert render(row(7, 7), padded, TRAINED).tolist() == [[0, 0]]


def test_the_linear_window_is_the_standards() -> None:
    # PS3.3 C.11.2.1.2.1, the note's example: center 2048, width 4096 maps 0 to 0
    # and 4095 to the largest value.
    values = np.array([0.0, 4095.0, 2047.5, -1.0, 5000.0])
    shares = apply_window(values, Window(center=2048, width=4096))
    assert shares == pytest.approx([0, 1, 0.5, 0, 1])


def test_a_linear_window_of_width_one_is_a_threshold() -> None:
    shares = apply_window(np.array([9.0, 9.5, 10.0]), Window(center=10, width=1))
    assert shares.tolist() == [0, 0, 1]


def test_the_exact_linear_window_has_no_half_steps() -> None:
    window = Window(center=10, width=4, function=VoiFunction.LINEAR_EXACT)
    shares = apply_window(np.array([8.0, 9.0, 10.0, 12.0]), window)
    assert shares.tolist() == [0, 0.25, 0.5, 1]


def test_the_sigmoid_is_half_at_its_center() -> None:
    window = Window(center=10, width=4, function=VoiFunction.SIGMOID)
    shares = apply_window(np.array([10.0, 11.0, -1e9, 1e9]), window)
    # 1 / (1 + e^-1) = 0.7310586
    assert shares == pytest.approx([0.5, 0.7310586, 0, 1])


def test_voi_uses_the_window_before_the_table_and_the_range_last() -> None:
    table = LookupTable(first=0, entries=np.array([0.0, 3.0, 1.0, 3.0]), largest=3.0)
    window = Window(center=1.5, width=3.0, function=VoiFunction.LINEAR_EXACT)
    stored = row(0, 1, 2, 3)
    both = GreyScale(window=window, voi_table=table)
    assert render(stored, both, VOI).tolist() == [[0, 85, 170, 255]]
    assert render(stored, GreyScale(voi_table=table), VOI).tolist() == [
        [0, 255, 85, 255]
    ]
    assert render(stored, GreyScale(), VOI).tolist() == [[0, 85, 170, 255]]
    assert render(stored, both, TRAINED).tolist() == [[0, 85, 170, 255]]


def test_a_modality_table_replaces_the_rescaling_and_clamps() -> None:
    table = LookupTable(first=10, entries=np.array([50.0, 0.0, 100.0]), largest=255.0)
    scale = GreyScale(slope=9.0, modality_table=table)
    picture = render(row(0, 10, 11, 12, 99), scale, TRAINED)
    assert picture.tolist() == [[128, 128, 0, 255, 255]]


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "<i2"])
def test_values_are_counted_lowest_first(dtype: str) -> None:
    limits = np.iinfo(dtype)
    drawn = np.random.default_rng(3).integers(limits.min, limits.max, (700, 500))
    stored = drawn.astype(dtype)
    expected = np.bincount(drawn.ravel() - limits.min, minlength=1 << limits.bits)
    np.testing.assert_array_equal(count_values(stored), expected)
