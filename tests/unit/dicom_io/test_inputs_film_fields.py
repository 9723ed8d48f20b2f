import numpy as np

from dicom_io.inputs.film_features import SIDE, make_thumbnail
from dicom_io.inputs.film_fields import is_drawn, is_featureless, lung_contrast
from tests.data.pictures import drawn_chest


def test_two_dark_fields_beside_a_column_are_lungs() -> None:
    assert lung_contrast(make_thumbnail(drawn_chest())) > 0.5


def test_one_dark_field_is_not() -> None:
    chest = drawn_chest()
    chest[:, 96:] = 190
    assert lung_contrast(make_thumbnail(chest)) < 0.1


def test_bright_fields_are_not() -> None:
    assert lung_contrast(-make_thumbnail(drawn_chest())) < 0.0


def test_noise_has_no_features() -> None:
    noise = np.random.default_rng(0).random((SIDE, SIDE), np.float32) - 0.5
    assert is_featureless(noise)


def test_a_ramp_has_no_features() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    assert is_featureless(np.asarray(0.3 * x + 0.6 * y - 0.5, dtype=np.float32))


def test_a_chest_has_features() -> None:
    assert not is_featureless(make_thumbnail(drawn_chest()))


def test_black_on_white_is_drawn() -> None:
    page = np.full((200, 150), 255, np.uint8)
    page[20:180:10, 15:120] = 0
    assert is_drawn(page)


def test_a_chest_between_black_shutters_is_not_drawn() -> None:
    shaded = np.random.default_rng(0).integers(-20, 20, (240, 192))
    chest = np.clip(drawn_chest() + shaded, 0, 255).astype(np.uint8)
    assert not is_drawn(np.pad(chest, 90))
