"""What a withdrawal says, and what it names."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage, EnhancedSRStorage

from dicom_io.results.encode import material_of
from dicom_io.results.kinds import ResultKind
from dicom_io.results.material import Material
from dicom_io.results.read import read_sentences
from dicom_io.results.values import EncodedInstance
from dicom_io.results.withdrawal import Withdrawal, encode_withdrawal
from tests.data.reports import context, evidence, film_file, instance, report

OURS = (
    instance("findings", sop_class_uid=Comprehensive3DSRStorage),
    instance("narrative", sop_class_uid=EnhancedSRStorage),
)
OWN = frozenset(each.sop_instance_uid for each in OURS)
WITHDRAWAL = Withdrawal(why="Wrong patient.", role="radiologist", results=OURS)
NARRATIVE = frozenset({ResultKind.NARRATIVE_SR})
REJECTING = NARRATIVE | {ResultKind.REJECTION_NOTE}


@pytest.fixture
def material(tmp_path: Path) -> Material:
    return material_of(film_file(tmp_path), report(), evidence(), context(2, OURS))


def narrative(material: Material, withdrawal: Withdrawal = WITHDRAWAL) -> bytes:
    (told,) = encode_withdrawal(material, withdrawal, OWN, NARRATIVE)
    return told.data


def kinds(made: tuple[EncodedInstance, ...]) -> list[ResultKind]:
    return [one.kind for one in made]


def test_it_names_the_documents_before_it_as_predecessors(material: Material) -> None:
    ds = dcmread(BytesIO(narrative(material)))

    assert {
        str(item.ReferencedSOPInstanceUID)
        for study in ds.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    } == OWN


def test_it_is_unverified_preliminary_research(material: Material) -> None:
    ds = dcmread(BytesIO(narrative(material)))

    assert ds.VerificationFlag == "UNVERIFIED"
    assert ds.PreliminaryFlag == "PRELIMINARY"
    assert ds.ContentQualification == "RESEARCH"
    assert {"RESEARCH", "withdrawn"} <= set(ds.SeriesDescription.split())


def test_it_says_what_is_withdrawn_and_why(material: Material) -> None:
    withdrawn, reason = read_sentences(narrative(material))

    assert withdrawn.startswith("WITHDRAWN. The 2 result objects")
    assert reason == "Reason, given by a radiologist: Wrong patient."


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("<b>no</b> & \\ ^ =", "<b>no</b> & \\ ^ ="),
        ("שגוי\u200f \u202eabc", "שגוי\u200f \u202eabc"),
        ("wrong\x00 side\x1b", "wrong side"),
        ("two\nlines\tand a tab", "two\nlines and a tab"),
        ("\ud800", "\ufffd"),
        ("  ", "no reason was given"),
        ("x" * 65536, "x" * 65536),
    ],
    ids=["markup", "right to left", "controls", "lines", "surrogate", "empty", "64 KB"],
)
def test_the_reason_stays_text(material: Material, why: str, said: str) -> None:
    _, reason = read_sentences(narrative(material, replace(WITHDRAWAL, why=why)))

    assert reason == f"Reason, given by a radiologist: {said}"


def test_the_report_itself_is_not_repeated(material: Material) -> None:
    data = narrative(material)

    assert not any(phrase.text.encode() in data for phrase in report().phrases)


def test_a_rejection_note_comes_only_where_one_is_wanted(material: Material) -> None:
    told = encode_withdrawal(material, WITHDRAWAL, OWN, NARRATIVE)
    both = encode_withdrawal(material, WITHDRAWAL, OWN, REJECTING)

    assert kinds(told) == [ResultKind.WITHDRAWAL_SR]
    assert kinds(both) == [ResultKind.WITHDRAWAL_SR, ResultKind.REJECTION_NOTE]


def test_a_note_with_nothing_to_reject_is_not_made(material: Material) -> None:
    nothing = replace(WITHDRAWAL, results=())

    made = encode_withdrawal(material, nothing, OWN, REJECTING)

    assert kinds(made) == [ResultKind.WITHDRAWAL_SR]


def test_it_has_the_same_bytes_each_time(material: Material) -> None:
    first = encode_withdrawal(material, WITHDRAWAL, OWN, REJECTING)

    assert first == encode_withdrawal(material, WITHDRAWAL, OWN, REJECTING)


def test_narrative_and_note_are_in_series_of_their_own(material: Material) -> None:
    made = encode_withdrawal(material, WITHDRAWAL, OWN, REJECTING)
    opened = [dcmread(BytesIO(one.data)) for one in made]

    assert len({ds.SeriesInstanceUID for ds in opened}) == 2
    assert {ds.StudyInstanceUID for ds in opened} == {
        evidence().frontal.study_instance_uid
    }
