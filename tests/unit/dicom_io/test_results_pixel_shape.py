"""What a header says of the shape of its pixels."""

from pathlib import Path

import pytest

from dicom_io.elements import Attributes
from dicom_io.parsing import read_file
from dicom_io.results.pixel_shape import PixelShape, misplaced_by_viewers, pixel_shape
from tests.data.reports import film, film_file


def header(folder: Path, changes: dict[str, object]) -> Attributes:
    source = film()
    for keyword, value in changes.items():
        setattr(source, keyword, value)
    return read_file(film_file(folder, source)).attributes


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"PixelSpacing": ["0.2", "0.2"]}, PixelShape()),
        ({"PixelSpacing": ["0.3", "0.2"]}, PixelShape(spacing=(0.3, 0.2))),
        (
            {"PixelSpacing": ["0", "0"], "ImagerPixelSpacing": ["0.3", "0.2"]},
            PixelShape(spacing=(0.3, 0.2)),
        ),
        (
            {"PixelSpacing": [], "PixelAspectRatio": ["4", "3"]},
            PixelShape(ratio=("4", "3")),
        ),
        ({"PixelSpacing": [], "PixelAspectRatio": ["0", "3"]}, PixelShape()),
        ({"PixelSpacing": [], "PixelAspectRatio": "4"}, PixelShape()),
        ({"PixelSpacing": []}, PixelShape()),
    ],
)
def test_the_first_usable_attribute_decides(
    tmp_path: Path, changes: dict[str, object], shape: PixelShape
) -> None:
    assert pixel_shape(header(tmp_path, changes)) == shape


def test_readers_are_warned_of_pixels_that_are_not_square(tmp_path: Path) -> None:
    said = misplaced_by_viewers(header(tmp_path, {"PixelSpacing": ["0.3", "0.2"]}))

    assert said is not None
    assert "not square" in said


@pytest.mark.parametrize("spacing", [["0.2", "0.2"], ["0", "0"], []])
def test_nothing_is_said_of_square_pixels(tmp_path: Path, spacing: list[str]) -> None:
    assert misplaced_by_viewers(header(tmp_path, {"PixelSpacing": spacing})) is None


def test_a_spacing_with_all_digits_of_a_double_counts(tmp_path: Path) -> None:
    source = film()
    source.PixelSpacing = ["0.14300000000000", "0.20000000000000"]
    path = film_file(tmp_path, source)
    # one character longer than a DS may be (PS3.5 6.2), as real senders write it
    stored = b"0.14300000000000\\0.20000000000000 "
    longer = b"0.1430000000000000\\0.200000000000 "
    assert len(longer) == len(stored)
    path.write_bytes(path.read_bytes().replace(stored, longer))
    assert pixel_shape(read_file(path).attributes).spacing == (0.143, 0.2)
