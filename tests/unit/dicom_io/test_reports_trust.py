"""Which of several reports is taken, and which never."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_io.header import PatientIdentity
from dicom_io.options import ReportRules, ReportSource
from dicom_io.reports.choice import find_prior_report
from dicom_io.reports.values import OutsideReport
from tests.data.films import BASIC_TEXT_SR, write_film

PATIENT = PatientIdentity(
    patient_id="P1", issuer="SITE", birth_date=date(1950, 5, 1), sex="F", name=None
)
GERMAN = (
    "BEFUND: Das Herz ist nicht vergrößert und die Lunge ist frei von Infiltraten, "
    "kein Erguss auf der rechten Seite."
)


def message(source: ReportSource, text: str, /, **changes: object) -> OutsideReport:
    values: dict[str, object] = {
        "source": source,
        "document": f"{source}-1",
        "patient": PATIENT,
        "accession_number": "A1",
        "study_instance_uid": None,
        "text": text,
        "is_final": True,
        "written_at": datetime(2024, 1, 2, tzinfo=UTC),
        **changes,
    }
    return OutsideReport(**values)  # type: ignore[arg-type]


HL7 = message(ReportSource.HL7, "FINDINGS: From HL7.\nIMPRESSION: None.")
FHIR = message(ReportSource.FHIR, "FINDINGS: From FHIR.")


def sr(path: Path, words: str, **attributes: object) -> Path:
    ds, item = Dataset(), Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = BASIC_TEXT_SR, "1.2.9.7"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.5", "1.5.7"
    ds.VerificationFlag, ds.ContentDate = "VERIFIED", "20240101"
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", words
    ds.ContentSequence = [item]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return write_film(path, ds)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ((ReportSource.SR, ReportSource.HL7, ReportSource.FHIR), "From SR."),
        ((ReportSource.HL7, ReportSource.SR, ReportSource.FHIR), "From HL7."),
        ((ReportSource.FHIR, ReportSource.HL7, ReportSource.SR), "From FHIR."),
    ],
)
def test_the_first_source_of_the_settings_is_trusted_most(
    order: tuple[ReportSource, ...], words: str, tmp_path: Path
) -> None:
    path = sr(tmp_path / "a.dcm", "From SR.")
    found = find_prior_report([path], [HL7, FHIR], ReportRules(sources=order))
    assert found.report is not None
    assert found.report.text == words
    assert len(found.rejected) == 2


def test_a_source_that_the_site_does_not_name_is_refused_by_name() -> None:
    found = find_prior_report([], [HL7], ReportRules(sources=(ReportSource.SR,)))
    assert found.report is None
    assert found.rejected[0].what == "hl7-1"
    assert "takes no report from hl7" in found.rejected[0].reason


def test_a_final_message_comes_before_a_later_preliminary_one() -> None:
    later = message(
        ReportSource.HL7,
        "FINDINGS: Not yet read.",
        document="hl7-2",
        is_final=False,
        written_at=datetime(2024, 1, 3, tzinfo=UTC),
    )
    found = find_prior_report([], [later, HL7])
    assert found.report is not None
    assert found.report.document == "hl7-1"
    assert found.report.instance is None


def test_what_software_sent_is_never_used() -> None:
    found = find_prior_report(
        [], [message(ReportSource.FHIR, "Clear.", written_by_device=True)]
    )
    assert found.report is None
    assert "device" in found.rejected[0].reason


@pytest.mark.parametrize("name", ["Chest AI", "Deep Learning Box", "X CAD"])
def test_equipment_that_calls_itself_intelligent_wrote_no_report(
    name: str, tmp_path: Path
) -> None:
    path = sr(tmp_path / "a.dcm", "Clear.", ManufacturerModelName=name)
    found = find_prior_report([path])
    assert found.report is None
    assert "artificial intelligence" in found.rejected[0].reason


def test_a_report_in_another_language_is_used_and_flagged() -> None:
    found = find_prior_report([], [message(ReportSource.HL7, GERMAN)])
    assert found.report is not None
    assert found.report.flags == ("the prior report is in another language (de)",)


def test_an_english_report_has_no_flag() -> None:
    english = "FINDINGS: The heart is normal and the lungs are clear of infiltrates."
    found = find_prior_report([], [message(ReportSource.HL7, english)])
    assert found.report is not None
    assert found.report.flags == ()


def test_a_report_of_marks_alone_is_refused() -> None:
    found = find_prior_report([], [message(ReportSource.HL7, "XXXX XXXX the XXXX.")])
    assert found.report is None
    assert "placeholders" in found.rejected[0].reason


def test_the_text_is_cut_at_a_word() -> None:
    words = "FINDINGS: " + "effusion " * 100
    rules = ReportRules(max_characters=200)
    found = find_prior_report([], [message(ReportSource.HL7, words)], rules)
    assert found.report is not None
    assert found.report.text.split() == ["effusion"] * 22
