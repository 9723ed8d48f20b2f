"""What people are shown of an image: its greys, its way up, its size."""

from io import BytesIO
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dicom_io.coordinates import Orientation, orient
from dicom_io.errors import UnreadablePixels, UnsupportedImage
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.pictures.album import Album
from dicom_io.pictures.pixels import ShownPicture, render_image, show_image
from dicom_io.pictures.showing import Look
from tests.data.films import film_dataset, gradient, write_film
from tests.data.stages import colour_film

LIMITS = DecodeLimits()


def film(folder: Path, **attributes: object) -> Path:
    return write_film(folder / "film.dcm", film_dataset(gradient(), **attributes))


def shown(path: Path, **look: object) -> ShownPicture:
    return show_image(path, Look(**look), LIMITS)  # type: ignore[arg-type]


def pixels(picture: ShownPicture) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(picture.png)))


def test_a_picture_is_in_the_greys_of_the_file_by_default(tmp_path: Path) -> None:
    path = film(tmp_path, WindowCenter="1500", WindowWidth="800")
    picture = shown(path)
    assert np.array_equal(pixels(picture), render_image(path, Rendering.VOI, LIMITS))
    assert (picture.greys.center, picture.greys.width) == (1500.0, 800.0)
    assert (picture.rows, picture.columns) == (64, 48)


def test_a_window_maps_its_ends_to_black_and_white(tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2.1, by hand: center 1000, width 401 is black at and below 799.5
    (1000 - 0.5 - 200), white above 1199.5, and 1000 gives (0.5 / 400 + 0.5) * 255."""
    picture = shown(film(tmp_path), window=(1000.0, 401.0))
    stored = gradient()
    seen = pixels(picture)
    assert (seen[stored <= 799] == 0).all()
    assert (seen[stored >= 1200] == 255).all()
    assert set(seen[stored == 1000].tolist()) == {round((0.5 / 400 + 0.5) * 255)}


def test_a_film_without_a_window_is_shown_over_its_range(tmp_path: Path) -> None:
    path = film(tmp_path)
    picture = shown(path)
    # gradient(): from 0 to 47 * 60 + 63 * 10 = 3450
    assert (picture.greys.low, picture.greys.high) == (0.0, 3450.0)
    again = shown(path, window=(picture.greys.center, picture.greys.width))
    assert np.array_equal(pixels(picture), pixels(again))


def test_a_window_is_in_units_of_the_modality_lut(tmp_path: Path) -> None:
    path = film(tmp_path, RescaleSlope="2", RescaleIntercept="-1000")
    scaled = shown(path, window=(0.0, 401.0))
    assert (scaled.greys.low, scaled.greys.high) == (-1000.0, 5900.0)
    assert set(pixels(scaled)[gradient() == 500].tolist()) == {128}


def test_the_lowest_of_a_monochrome1_film_is_white(tmp_path: Path) -> None:
    path = film(tmp_path, PhotometricInterpretation="MONOCHROME1")
    picture = shown(path, window=(1000.0, 401.0))
    assert picture.greys.inverted
    assert (pixels(picture)[gradient() <= 799] == 255).all()


def test_a_picture_is_turned_as_asked(tmp_path: Path) -> None:
    turn = Orientation(transpose=True, mirror_columns=True)
    path = film(tmp_path)
    turned = shown(path, orientation=turn)
    assert (turned.rows, turned.columns) == (48, 64)
    assert np.array_equal(pixels(turned), orient(pixels(shown(path)), turn))


def test_a_large_picture_is_made_smaller_and_a_small_one_is_not(
    tmp_path: Path,
) -> None:
    path = film(tmp_path)
    small = shown(path, longest_side=16)
    assert (pixels(small).shape, small.rows, small.columns) == ((16, 12), 64, 48)
    assert pixels(shown(path, longest_side=1600)).shape == (64, 48)


@pytest.mark.parametrize(
    "look",
    [
        {"window": (nan, 10.0)},
        {"window": (0.0, inf)},
        {"window": (0.0, 0.5)},
        {"window": (0.0, -4.0)},
        {"window": (1e9, 10.0)},
        {"longest_side": 0},
    ],
)
def test_what_is_no_window_or_size_is_refused(look: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="has a"):
        Look(**look)  # type: ignore[arg-type]


def test_what_is_no_grey_picture_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage):
        shown(colour_film(tmp_path))
    (tmp_path / "none.dcm").write_bytes(b"no film")
    with pytest.raises(UnreadablePixels):
        shown(tmp_path / "none.dcm")


def test_an_album_gives_the_same_picture_again_until_the_file_changes(
    tmp_path: Path,
) -> None:
    album, path = Album(), film(tmp_path)
    first = album.show(path, Look(), LIMITS)
    assert album.show(path, Look(), LIMITS) is first
    assert album.show(path, Look(window=(1.0, 9.0)), LIMITS) is not first
    write_film(path, film_dataset(gradient(32, 24)))
    assert album.show(path, Look(), LIMITS).rows == 32
    path.unlink()
    with pytest.raises(UnreadablePixels, match="gone"):
        album.show(path, Look(), LIMITS)


def test_an_album_keeps_no_more_than_it_has_room_for(tmp_path: Path) -> None:
    path = film(tmp_path)
    size = len(shown(path).png)
    album = Album(room_bytes=size + size // 2)
    first = album.show(path, Look(), LIMITS)
    album.show(path, Look(window=(1000.0, 2000.0)), LIMITS)
    assert album.show(path, Look(), LIMITS) is not first
