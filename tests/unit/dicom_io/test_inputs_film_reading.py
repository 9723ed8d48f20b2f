from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from benchmarks.film_negatives import negatives
from benchmarks.film_real import other_films, real_frontals
from benchmarks.film_samples import Sample, laid, phantoms
from benchmarks.films import Outcome, judge, posed, real_samples
from dicom_io.inputs.film import UNREAD, Shown, read_film
from model.report import GreyImage
from tests.data.films import real_film

SEED = 90_000_000
"""Of phantoms that neither the training nor the benchmark draws."""


def outcomes(samples: list[Sample]) -> list[Outcome]:
    return [judge(sample, read_film(sample.image)) for sample in samples]


def test_no_phantom_is_read_wrongly_and_most_are_read() -> None:
    found = outcomes(list(posed(phantoms(60, SEED), seed=0)))
    assert Outcome.WRONG not in found
    assert found.count(Outcome.UNSURE) <= 15


def test_no_drawn_picture_is_read_as_a_chest() -> None:
    assert Outcome.WRONG not in outcomes(list(negatives(52, SEED)))


def test_noise_shows_no_chest() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (400, 300), dtype=np.uint8)
    assert read_film(noise).shown is Shown.NO_CHEST


def test_a_ramp_shows_no_chest() -> None:
    y, x = np.mgrid[:300, :200]
    ramp = np.asarray((y + x) / 2, dtype=np.uint8)
    assert read_film(ramp).shown is Shown.NO_CHEST


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("inverted", [False, True])
def test_a_plain_phantom_is_read_however_it_lies(turns: int, inverted: bool) -> None:
    frontal = next(phantoms(1, SEED))
    sent = laid(frontal, turns=turns, mirrored=False, inverted=inverted)
    assert judge(sent, read_film(sent.image)) is Outcome.CORRECT


def test_the_mirror_image_of_a_lateral_is_a_lateral() -> None:
    _, lateral = phantoms(2, SEED)
    sent = laid(lateral, turns=0, mirrored=True, inverted=False)
    reading = read_film(sent.image)
    assert (reading.shown, reading.is_mirrored) == (Shown.LATERAL, False)


def test_a_constant_picture_is_not_read() -> None:
    assert read_film(np.full((300, 300), 7, np.uint8)) == UNREAD


def test_a_picture_of_fewer_than_64_rows_is_not_read() -> None:
    frontal = next(phantoms(1, SEED))
    assert read_film(frontal.image[:63]) == UNREAD


@given(pictures=arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=150)))
def test_any_picture_has_a_reading(pictures: GreyImage) -> None:
    assert 0.0 <= read_film(pictures).likelihood <= 1.0


def test_a_read_only_picture_is_read() -> None:
    image = next(phantoms(1, SEED)).image.copy()
    image.flags.writeable = False
    assert read_film(image).shown is Shown.FRONTAL


def test_the_same_picture_has_the_same_reading() -> None:
    image = next(phantoms(1, SEED)).image
    assert read_film(image) == read_film(image.copy())


def test_every_real_frontal_is_read_as_one_or_not_at_all() -> None:
    real_film("dicom/RG1_J2KI.dcm")
    for film in real_frontals():
        reading = read_film(film.image)
        lies = (reading.quarter_turns, reading.is_mirrored, reading.is_inverted)
        assert reading.shown in {Shown.FRONTAL, Shown.UNSURE}, film.name
        assert lies == (0, False, False), film.name


@pytest.mark.slow
def test_no_real_frontal_is_read_wrongly_however_it_lies() -> None:
    real_film("dicom/RG1_J2KI.dcm")
    assert Outcome.WRONG not in outcomes(list(real_samples()))


def test_the_simulated_pair_is_told_apart_and_nothing_else_is_a_chest() -> None:
    real_film("odd/dog_lateral_thorax_dx_mono1.dcm")
    for film in other_films():
        allowed = {film.shown, Shown.UNSURE}
        assert read_film(film.image).shown in allowed, film.name


def test_turning_a_picture_turns_its_reading() -> None:
    frontal = next(phantoms(1, SEED))
    readings = [
        read_film(laid(frontal, turns=t, mirrored=m, inverted=False).image)
        for t, m in product(range(4), (False, True))
    ]
    assert [r.quarter_turns for r in readings] == [0, 0, 1, 1, 2, 2, 3, 3]
