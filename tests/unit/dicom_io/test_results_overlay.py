"""What a page lays over the image is what the presentation state draws."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread

from dicom_io.coordinates import ImageFrame, Orientation, PixelBox
from dicom_io.errors import NotEncodable
from dicom_io.evidence import Evidence
from dicom_io.options import DecodeLimits
from dicom_io.results.apart import draw_apart
from dicom_io.results.encode import Outputs, encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.overlay import Overlay, lay, pixel_ratio_of
from model.report import Task
from tests.data.reports import (
    EFFUSIONS,
    NO_PNEUMOTHORAX,
    OPACITY,
    context,
    evidence,
    film,
    film_file,
    report,
)

PHRASES = (OPACITY, NO_PNEUMOTHORAX, EFFUSIONS)
TURNS = [
    Orientation(),
    Orientation(mirror_columns=True),
    Orientation(transpose=True, mirror_rows=True),
]
GSPS_ALONE = Outputs(kinds=frozenset({ResultKind.GSPS}))


def turned(orientation: Orientation) -> Evidence:
    plain = evidence()
    return replace(plain, frame=replace(plain.frame, orientation=orientation))


def laid(frame: ImageFrame, task: Task = Task.GROUNDED_FINDINGS) -> Overlay:
    return lay(report(PHRASES, task=task), frame, context())


@pytest.mark.parametrize("orientation", TURNS)
def test_boxes_are_to_the_bit_those_of_the_presentation_state(
    tmp_path: Path, orientation: Orientation
) -> None:
    read = turned(orientation)
    path = film_file(tmp_path)
    (made,) = encode_results(path, report(PHRASES), read, context(), GSPS_ALONE)
    state = dcmread(BytesIO(made.data))
    drawn = [
        (graphic.TrackingUID, graphic.TrackingID, list(graphic.GraphicData))
        for annotation in state.GraphicAnnotationSequence
        for graphic in annotation.GraphicObjectSequence
    ]
    assert len(drawn) == 3
    assert drawn == [
        (box.tracking_uid, box.identifier, outline(box.stored))
        for finding in laid(read.frame).findings
        for box in finding.boxes
    ]


def outline(box: PixelBox) -> list[float]:
    """Return the corners as PS3.3 C.10.5.2 has a closed polyline: column, row."""
    left, top, right, bottom = box.left, box.top, box.right, box.bottom
    return [left, top, right, top, right, bottom, left, bottom, left, top]


def test_a_box_of_a_mirrored_image_is_shown_on_the_side_that_the_model_saw() -> None:
    # the model's 0.2 to 0.3 of a square of 1000: shown there, stored from the right
    frame = ImageFrame(
        rows=1000, columns=1000, orientation=Orientation(mirror_columns=True)
    )
    (box,) = laid(frame).findings[0].boxes
    assert (round(box.shown.left, 3), round(box.shown.right, 3)) == (200, 300)
    assert (round(box.stored.left, 3), round(box.stored.right, 3)) == (700, 800)


def test_a_turned_image_has_the_size_in_which_it_is_shown() -> None:
    frame = ImageFrame(rows=1000, columns=800, orientation=Orientation(transpose=True))
    overlay = laid(frame)
    assert (overlay.rows, overlay.columns) == (800, 1000)
    assert overlay.unseen == (
        PixelBox(left=0.0, top=0.0, right=100.0, bottom=800),
        PixelBox(left=900.0, top=0.0, right=1000, bottom=800),
    )


def test_what_a_square_image_shows_was_all_seen() -> None:
    assert laid(ImageFrame(rows=900, columns=900)).unseen == ()
    tall = laid(ImageFrame(rows=1000, columns=900)).unseen
    assert [(each.top, each.bottom) for each in tall] == [(0.0, 50.0), (950.0, 1000)]


def test_plain_findings_have_no_place() -> None:
    findings = laid(ImageFrame(rows=9, columns=9), Task.FINDINGS).findings
    assert [each.boxes for each in findings] == [(), (), ()]


def test_the_picture_of_a_report_is_drawn_apart(tmp_path: Path) -> None:
    path, limits = film_file(tmp_path), DecodeLimits()
    png = draw_apart(path, report(PHRASES), evidence(), context(), limits)
    with Image.open(BytesIO(png)) as picture:
        assert picture.format == "PNG"
        # the research banner of `picture`: a warning's yellow over the whole width
        assert picture.getpixel((1, 1)) == (255, 196, 0)
        assert picture.getpixel((picture.width - 2, 1)) == (255, 196, 0)
    other = evidence(rows=500)
    with pytest.raises(NotEncodable, match="the report is about 500"):
        draw_apart(path, report(PHRASES), other, context(), limits)


def test_pixels_that_are_not_square_are_told(tmp_path: Path) -> None:
    path = film_file(tmp_path, film(PixelSpacing=["0.3", "0.2"]))
    assert pixel_ratio_of(path, turned=False) == pytest.approx(1.5)
    assert pixel_ratio_of(path, turned=True) == pytest.approx(1 / 1.5)
