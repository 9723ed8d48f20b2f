"""The presentation state: boxes of the SR, on the image as it was shown."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from dicom_io.coordinates import ImageFrame, PixelBox
from dicom_io.results.encode import encode_results
from dicom_io.results.labels import LABEL_LIMIT, label_area, label_text
from dicom_io.results.placement import place_findings
from dicom_io.results.read import read_findings
from model.report import GroundedPhrase
from tests.data.reports import (
    EFFUSIONS,
    OPACITY,
    context,
    evidence,
    film,
    film_file,
    report,
)


def encode(folder: Path, ds: Dataset | None = None) -> tuple[bytes, Dataset]:
    path = film_file(folder, ds)
    findings, state, _ = encode_results(path, report(), evidence(), context())
    return findings.data, dcmread(BytesIO(state.data))


def annotation(state: Dataset) -> Dataset:
    annotations: list[Dataset] = list(state.GraphicAnnotationSequence)
    (found,) = annotations
    return found


def test_outlines_and_tracking_uids_are_those_of_the_findings_sr(
    tmp_path: Path,
) -> None:
    findings, state = encode(tmp_path)

    drawn = [
        (graphic.TrackingUID, list(graphic.GraphicData[:2]))
        for graphic in annotation(state).GraphicObjectSequence
    ]
    assert drawn == [
        (found.tracking_uid, [found.box.left, found.box.top])
        for found in read_findings(findings)
    ]


@pytest.mark.parametrize(
    ("photometric", "shape"),
    [("MONOCHROME1", "INVERSE"), ("MONOCHROME2", "IDENTITY")],
)
def test_the_presentation_lut_keeps_the_polarity(
    tmp_path: Path, photometric: str, shape: str
) -> None:
    _, state = encode(tmp_path, film(PhotometricInterpretation=photometric))

    assert state.PresentationLUTShape == shape


def test_the_body_part_is_the_defined_term_whatever_the_film_says(
    tmp_path: Path,
) -> None:
    _, state = encode(tmp_path, film(BodyPartExamined="THORAX"))

    assert state.BodyPartExamined == "CHEST"


def test_the_displayed_area_counts_pixels_from_one(tmp_path: Path) -> None:
    (area,) = encode(tmp_path)[1].DisplayedAreaSelectionSequence

    assert area.DisplayedAreaTopLeftHandCorner == [1, 1]
    assert area.DisplayedAreaBottomRightHandCorner == [800, 1000]


def test_square_pixels_have_an_aspect_ratio(tmp_path: Path) -> None:
    (area,) = encode(tmp_path)[1].DisplayedAreaSelectionSequence

    assert area.PresentationPixelAspectRatio == [1, 1]


def test_pixels_that_are_not_square_have_their_spacing(tmp_path: Path) -> None:
    _, state = encode(tmp_path, film(PixelSpacing=["0.28", "0.14"]))

    (area,) = state.DisplayedAreaSelectionSequence
    assert area.PresentationPixelSpacing == [0.28, 0.14]
    assert "PresentationPixelAspectRatio" not in area


def test_a_spacing_of_nothing_is_not_used(tmp_path: Path) -> None:
    _, state = encode(tmp_path, film(PixelSpacing=["0", "0.2"]))

    (area,) = state.DisplayedAreaSelectionSequence
    assert area.PresentationPixelAspectRatio == [1, 1]


def test_the_first_window_of_the_image_is_kept(tmp_path: Path) -> None:
    windows = film(WindowCenter=["2048", "1000"], WindowWidth=["4096", "500"])

    (voi,) = encode(tmp_path, windows)[1].SoftcopyVOILUTSequence

    assert voi.WindowCenter == 2048
    assert voi.WindowWidth == 4096


def test_a_window_without_width_is_not_kept(tmp_path: Path) -> None:
    _, state = encode(tmp_path, film(WindowWidth="0"))

    assert "SoftcopyVOILUTSequence" not in state


def table(*data: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(data), 0, 16])
    item.add_new("LUTData", "US", list(data))
    return item


def test_without_a_window_the_first_voi_lut_is_kept(tmp_path: Path) -> None:
    source = film(VOILUTSequence=[table(0, 100, 200), table(5, 6, 7)])
    del source.WindowCenter
    del source.WindowWidth

    (voi,) = encode(tmp_path, source)[1].SoftcopyVOILUTSequence

    (kept,) = voi.VOILUTSequence
    assert kept.LUTDescriptor == [3, 0, 16]
    assert kept.LUTData == b"\x00\x00\x64\x00\xc8\x00"


def test_a_lut_of_a_big_endian_image_is_turned_round(tmp_path: Path) -> None:
    source = film(VOILUTSequence=[table(1, 2, 3)])
    del source.WindowCenter
    del source.WindowWidth
    words = b"\x00\x01\x00\x02\x00\x03"
    source.VOILUTSequence[0].add_new("LUTData", "OW", words)
    source.file_meta.TransferSyntaxUID = ExplicitVRBigEndian

    (voi,) = encode(tmp_path, source)[1].SoftcopyVOILUTSequence

    assert voi.VOILUTSequence[0].LUTData == b"\x01\x00\x02\x00\x03\x00"


def test_a_shutter_of_the_image_is_kept(tmp_path: Path) -> None:
    shutter = film(
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge=10,
        ShutterRightVerticalEdge=790,
        ShutterUpperHorizontalEdge=10,
        ShutterLowerHorizontalEdge=990,
    )

    _, state = encode(tmp_path, shutter)

    assert state.ShutterLeftVerticalEdge == 10
    assert state.ShutterPresentationValue == 0


def test_the_research_notice_is_drawn_on_the_display(tmp_path: Path) -> None:
    texts = annotation(encode(tmp_path)[1]).TextObjectSequence

    (notice,) = [t for t in texts if t.BoundingBoxAnnotationUnits == "DISPLAY"]
    assert notice.UnformattedTextValue == "RESEARCH ONLY, NOT FOR CLINICAL USE"


def test_a_sentence_is_written_once_and_its_number_at_each_box() -> None:
    frame = ImageFrame(rows=1000, columns=1000)
    (finding,) = place_findings(report((EFFUSIONS,)), frame, context())

    assert [label_text(finding, box) for box in finding.boxes] == [
        "1 Small bilateral pleural effusions.",
        "1",
    ]


def test_a_long_sentence_is_shortened_on_the_picture() -> None:
    frame = ImageFrame(rows=1000, columns=1000)
    phrase = GroundedPhrase(text="word " * 50, boxes=OPACITY.boxes)
    (finding,) = place_findings(report((phrase,)), frame, context())

    text = label_text(finding, finding.boxes[0])

    assert len(text) <= LABEL_LIMIT
    assert text.endswith("...")


shares = st.floats(0, 0.999)


@given(st.integers(1, 65535), st.integers(1, 65535), shares, shares, st.text())
def test_a_label_has_an_area_inside_the_image(
    rows: int, columns: int, x: float, y: float, text: str
) -> None:
    frame = ImageFrame(rows=rows, columns=columns)
    box = PixelBox(left=x * columns, top=y * rows, right=columns, bottom=rows)

    left, top, right, bottom = label_area(box, frame, text[:LABEL_LIMIT])

    assert 0 <= left < right <= columns
    assert 0 <= top < bottom <= rows


def test_a_short_label_stands_at_its_box_also_on_the_right_of_the_image() -> None:
    box = PixelBox(left=715.0, top=400.0, right=900.0, bottom=600.0)

    left, _, _, bottom = label_area(box, ImageFrame(rows=1000, columns=1000), "1")

    assert (left, bottom) == (box.left, box.top)


def test_a_backslash_in_a_sentence_is_a_slash_in_its_label() -> None:
    phrase = GroundedPhrase(text="Left\\right.", boxes=OPACITY.boxes)
    frame = ImageFrame(rows=100, columns=100)
    (finding,) = place_findings(report((phrase,)), frame, context())

    assert label_text(finding, finding.boxes[0]) == "1 Left/right."
