from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicom_io.identifiers import StudyQuery
from dicom_io.identity import is_exact_key
from dicom_io.scu.answers import (
    count_of,
    image_identifier,
    study_answer,
    study_identifier,
    text_of,
)


@pytest.mark.parametrize(
    "patient_id",
    ["", "  ", "*", "?", "12*", "1?2", "A\\B", "\x00", "1\n2", "\x1b", "9" * 65],
)
def test_a_query_for_more_than_one_patient_is_never_built(patient_id: str) -> None:
    with pytest.raises(ValueError, match="no query is sent"):
        study_identifier(StudyQuery(patient_id=patient_id))


@pytest.mark.parametrize("patient_id", ["P\u00a01", "Ünal-1", "0042 A"])
def test_what_identity_takes_for_an_exact_key_is_queried(patient_id: str) -> None:
    assert is_exact_key(patient_id)
    assert study_identifier(StudyQuery(patient_id=patient_id)).PatientID == patient_id


@pytest.mark.parametrize("issuer", ["", "*", "A\\B"])
def test_an_issuer_that_matches_several_is_refused_too(issuer: str) -> None:
    with pytest.raises(ValueError, match="IssuerOfPatientID"):
        study_identifier(StudyQuery(patient_id="1", issuer=issuer))


@given(st.text())
def test_a_built_query_holds_one_exact_patient_id(patient_id: str) -> None:
    try:
        identifier = study_identifier(StudyQuery(patient_id=patient_id))
    except ValueError:
        return
    assert identifier.PatientID == patient_id.strip(" ")
    assert not set(str(identifier.PatientID)) & set("*?\\")


def test_a_character_set_is_named_only_where_one_is_needed() -> None:
    plain = study_identifier(StudyQuery(patient_id="0042"))
    accented = study_identifier(StudyQuery(patient_id="Ünal-1"))
    assert "SpecificCharacterSet" not in plain
    assert accented.SpecificCharacterSet == "ISO_IR 192"


def test_an_identifier_without_a_study_is_never_built() -> None:
    with pytest.raises(ValueError, match="not a UID"):
        image_identifier("", "1.2")


def test_a_full_answer_is_read() -> None:
    ds = Dataset()
    ds.StudyInstanceUID = "1.2.3"
    ds.StudyDate, ds.StudyTime = "20240131", "101112.5"
    ds.ModalitiesInStudy = ["CR", "SR"]
    ds.PatientID, ds.PatientSex = "0042 ", "F"
    ds.PatientName, ds.PatientBirthDate = "Müller^Ä", "19600229"
    ds.NumberOfStudyRelatedInstances = "3"
    answer = study_answer(ds)
    assert answer is not None
    assert answer.study_date == date(2024, 1, 31)
    assert answer.study_time == time(10, 11, 12, 500_000)
    assert answer.modalities == ("CR", "SR")
    assert answer.patient.patient_id == "0042"
    assert answer.patient.birth_date == date(1960, 2, 29)
    assert answer.instance_count == 3
    assert answer.accession_number is None


def test_an_answer_without_a_study_is_dropped() -> None:
    assert study_answer(Dataset()) is None


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("text", ["", "20241301", "today", "2024", "20240230"])
def test_a_date_that_cannot_be_read_counts_as_left_out(text: str) -> None:
    ds = Dataset()
    ds.StudyInstanceUID = "1.2.3"
    ds.StudyDate = text
    answer = study_answer(ds)
    assert answer is not None
    assert answer.study_date is None


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_birth_date_that_is_no_date_is_kept_as_text() -> None:
    ds = Dataset()
    ds.StudyInstanceUID = "1.2.3"
    ds.PatientBirthDate = "01.05.1950"
    answer = study_answer(ds)
    assert answer is not None
    assert answer.patient.birth_date is None
    assert answer.patient.birth_date_text == "01.05.1950"


def test_an_empty_number_of_instances_is_unknown_not_zero() -> None:
    ds = Dataset()
    ds.NumberOfStudyRelatedInstances = None
    assert count_of(ds) is None


def test_several_patient_ids_in_an_answer_keep_their_backslash() -> None:
    ds = Dataset()
    ds.StudyInstanceUID = "1.2.3"
    ds.PatientID = ["1", "2"]
    answer = study_answer(ds)
    assert answer is not None
    assert answer.patient.patient_id == "1\\2"


def test_the_institution_of_a_study_is_asked_for_and_read() -> None:
    assert "InstitutionName" in study_identifier(StudyQuery(patient_id="1"))
    answer = Dataset()
    answer.StudyInstanceUID, answer.InstitutionName = "1.2.3", "North Hospital"
    read = study_answer(answer)
    assert read is not None
    assert read.institution == "North Hospital"


@pytest.mark.parametrize("vr", ["US", "FD", "UL", "UV", "SQ"])
def test_a_value_that_is_none_of_its_vr_counts_as_left_out(vr: str) -> None:
    answer, tag, value = Dataset(), Tag("PatientID"), b"12345"
    raw = RawDataElement(
        tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True
    )
    answer._dict[tag] = raw
    assert text_of(answer, "PatientID") is None
