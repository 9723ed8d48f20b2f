"""The presentation state: boxes of the SR, on the image as it was shown."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from dicom_io.results.encode import encode_results
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


def test_the_spacing_of_the_patient_goes_before_that_of_the_detector(
    tmp_path: Path,
) -> None:
    square = film(PixelSpacing=["0.2", "0.2"], ImagerPixelSpacing=["0.3", "0.2"])

    (area,) = encode(tmp_path, square)[1].DisplayedAreaSelectionSequence

    assert area.PresentationPixelAspectRatio == [1, 1]


def test_without_a_spacing_the_aspect_ratio_is_kept(tmp_path: Path) -> None:
    source = film(PixelSpacing=["0", "0"], PixelAspectRatio=["2", "1"])

    (area,) = encode(tmp_path, source)[1].DisplayedAreaSelectionSequence

    assert area.PresentationPixelAspectRatio == [2, 1]


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


def test_labels_have_their_lines_and_the_identity_of_their_box(tmp_path: Path) -> None:
    long = GroundedPhrase(text="word " * 30, boxes=EFFUSIONS.boxes)
    path = film_file(tmp_path)
    made = encode_results(path, report([long]), evidence(), context())
    state = dcmread(BytesIO(made[1].data))

    first, second, _ = annotation(state).TextObjectSequence
    outlines = annotation(state).GraphicObjectSequence
    lines = first.UnformattedTextValue.split("\r\n")
    assert " ".join(lines) == "1 " + long.text.strip()
    assert len(lines) > 1
    assert second.UnformattedTextValue == "1"
    assert [first.TrackingUID, second.TrackingUID] == [o.TrackingUID for o in outlines]


def test_a_backslash_stays_in_a_label(tmp_path: Path) -> None:
    phrase = GroundedPhrase(text="Left\\right.", boxes=OPACITY.boxes)
    path = film_file(tmp_path)
    made = encode_results(path, report([phrase]), evidence(), context())

    label, _ = annotation(dcmread(BytesIO(made[1].data))).TextObjectSequence
    assert label.UnformattedTextValue == "1 Left\\right."


def test_a_label_away_from_its_box_is_anchored_to_it(tmp_path: Path) -> None:
    crowd = [replace(OPACITY, text=f"{n} " + "word " * 40) for n in range(8)]
    path = film_file(tmp_path)
    made = encode_results(path, report(crowd), evidence(), context())

    texts = annotation(dcmread(BytesIO(made[1].data))).TextObjectSequence
    anchored = [each for each in texts if "AnchorPoint" in each]
    assert anchored
    assert {each.AnchorPointVisibility for each in anchored} == {"Y"}
    assert {each.AnchorPointAnnotationUnits for each in anchored} == {"PIXEL"}
