from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_io.errors import UnreadableHeader
from dicom_io.header import identity_key, read_instance
from tests.data.films import (
    film_dataset,
    film_instance,
    raw_file,
    real_film,
    real_films,
    write_film,
)


def code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = value, "SCT"
    item.CodeMeaning = meaning
    return item


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_a_header_is_read_in_each_encoding(tmp_path: Path, syntax: str) -> None:
    ds = film_dataset(
        ViewCodeSequence=[code("272479007", "postero-anterior")],
        PixelSpacing=[0.2, 0.3],
        QualityControlImage="YES",
    )
    read = read_instance(write_film(tmp_path / "film.dcm", ds, syntax))
    assert read.transfer_syntax_uid == syntax
    assert read.patient.birth_date == date(1950, 5, 1)
    assert read.view_codes == (("272479007", "SCT"),)
    assert read.pixel_spacing == (0.2, 0.3)
    assert (read.rows, read.columns, read.has_pixels) == (64, 48, True)
    assert read.quality_control_image


def test_request_attributes_are_read(tmp_path: Path) -> None:
    request = Dataset()
    request.ReasonForTheRequestedProcedure = "cough\nand fever"
    request.RequestedProcedureDescription = "Chest 2 views"
    ds = film_dataset(RequestAttributesSequence=[request])
    read = read_instance(write_film(tmp_path / "film.dcm", ds))
    assert read.text_value("ReasonForTheRequestedProcedure") == "cough and fever"
    assert read.requested_procedure == "Chest 2 views"


def test_when_it_was_acquired_prefers_acquisition_to_study(tmp_path: Path) -> None:
    ds = film_dataset(ContentDate="20240301", ContentTime="0900")
    read = read_instance(write_film(tmp_path / "a.dcm", ds))
    assert (read.acquired_date, read.acquired_time) == (date(2024, 3, 1), time(9))
    ds.AcquisitionDate = "20240229"
    read = read_instance(write_film(tmp_path / "b.dcm", ds))
    assert (read.acquired_date, read.acquired_time) == (date(2024, 2, 29), None)


def test_a_spacing_of_zero_is_none() -> None:
    assert read_instance(real_film("dicom/RG1_J2KI.dcm")).pixel_spacing is None


def test_a_missing_uid_is_refused(tmp_path: Path) -> None:
    ds = film_dataset()
    del ds.StudyInstanceUID
    with pytest.raises(UnreadableHeader, match="StudyInstanceUID"):
        read_instance(write_film(tmp_path / "film.dcm", ds))


def test_a_refusal_never_names_the_patient(tmp_path: Path) -> None:
    ds = film_dataset(SeriesInstanceUID="1.2.3.4")
    path = write_film(tmp_path / "film.dcm", ds)
    data = path.read_bytes()[: -2 * 64 * 48 - 30]
    with pytest.raises(UnreadableHeader) as raised:
        read_instance(
            raw_file(tmp_path / "cut.dcm", data[300:], ImplicitVRLittleEndian)
        )
    assert "Doe" not in str(raised.value)


@pytest.mark.parametrize("folder", ["dicom", "odd", "sr_pr_ko"])
def test_real_headers_say_what_pydicom_reads(folder: str) -> None:
    for path in real_films(folder):
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        read = read_instance(path)
        assert read.sop_instance_uid == ds.SOPInstanceUID
        assert read.patient.patient_id == (ds.PatientID or None)
        assert read.patient.name == (str(ds.PatientName) or None)
        assert read.rows == ds.get("Rows")
        assert read.body_part == (ds.get("BodyPartExamined") or None)
        assert list(read.image_type) == list(ds.get("ImageType") or ())


def test_the_same_instance_in_another_syntax_has_the_same_key() -> None:
    one = read_instance(real_film("dicom/mhh_8d6990f2_1_pa.dcm"))
    for name in ("implicit", "deflated", "bigendian", "rle"):
        other = read_instance(real_film(f"dicom/mhh_8d6990f2_1_pa_{name}.dcm"))
        assert identity_key(one) == identity_key(other)


def test_another_patient_or_size_is_another_key() -> None:
    film = film_instance()
    stranger = replace(film, patient=replace(film.patient, patient_id="P2"))
    assert identity_key(film) != identity_key(stranger)
    assert identity_key(film) != identity_key(replace(film, rows=65))
