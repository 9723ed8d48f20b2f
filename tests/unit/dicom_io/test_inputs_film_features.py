import numpy as np
import pytest

from dicom_io.inputs.film_classifier import poses
from dicom_io.inputs.film_features import FEATURES, SIDE, describe, make_thumbnail
from tests.data.pictures import drawn_chest


def test_a_thumbnail_has_one_size_whatever_the_picture_has() -> None:
    image = np.arange(90 * 1000, dtype=np.uint32).reshape(90, 1000) % 251
    assert make_thumbnail(image.astype(np.uint8)).shape == (SIDE, SIDE)


def test_the_thumbnail_of_a_large_film_is_that_of_a_small_one() -> None:
    chest = drawn_chest()
    large = np.kron(chest, np.ones((6, 6), np.uint8))
    assert np.abs(make_thumbnail(large) - make_thumbnail(chest)).mean() < 0.02


def test_empty_margins_are_left_out() -> None:
    chest = drawn_chest()
    framed = np.pad(chest, 24)
    assert np.abs(make_thumbnail(framed) - make_thumbnail(chest)).mean() < 0.05


def test_exposure_does_not_change_a_thumbnail() -> None:
    chest = drawn_chest()
    faint = (chest // 2 + 40).astype(np.uint8)
    assert np.abs(make_thumbnail(faint) - make_thumbnail(chest)).mean() < 0.02


def test_the_inverted_film_has_the_negative_thumbnail() -> None:
    chest = drawn_chest()
    negative = make_thumbnail((255 - chest).astype(np.uint8))
    assert negative == pytest.approx(-make_thumbnail(chest), abs=1e-5)


def test_sixteen_poses_are_sixteen_pictures() -> None:
    every = poses(make_thumbnail(drawn_chest()))
    assert len(np.unique(every.reshape(16, -1), axis=0)) == 16


def test_every_picture_has_the_same_number_of_features() -> None:
    assert describe(np.zeros((3, SIDE, SIDE), np.float32)).shape == (3, FEATURES)


def test_features_of_an_empty_thumbnail_are_finite() -> None:
    assert np.isfinite(describe(np.zeros((1, SIDE, SIDE), np.float32))).all()


def test_a_small_picture_with_wide_margins_has_a_thumbnail() -> None:
    image = np.zeros((64, 64), np.uint8)
    image[25:39, 25:39] = np.arange(14) * 15
    assert np.isfinite(make_thumbnail(image)).all()
