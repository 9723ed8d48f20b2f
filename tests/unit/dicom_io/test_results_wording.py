"""What a reader is told beside the findings."""

import pytest

from dicom_io.coordinates import ImageFrame, Orientation
from dicom_io.results.text import LONG_STRING_LIMIT
from dicom_io.results.wording import caveats, unseen_margin, what_ended
from model.report import UNFINISHED, FlagKind
from tests.data.reports import report

TURNED = Orientation(transpose=True)
MIRRORED = Orientation(mirror_columns=True, mirror_rows=True)


def test_every_flag_has_words_of_its_own() -> None:
    told = [caveats(report(flags=[kind]), ()) for kind in FlagKind]

    assert all(len(lines) == 1 and lines[0].endswith(".") for lines in told)
    assert len(set(told)) == len(FlagKind)


def test_a_portrait_film_loses_its_top_and_bottom() -> None:
    told = unseen_margin(ImageFrame(rows=3056, columns=2544)) or ""

    # (3056 - 2544) / 3056 / 2 = 8.38 %
    assert "8.4 % at the top and 8.4 % at the bottom were not seen" in told


@pytest.mark.parametrize(
    ("orientation", "sides"),
    [(TURNED, ("left", "right")), (MIRRORED, ("top", "bottom"))],
)
def test_sides_are_those_of_the_upright_image(
    orientation: Orientation, sides: tuple[str, str]
) -> None:
    frame = ImageFrame(rows=3056, columns=2544, orientation=orientation)

    told = unseen_margin(frame) or ""

    assert f"8.4 % at the {sides[0]} and 8.4 % at the {sides[1]}" in told


def test_a_margin_of_one_row_is_not_called_nothing() -> None:
    told = unseen_margin(ImageFrame(rows=3001, columns=3000)) or ""

    assert "less than 0.1 % at the top" in told


def test_a_square_film_has_no_unseen_margin() -> None:
    assert unseen_margin(ImageFrame(rows=9, columns=9)) is None


@pytest.mark.parametrize("kind", sorted(UNFINISHED))
def test_what_ended_a_text_fits_the_description_of_its_completion(
    kind: FlagKind,
) -> None:
    told = what_ended(report(flags=[kind]))

    assert told is not None
    assert len(told) <= LONG_STRING_LIMIT


@pytest.mark.parametrize("kind", sorted(set(FlagKind) - UNFINISHED))
def test_other_flags_leave_a_text_whole(kind: FlagKind) -> None:
    assert what_ended(report(flags=[kind])) is None
