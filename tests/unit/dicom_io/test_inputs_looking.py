"""What the pixels of a study's images say is seen once, and before it is asked for."""

from pathlib import Path

import pytest

from dicom_io.header import read_instance
from dicom_io.inputs import looking
from dicom_io.inputs.looking import look, look_ahead
from dicom_io.options import DecodeLimits, PictureOptions, Rendering
from dicom_io.pictures.handover import Handover
from dicom_io.pictures.pixels import render_image
from tests.data.films import real_film

OPTIONS = PictureOptions(rendering=Rendering.AS_TRAINED, limits=DecodeLimits())


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.dcm"
    path.write_bytes(real_film("dicom/mhh_8d6990f2_1_pa.dcm").read_bytes())
    return path


@pytest.fixture(autouse=True)
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Count what is decoded; nothing is known before."""
    real, paths = render_image, list[Path]()

    def render(path: Path, *options: object) -> object:
        paths.append(path)
        return real(path, *options)  # type: ignore[arg-type]

    monkeypatch.setattr("dicom_io.pictures.handover.render_image", render)
    monkeypatch.setattr(looking, "FILMS", Handover())
    monkeypatch.setattr(looking, "_READINGS", looking._Readings())
    return paths


def test_a_film_that_was_looked_at_ahead_is_not_decoded_to_be_seen_or_read(
    film: Path, rendered: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    films = Handover()
    monkeypatch.setattr(looking, "FILMS", films)
    image = read_instance(film)
    look_ahead([image], OPTIONS)
    seen = look((), [image], OPTIONS)
    films.take(film, OPTIONS.rendering, OPTIONS.limits)
    assert set(seen.readings) == {image.sop_instance_uid}
    assert rendered == [film]


def test_it_is_seen_as_it_would_be_without(film: Path) -> None:
    image = read_instance(film)
    plain = look((), [image], OPTIONS)
    looking._READINGS = looking._Readings()
    look_ahead([image], OPTIONS)
    assert look((), [image], OPTIONS) == plain


def test_nothing_is_looked_at_ahead_that_could_not_be_kept(
    film: Path, rendered: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "FILMS", Handover(room_bytes=0))
    look_ahead([read_instance(film)], OPTIONS)
    assert rendered == []


def test_a_file_that_changed_is_looked_at_anew(
    film: Path, rendered: list[Path]
) -> None:
    image = read_instance(film)
    look_ahead([image], OPTIONS)
    film.write_bytes(film.read_bytes() + b"\0\0")
    look((), [image], OPTIONS)
    assert rendered == [film, film]


def test_a_film_that_cannot_be_decoded_is_tried_once_and_has_no_reading(
    tmp_path: Path, film: Path, rendered: list[Path]
) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(film.read_bytes()[:-5000])
    image = read_instance(broken)
    look_ahead([image], OPTIONS)
    assert look((), [image], OPTIONS).readings == {}
    assert rendered == [broken]
