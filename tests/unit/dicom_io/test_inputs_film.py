import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.inputs.film import PictureFault, _percentiles, find_fault
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.pictures.pixels import render_image
from tests.data.films import real_film


def test_equal_pixels_are_constant() -> None:
    assert find_fault(np.full((8, 8), 9, np.uint8)) is PictureFault.CONSTANT


def test_one_bright_pixel_makes_no_contrast() -> None:
    image = np.zeros((100, 100), np.uint8)
    image[0, 0] = 255
    assert find_fault(image) is PictureFault.LOW_CONTRAST


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 400))
def test_percentiles_are_those_of_sorting(seed: int, size: int) -> None:
    drawn = np.random.default_rng(seed)
    image = drawn.integers(0, drawn.integers(1, 257), (1, size)).astype(np.uint8)
    wanted = (0, 1, 37.5, 99, 100)
    assert _percentiles(image, wanted) == pytest.approx(np.percentile(image, wanted))


def test_a_real_film_has_no_fault() -> None:
    path = real_film("dicom/mhh_8d6990f2_1_pa.dcm")
    picture = render_image(path, Rendering.AS_TRAINED, DecodeLimits())
    assert find_fault(picture) is None
