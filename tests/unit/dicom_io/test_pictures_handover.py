"""A film that was looked at is not decoded again, nor read as another."""

import os
from pathlib import Path

import numpy as np
import pytest

from dicom_io.errors import UnreadablePixels
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.pictures.handover import Handover
from dicom_io.pictures.pixels import render_image
from tests.data.films import real_film

LIMITS = DecodeLimits()
AS_TRAINED = Rendering.AS_TRAINED


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.dcm"
    path.write_bytes(real_film("dicom/mhh_8d6990f2_1_pa.dcm").read_bytes())
    return path


def test_the_picture_that_was_looked_at_is_taken_once(film: Path) -> None:
    handover = Handover()
    seen = handover.look(film, AS_TRAINED, LIMITS)
    assert handover.take(film, AS_TRAINED, LIMITS) is seen
    again = handover.take(film, AS_TRAINED, LIMITS)
    assert again is not seen
    np.testing.assert_array_equal(again, seen)


def test_another_rendering_is_another_picture(film: Path) -> None:
    handover = Handover()
    handover.look(film, AS_TRAINED, LIMITS)
    taken = handover.take(film, Rendering.VOI, LIMITS)
    np.testing.assert_array_equal(taken, render_image(film, Rendering.VOI, LIMITS))


def test_a_file_that_changed_is_decoded_anew(film: Path) -> None:
    handover = Handover()
    seen = handover.look(film, AS_TRAINED, LIMITS)
    os.utime(film, ns=(1, 1))
    assert handover.take(film, AS_TRAINED, LIMITS) is not seen


def test_a_file_that_is_gone_is_an_error_though_its_picture_waits(film: Path) -> None:
    handover = Handover()
    handover.look(film, AS_TRAINED, LIMITS)
    film.unlink()
    with pytest.raises(UnreadablePixels):
        handover.take(film, AS_TRAINED, LIMITS)


def test_without_room_nothing_waits(film: Path) -> None:
    handover = Handover(room_bytes=1)
    seen = handover.look(film, AS_TRAINED, LIMITS)
    assert handover.take(film, AS_TRAINED, LIMITS) is not seen


def test_what_waits_cannot_be_written_to(film: Path) -> None:
    seen = Handover().look(film, AS_TRAINED, LIMITS)
    with pytest.raises(ValueError, match="read-only"):
        seen[0, 0] = 1
