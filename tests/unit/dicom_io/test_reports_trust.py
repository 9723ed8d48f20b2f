"""Which of several reports is taken, and which never."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_io.options import ReportRules, ReportSource
from dicom_io.reports.choice import find_prior_report
from tests.data.person_reports import outside_report, sr

GERMAN = (
    "BEFUND: Das Herz ist nicht vergrößert und die Lunge ist frei von Infiltraten, "
    "kein Erguss auf der rechten Seite."
)


HL7 = outside_report(ReportSource.HL7, "FINDINGS: From HL7.\nIMPRESSION: None.")
FHIR = outside_report(ReportSource.FHIR, "FINDINGS: From FHIR.")


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
    path = sr(tmp_path / "a.dcm", text="From SR.")
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
    later = outside_report(
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
        [], [outside_report(ReportSource.FHIR, "Clear.", written_by_device=True)]
    )
    assert found.report is None
    assert "device" in found.rejected[0].reason


@pytest.mark.parametrize("name", ["Chest AI", "Deep Learning Box", "X CAD"])
def test_equipment_that_calls_itself_intelligent_wrote_no_report(
    name: str, tmp_path: Path
) -> None:
    path = sr(tmp_path / "a.dcm", text="Clear.", ManufacturerModelName=name)
    found = find_prior_report([path])
    assert found.report is None
    assert "artificial intelligence" in found.rejected[0].reason


def test_a_report_in_another_language_is_used_and_flagged() -> None:
    found = find_prior_report([], [outside_report(ReportSource.HL7, GERMAN)])
    assert found.report is not None
    assert found.report.flags == ("the prior report is in another language (de)",)


def test_the_language_that_a_message_states_is_flagged_too() -> None:
    short = outside_report(ReportSource.FHIR, "Unauffällig.", language="de-AT")
    found = find_prior_report([], [short])
    assert found.report is not None
    assert found.report.flags == ("the prior report is in another language (de)",)


def test_the_language_that_a_structured_report_states_is_flagged_too(
    tmp_path: Path,
) -> None:
    language = Dataset()
    language.RelationshipType, language.ValueType = "HAS CONCEPT MOD", "CODE"
    language.ConceptNameCodeSequence = code("121049", "DCM")
    language.ConceptCodeSequence = code("it-IT", "RFC5646")
    words = Dataset()
    words.RelationshipType, words.ValueType = "CONTAINS", "TEXT"
    words.TextValue = "Nella norma."
    path = sr(tmp_path / "a.dcm", ContentSequence=[language, words])
    found = find_prior_report([path])
    assert found.report is not None
    assert found.report.flags == ("the prior report is in another language (it)",)


def code(value: str, scheme: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "x"
    return [item]


def test_an_english_report_has_no_flag() -> None:
    english = "FINDINGS: The heart is normal and the lungs are clear of infiltrates."
    found = find_prior_report([], [outside_report(ReportSource.HL7, english)])
    assert found.report is not None
    assert found.report.flags == ()


def test_a_report_of_marks_alone_is_refused() -> None:
    found = find_prior_report(
        [], [outside_report(ReportSource.HL7, "XXXX XXXX the XXXX.")]
    )
    assert found.report is None
    assert "placeholders" in found.rejected[0].reason


def test_the_text_is_cut_at_a_word() -> None:
    words = "FINDINGS: " + "effusion " * 100
    rules = ReportRules(max_characters=200)
    found = find_prior_report([], [outside_report(ReportSource.HL7, words)], rules)
    assert found.report is not None
    assert found.report.text.split() == ["effusion"] * 22
