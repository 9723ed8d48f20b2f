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


def test_margins_that_the_model_did_not_see_are_dimmed_and_hatched() -> None:
    drawn = pixels(draw_findings(FILM, []))
    film = drawn[BANNER:, :600]

    # 1800 x 1200 is drawn as 900 x 600: 150 rows above and below the square
    for margin in (film[:150], film[750:]):
        assert (margin == 33).all(axis=2).mean() > 0.5  # 0.55 of grey 60
        assert (margin == (120, 130, 142)).all(axis=2).any()
    assert (film[150:750] == 60).all()


def test_the_margins_of_a_wide_film_are_left_and_right() -> None:
    drawn = pixels(draw_findings(np.full((1200, 1800), 60, np.uint8), []))
    film = drawn[BANNER:, :1350]

    # drawn as 900 x 1350: 225 columns on either side of the square
    assert not (film[:, :225] == 60).all(axis=2).any()
    assert (film[:, 225:1125] == 60).all()
    assert not (film[:, 1125:] == 60).all(axis=2).any()


def test_a_square_film_has_no_margins() -> None:
    drawn = pixels(draw_findings(np.full((500, 500), 60, np.uint8), []))

    assert (drawn[BANNER:, :900] == 60).all()


@pytest.mark.parametrize("shape", [(1, 1), (16, 2000), (1001, 1000)])
def test_films_of_odd_sizes_can_be_drawn(shape: tuple[int, int]) -> None:
    assert draw_findings(np.zeros(shape, np.uint8), [FINDING])


def test_a_long_report_makes_the_picture_longer() -> None:
    sentences = [f"Sentence number {number} of many." for number in range(40)]

    assert pixels(draw_findings(FILM, [], (), sentences)).shape[0] > DRAWN_HEIGHT


def test_a_line_is_never_wider_than_the_panel() -> None:
    wide = ("W" * 400, "WWWW " * 100, "m" * 30)

    drawn = pixels(draw_findings(FILM, [], (), wide))

    margin = drawn[BANNER:, -20:]
    assert (margin == (18, 22, 28)).all()


def test_a_text_that_does_not_fit_is_said_to_go_on() -> None:
    sentences = [f"Sentence number {number} of many." for number in range(600)]

    whole = pixels(draw_findings(FILM, [], (), sentences[:20]))
    cut = pixels(draw_findings(FILM, [], (), sentences))

    assert cut.shape[0] <= 4096 + BANNER
    # the remark stands in the colour of the banner, in the panel
    assert (cut[BANNER:, 620:] == (255, 196, 0)).all(axis=2).any()
    assert not (whole[BANNER:, 620:] == (255, 196, 0)).all(axis=2).any()


def test_a_letter_without_a_glyph_is_explained() -> None:
    known = draw_findings(FILM, [], (), ["Opacity."])
    unknown = draw_findings(FILM, [], (), ["\u80ba\u708e"])

    key = slice(BANNER + 780, BANNER + 900)
    assert pixels(known)[key, 620:].sum() < pixels(unknown)[key, 620:].sum()


def test_a_film_that_is_far_wider_than_high_keeps_within_limits() -> None:
    drawn = pixels(draw_findings(np.zeros((16, 2000), np.uint8), [FINDING]))

    assert drawn.shape[1] == 1800 + 440
