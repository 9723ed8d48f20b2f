from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_io.product import PRODUCT_NAME
from dicom_io.reports.choice import (
    MAX_REPORT_CHARACTERS,
    find_prior_report,
)
from tests.data.films import (
    BASIC_TEXT_SR,
    film_dataset,
    nested,
    raw_file,
    real_film,
    real_films,
    write_film,
)


def concept(value: str, meaning: str, scheme: str = "DCM") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = value, scheme
    item.CodeMeaning = meaning
    return [item]


def sentence(value: str, words: str, relation: str = "CONTAINS") -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, "TEXT"
    item.ConceptNameCodeSequence = concept(value, "x")
    item.TextValue = words
    return item


def section(value: str, meaning: str, *content: Dataset) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "CONTAINER"
    item.ConceptNameCodeSequence = concept(value, meaning)
    item.ContentSequence = list(content)
    return item


HISTORY = section("121060", "History", sentence("121060", "Cough."))
FINDINGS = section("121070", "Findings", sentence("121071", "Clear lungs."))
IMPRESSION = section("121072", "Impressions", sentence("121073", "Normal."))


def report(path: Path, *content: Dataset, **attributes: object) -> Path:
    ds = Dataset()
    ds.SOPClassUID = BASIC_TEXT_SR
    ds.SOPInstanceUID = f"1.2.9.{sum(path.name.encode())}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.5", "1.5.7"
    ds.ContentDate = "20240101"
    ds.VerificationFlag = "VERIFIED"
    ds.ConceptNameCodeSequence = concept("18748-4", "Diagnostic imaging report", "LN")
    ds.ContentSequence = list(content)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return write_film(path, ds)


def words(*paths: Path) -> str:
    found = find_prior_report(paths)
    assert found.report is not None, found
    return found.report.text


def refusal(path: Path) -> str:
    found = find_prior_report([path])
    assert found.report is None, found
    return found.rejected[0].reason


def test_findings_come_before_impression_before_all_text(tmp_path: Path) -> None:
    whole = report(tmp_path / "a.dcm", HISTORY, IMPRESSION, FINDINGS)
    assert words(whole) == "Clear lungs."
    assert words(report(tmp_path / "b.dcm", HISTORY, IMPRESSION)) == "Normal."
    assert words(report(tmp_path / "c.dcm", HISTORY)) == "Cough."


def test_a_section_is_known_by_its_words_in_another_code(tmp_path: Path) -> None:
    local = section("F1", "Befund", sentence("T", "Lungen frei."))
    assert words(report(tmp_path / "a.dcm", HISTORY, local)) == "Lungen frei."


def test_the_observers_context_is_no_text(tmp_path: Path) -> None:
    context = sentence("121008", "Dr Roe", "HAS OBS CONTEXT")
    assert words(report(tmp_path / "a.dcm", context, HISTORY)) == "Cough."


def test_a_verified_report_comes_before_a_later_one(tmp_path: Path) -> None:
    verified = report(tmp_path / "a.dcm", FINDINGS)
    other = section("121070", "Findings", sentence("121071", "Draft."))
    later = {"VerificationFlag": "UNVERIFIED", "ContentDate": "20240201"}
    assert words(report(tmp_path / "b.dcm", other, **later), verified) == "Clear lungs."


def test_a_long_report_is_cut(tmp_path: Path) -> None:
    long = section("121070", "Findings", sentence("121071", "Clear. " * 2000))
    assert len(words(report(tmp_path / "a.dcm", long))) <= MAX_REPORT_CHARACTERS


@pytest.mark.parametrize(
    "attributes",
    [
        {"ManufacturerModelName": PRODUCT_NAME},
        {"ContentQualification": "RESEARCH"},
    ],
)
def test_our_own_documents_are_never_used(
    attributes: dict[str, object], tmp_path: Path
) -> None:
    assert refusal(report(tmp_path / "own.dcm", FINDINGS, **attributes))


def test_our_equipment_behind_another_is_found(tmp_path: Path) -> None:
    equipment = Dataset()
    equipment.ManufacturerModelName = PRODUCT_NAME
    attributes = {"ContributingEquipmentSequence": [equipment]}
    path = report(tmp_path / "own.dcm", FINDINGS, **attributes)
    assert "this gateway" in refusal(path)


def test_a_device_or_an_algorithm_is_no_author(tmp_path: Path) -> None:
    device = Dataset()
    device.RelationshipType, device.ValueType = "HAS OBS CONTEXT", "CODE"
    device.ConceptNameCodeSequence = concept("121005", "Observer Type")
    device.ConceptCodeSequence = concept("121007", "Device")
    assert "device" in refusal(report(tmp_path / "d.dcm", device, FINDINGS))
    algorithm = sentence("111001", "SomeNet", "HAS CONCEPT MOD")
    hidden = section("121070", "Findings", algorithm, sentence("121071", "Mass."))
    assert "algorithm" in refusal(report(tmp_path / "a.dcm", hidden))


@pytest.mark.parametrize(
    ("purpose", "refused"),
    [
        ("109100", True),  # Synthesizing Equipment
        ("109102", True),  # Processing Equipment
        ("109101", False),  # Acquisition Equipment
        ("109103", False),  # Modifying Equipment
        ("109104", False),  # De-identifying Equipment
        ("MEDIM", False),  # Portable Media Importer Equipment
    ],
)
def test_what_equipment_made_is_not_used_and_what_it_passed_on_is(
    purpose: str, refused: bool, tmp_path: Path
) -> None:
    item = equipment(purpose)
    found = find_prior_report(
        [report(tmp_path / "a.dcm", FINDINGS, ContributingEquipmentSequence=[item])]
    )
    assert (found.report is None) == refused
    assert ["processes" in each.reason for each in found.rejected] == [True] * refused


def equipment(purpose: str, meaning: str = "x") -> Dataset:
    item = Dataset()
    item.Manufacturer = "Somebody"
    item.PurposeOfReferenceCodeSequence = concept(purpose, meaning)
    return item


@pytest.mark.parametrize(
    "item",
    [
        equipment("X1", "Artificial intelligence"),
        equipment("X2", "Inference by machine learning"),
        equipment("X3", "Detection algorithm"),
    ],
)
def test_a_purpose_in_another_code_is_known_by_its_words(
    item: Dataset, tmp_path: Path
) -> None:
    path = report(tmp_path / "a.dcm", FINDINGS, ContributingEquipmentSequence=[item])
    assert "artificial intelligence" in refusal(path)


def test_what_equipment_says_of_its_part_is_read(tmp_path: Path) -> None:
    item = equipment("109103")
    item.ContributionDescription = "Text written by AI"
    path = report(tmp_path / "a.dcm", FINDINGS, ContributingEquipmentSequence=[item])
    assert "artificial intelligence" in refusal(path)
    item.ContributionDescription = "Inviato ai medici"  # "sent to the physicians"
    assert words(
        report(tmp_path / "b.dcm", FINDINGS, ContributingEquipmentSequence=[item])
    )


def test_an_identified_algorithm_is_the_author(tmp_path: Path) -> None:
    named = {"AlgorithmName": "SomeNet", "AlgorithmVersion": "1"}
    assert "algorithm" in refusal(report(tmp_path / "a.dcm", FINDINGS, **named))
    item = equipment("109103")
    item.AlgorithmFamilyCodeSequence = concept("123110", "Artificial neural network")
    behind = {"ContributingEquipmentSequence": [item]}
    assert "algorithm" in refusal(report(tmp_path / "b.dcm", FINDINGS, **behind))


@pytest.mark.parametrize(("kinds", "refused"), [("DEV", True), ("DEV PSN", False)])
def test_a_device_is_no_author_and_beside_a_person_it_may_stand(
    kinds: str, refused: bool, tmp_path: Path
) -> None:
    authors = [Dataset() for _ in kinds.split()]
    for author, kind in zip(authors, kinds.split(), strict=True):
        author.ObserverType = kind
    path = report(tmp_path / "a.dcm", FINDINGS, AuthorObserverSequence=authors)
    assert (find_prior_report([path]).report is None) == refused


REAL_DOCUMENTS = {
    "dcmjs_sample-sr.dcm": "its content is qualified as not clinical",
    "dcmjs_structured_report.dcm": "its content is qualified as not clinical",
    "highdicom_tid1500.dcm": "it holds measurements, not a report",
    "mesa_imageForPrLUTs.dcm": "",
    "mesa_overlay.dcm": "",
    "mesa_prLUTs.dcm": "",
    "mesa_prOverlay.dcm": "",
    "ofis_reportsi.dcm": "whole text of the prior's Basic Text SR; not verified",
    "ofis_reportsi_with_empty_number_tags.dcm": (
        "whole text of the prior's Basic Text SR; not verified"
    ),
    "ofis_test-SR.dcm": "whole text of the prior's Comprehensive SR; verified",
}
"""What is said of each real file; "": it is no document, and nothing is said.

By their headers (dcmdump): the first two have Content Qualification RESEARCH, the
third has the title (126000, DCM), the last three name no device and no algorithm.
"""


@pytest.mark.parametrize("name", REAL_DOCUMENTS)
def test_a_real_file_gets_its_verdict(name: str) -> None:
    found = find_prior_report([real_film(f"sr_pr_ko/{name}")])
    said = [each.reason for each in found.rejected]
    said += [] if found.report is None else [found.report.reason]
    assert said == ([REAL_DOCUMENTS[name]] if REAL_DOCUMENTS[name] else [])


def test_every_real_file_has_a_verdict() -> None:
    assert {path.name for path in real_films("sr_pr_ko")} == set(REAL_DOCUMENTS)


def test_measurements_are_no_report(tmp_path: Path) -> None:
    title = concept("126000", "Imaging Measurement Report")
    path = report(tmp_path / "m.dcm", FINDINGS, ConceptNameCodeSequence=title)
    assert "measurements" in refusal(path)


def test_images_and_broken_files_are_passed_over(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.dcm", film_dataset())
    deep = raw_file(tmp_path / "deep.dcm", nested(300), "1.2.840.10008.1.2.1")
    good = report(tmp_path / "good.dcm", FINDINGS)
    assert words(film, deep, good) == "Clear lungs."
    assert find_prior_report([film]).rejected == ()


def test_a_document_of_another_toolkit_is_read() -> None:
    found = find_prior_report([real_film("sr_pr_ko/ofis_reportsi.dcm")])
    assert found.report is not None
    assert found.report.text == "Enter text"


def test_of_two_reports_of_one_day_the_later_is_taken(tmp_path: Path) -> None:
    early = report(tmp_path / "z.dcm", FINDINGS, ContentTime="080000")
    late = report(tmp_path / "a.dcm", IMPRESSION, ContentTime="170000")
    assert words(early, late) == "Normal."


def predecessor(sop_instance_uid: str) -> list[Dataset]:
    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPInstanceUID = sop_instance_uid
    series.ReferencedSOPSequence = [instance]
    study.ReferencedSeriesSequence = [series]
    return [study]


def test_a_document_that_another_replaces_is_not_used(tmp_path: Path) -> None:
    old = report(tmp_path / "old.dcm", FINDINGS, SOPInstanceUID="1.2.9.1")
    amended = report(
        tmp_path / "amended.dcm",
        IMPRESSION,
        VerificationFlag="UNVERIFIED",
        PredecessorDocumentsSequence=predecessor("1.2.9.1"),
    )
    assert words(old, amended) == "Normal."


def test_a_comprehensive_3d_report_is_read(tmp_path: Path) -> None:
    spatial = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.34"}
    found = find_prior_report([report(tmp_path / "a.dcm", FINDINGS, **spatial)])
    assert found.report is not None
    assert found.report.reason == (
        "findings of the prior's Comprehensive 3D SR; verified"
    )
