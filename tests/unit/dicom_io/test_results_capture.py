"""The capture: what it says of itself, and its picture looked at by its pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset

from dicom_io.coordinates import ImageFrame, Orientation
from dicom_io.errors import NotEncodable
from dicom_io.evidence import Evidence
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.pictures.pixels import render_image
from dicom_io.results.capture import capture, drawing_of
from dicom_io.results.encode import material_of
from dicom_io.results.material import Material
from dicom_io.results.wording import NOTHING_SAID
from model.report import FlagKind, GroundedReport, Task
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

BANNER = 44
BLUE, ORANGE = (86, 180, 233), (230, 159, 0)
SHARE = 0.9
"""The film of 1000 rows is drawn in 900."""


def material(
    folder: Path,
    said: GroundedReport | None = None,
    ds: Dataset | None = None,
    seen: Evidence | None = None,
) -> Material:
    path = film_file(folder, ds)
    return material_of(path, said or report(), seen or evidence(), context())


def made_of(
    folder: Path, ds: Dataset | None = None, said: GroundedReport | None = None
) -> Dataset:
    return capture(material(folder, said, ds), shown(folder))


def shown(folder: Path) -> npt.NDArray[np.uint8]:
    return render_image(folder / "frontal.dcm", Rendering.VOI, DecodeLimits())


def pixels(ds: Dataset) -> npt.NDArray[np.uint8]:
    size = ds.Rows, ds.Columns, 3
    return np.frombuffer(ds.PixelData, np.uint8)[: np.prod(size)].reshape(size)


def test_it_is_a_derived_colour_picture_with_burned_in_text(tmp_path: Path) -> None:
    ds = made_of(tmp_path)

    assert ds.SOPClassUID.name == "Secondary Capture Image Storage"
    assert (ds.Modality, ds.ConversionType) == ("OT", "WSD")
    assert ds.ImageType == ["DERIVED", "SECONDARY"]
    assert ds.BurnedInAnnotation == "YES"
    assert ds.PhotometricInterpretation == "RGB"
    assert (ds.SamplesPerPixel, ds.BitsAllocated) == (3, 8)
    assert "Research only" in ds.DerivationDescription
    assert len(ds.DerivationDescription) <= 1024


def test_its_source_is_the_frontal_image(tmp_path: Path) -> None:
    (source,) = made_of(tmp_path).SourceImageSequence

    assert source.ReferencedSOPInstanceUID == evidence().frontal.sop_instance_uid
    assert source.ReferencedSOPClassUID == evidence().frontal.sop_class_uid


def test_nothing_can_be_measured_in_it(tmp_path: Path) -> None:
    assert "PixelSpacing" not in made_of(tmp_path)


def test_what_was_lossy_stays_lossy(tmp_path: Path) -> None:
    ds = made_of(tmp_path, film(LossyImageCompression="01"))

    assert ds.LossyImageCompression == "01"


@pytest.mark.parametrize(
    ("polarity", "left", "right"), [("MONOCHROME2", 0, 255), ("MONOCHROME1", 255, 0)]
)
def test_greys_are_those_that_people_see(
    tmp_path: Path, polarity: str, left: int, right: int
) -> None:
    # a ramp from the lowest value at the left to the highest at the right
    drawn = pixels(made_of(tmp_path, film(PhotometricInterpretation=polarity)))

    assert abs(int(drawn[BANNER + 200, 2, 0]) - left) <= 2
    assert abs(int(drawn[BANNER + 200, 717, 0]) - right) <= 2


def test_boxes_are_drawn_where_they_are_in_the_film(tmp_path: Path) -> None:
    drawn = pixels(made_of(tmp_path))

    # x 0.2 of 800 columns = 160; y 0.5 of the central 800 of 1000 rows = 500
    column, row = round(160 * SHARE), round(560 * SHARE) + BANNER
    assert tuple(drawn[row, column + 1]) == BLUE
    assert tuple(drawn[row, column - 3]) != BLUE
    assert tuple(drawn[row, column + 8]) != BLUE


def test_the_banner_is_burned_in(tmp_path: Path) -> None:
    assert (pixels(made_of(tmp_path))[:BANNER, :300] == (255, 196, 0)).all()


def test_a_mirrored_film_is_drawn_upright_with_its_boxes(tmp_path: Path) -> None:
    frame = ImageFrame(
        rows=1000, columns=800, orientation=Orientation(mirror_columns=True)
    )
    seen = replace(evidence(), frame=frame)

    drawn = pixels(capture(material(tmp_path, seen=seen), shown(tmp_path)))

    # the model's x 0.2 is at 160 of 800 in what it saw, which is what is drawn
    assert tuple(drawn[round(560 * SHARE) + BANNER, 145]) == BLUE
    assert drawn[BANNER + 200, 2, 0] > drawn[BANNER + 200, 700, 0]


def test_pixels_that_are_not_square_are_drawn_in_proportion(tmp_path: Path) -> None:
    ds = made_of(tmp_path, film(PixelSpacing=["0.2", "0.1"]))

    # 1000 x 0.2 high, 800 x 0.1 wide: 360 columns on 900 rows, and the panel
    assert (ds.Rows, ds.Columns) == (900 + BANNER, 360 + 440)


def test_numbers_are_those_of_the_findings(tmp_path: Path) -> None:
    said = report((NO_PNEUMOTHORAX, OPACITY, EFFUSIONS))

    drawing = drawing_of(material(tmp_path, said), np.zeros((1000, 800), np.uint8))

    assert [entry.number for entry in drawing.entries] == [2, 3]
    assert drawing.without_box == (NO_PNEUMOTHORAX.text,)


def test_plain_findings_are_sentences_without_boxes(tmp_path: Path) -> None:
    said = report(task=Task.FINDINGS)

    drawing = drawing_of(material(tmp_path, said), np.zeros((1000, 800), np.uint8))

    assert drawing.entries == ()
    assert drawing.without_box == (
        OPACITY.text,
        EFFUSIONS.text,
        NO_PNEUMOTHORAX.text,
    )
    drawn = pixels(made_of(tmp_path, said=said))
    assert not (drawn == ORANGE).all(axis=2).any()


def test_a_report_without_words_says_so(tmp_path: Path) -> None:
    drawing = drawing_of(
        material(tmp_path, report(())), np.zeros((1000, 800), np.uint8)
    )

    assert drawing.without_box == (NOTHING_SAID,)


def test_a_reader_is_told_that_the_end_is_missing(tmp_path: Path) -> None:
    said = report(flags=[FlagKind.CUT_OFF])

    drawing = drawing_of(material(tmp_path, said), np.zeros((1000, 800), np.uint8))

    assert any("cut off" in remark for remark in drawing.remarks)


def test_the_name_of_the_patient_is_not_drawn(tmp_path: Path) -> None:
    first = made_of(tmp_path, film(PatientName="Nobody^Known", PatientID="1"))
    second = made_of(tmp_path, film(PatientName="Somebody^Else", PatientID="2"))

    assert first.PixelData == second.PixelData


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotEncodable, match="1000 x 799 pixels"):
        capture(material(tmp_path), np.zeros((1000, 799), np.uint8))


@pytest.mark.parametrize("columns", [799, 800, 801])
def test_the_pixel_data_has_an_even_length(tmp_path: Path, columns: int) -> None:
    seen = evidence(columns=columns)
    ds = film(columns=columns)

    made = capture(material(tmp_path, ds=ds, seen=seen), shown(tmp_path))

    assert len(made.PixelData) % 2 == 0
