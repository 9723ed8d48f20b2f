"""The picture for people, looked at by its pixels."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from dicom_io.coordinates import PixelBox
from dicom_io.results.picture import DRAWN_HEIGHT, draw_findings
from dicom_io.results.read import ReadFinding
from model.report import GreyImage

FILM: GreyImage = np.full((1800, 1200), 60, np.uint8)
BANNER = 44
FINDING = ReadFinding(
    identifier="Finding 1",
    sentence="Focal opacity.",
    tracking_uid="2.25.1",
    box=PixelBox(left=200, top=600, right=600, bottom=1000),
    referenced_sop_instance_uid="2.25.2",
)


def pixels(png: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def test_the_same_picture_has_the_same_bytes() -> None:
    assert draw_findings(FILM, [FINDING]) == draw_findings(FILM, [FINDING])


def test_a_box_is_drawn_where_it_is_in_the_film() -> None:
    drawn = pixels(draw_findings(FILM, [FINDING]))

    # the film is drawn at half its size below the banner: left edge at column 100
    row, column = 400 + BANNER, 100
    assert tuple(drawn[row, column]) != (60, 60, 60)
    assert tuple(drawn[row, column - 3]) == (60, 60, 60)
    assert tuple(drawn[row, column + 6]) == (60, 60, 60)


def test_truth_is_drawn_in_white() -> None:
    truth = [PixelBox(left=800, top=600, right=1000, bottom=1000)]

    drawn = pixels(draw_findings(FILM, [], truth))

    assert (drawn[300 + BANNER, 400:500] == 255).all(axis=1).any()


def test_boxes_of_one_sentence_share_a_colour() -> None:
    second = ReadFinding(
        identifier="Finding 1 box 2/2",
        sentence=FINDING.sentence,
        tracking_uid="2.25.3",
        box=PixelBox(left=700, top=600, right=1100, bottom=1000),
        referenced_sop_instance_uid="2.25.2",
    )

    drawn = pixels(draw_findings(FILM, [FINDING, second]))

    assert tuple(drawn[420 + BANNER, 100]) == tuple(drawn[420 + BANNER, 350])


def test_the_banner_is_above_the_film() -> None:
    drawn = pixels(draw_findings(FILM, []))

    assert tuple(drawn[3, 3]) == (255, 196, 0)
    assert drawn.shape[0] == DRAWN_HEIGHT + BANNER


@pytest.mark.parametrize("shape", [(1, 1), (16, 2000)])
def test_films_of_odd_sizes_can_be_drawn(shape: tuple[int, int]) -> None:
    assert draw_findings(np.zeros(shape, np.uint8), [FINDING])


def test_a_long_report_makes_the_picture_longer() -> None:
    sentences = [f"Sentence number {number} of many." for number in range(40)]

    assert pixels(draw_findings(FILM, [], (), sentences)).shape[0] > DRAWN_HEIGHT
