"""Key Object Selections: what they point at, and what they can never reject."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
)

from dicom_io.errors import NotEncodable
from dicom_io.evidence import ReferencedInstance
from dicom_io.results.encode import material_of
from dicom_io.results.key_objects import key_objects, rejection_note
from dicom_io.results.material import Material
from tests.data.reports import (
    DX_FOR_PRESENTATION,
    context,
    evidence,
    film_file,
    instance,
    report,
)

OURS = tuple(
    instance(f"ours {number}", sop_class_uid=each)
    for number, each in enumerate(
        (
            Comprehensive3DSRStorage,
            EnhancedSRStorage,
            GrayscaleSoftcopyPresentationStateStorage,
            SecondaryCaptureImageStorage,
        )
    )
)
OWN = frozenset(each.sop_instance_uid for each in OURS)
SEEN = evidence(with_prior=True)


@pytest.fixture
def material(tmp_path: Path) -> Material:
    return material_of(film_file(tmp_path), report(), SEEN, context())


def title(ds: Dataset) -> str:
    return str(ds.ConceptNameCodeSequence[0].CodeMeaning)


def selected(ds: Dataset) -> list[Dataset]:
    return [item for item in ds.ContentSequence if "ReferencedSOPSequence" in item]


def referenced(item: Dataset) -> str:
    return str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def evidence_of(ds: Dataset) -> set[str]:
    return {
        str(item.ReferencedSOPInstanceUID)
        for study in ds.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def test_the_frontal_image_is_of_interest(material: Material) -> None:
    ds = key_objects(material)

    (image,) = selected(ds)
    assert (ds.SOPClassUID, ds.Modality) == (KeyObjectSelectionDocumentStorage, "KO")
    assert title(ds) == "Of Interest"
    assert image.ValueType == "IMAGE"
    assert referenced(image) == SEEN.frontal.sop_instance_uid
    assert evidence_of(ds) == {SEEN.frontal.sop_instance_uid}


def test_references_have_no_purpose(material: Material) -> None:
    for ds in (key_objects(material), rejection_note(material, OURS, OWN)):
        assert all("ConceptNameCodeSequence" not in item for item in selected(ds))


def test_the_description_says_that_it_is_research(material: Material) -> None:
    for ds in (key_objects(material), rejection_note(material, OURS, OWN)):
        (words,) = (
            item
            for item in ds.ContentSequence
            if item.ValueType == "TEXT"
            and item.ConceptNameCodeSequence[0].CodeValue == "113012"
        )
        assert "Research only, not for clinical use" in words.TextValue


def test_the_request_of_the_study_is_named(material: Material) -> None:
    for ds in (key_objects(material), rejection_note(material, OURS, OWN)):
        (request,) = ds.ReferencedRequestSequence
        assert request.AccessionNumber == "ACC1"
        assert "VerificationFlag" not in ds
        assert "PerformedProcedureCodeSequence" not in ds


def test_a_rejection_note_names_all_that_is_withdrawn(material: Material) -> None:
    ds = rejection_note(material, OURS, OWN)

    assert title(ds) == "Rejected for Patient Safety Reasons"
    assert [referenced(item) for item in selected(ds)] == [
        each.sop_instance_uid for each in OURS
    ]
    assert evidence_of(ds) == OWN
    assert [item.ValueType for item in selected(ds)] == [
        *("COMPOSITE", "COMPOSITE", "COMPOSITE", "IMAGE")
    ]


SOURCES = {
    "the frontal image": SEEN.frontal,
    "the lateral image": SEEN.lateral,
    "a prior image": SEEN.prior_images[0],
    "the prior report": SEEN.prior_report,
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("sop_class_uid", [None, SecondaryCaptureImageStorage])
def test_what_was_read_can_never_be_rejected(
    material: Material, name: str, sop_class_uid: str | None
) -> None:
    source = SOURCES[name]
    assert source is not None
    disguised = replace(
        source,
        study_instance_uid=SEEN.frontal.study_instance_uid,
        sop_class_uid=sop_class_uid or source.sop_class_uid,
    )
    # not even where a caller takes it for one of ours
    own = OWN | {disguised.sop_instance_uid}

    with pytest.raises(NotEncodable, match="is no result of ours"):
        rejection_note(material, (*OURS, disguised), own)


@pytest.mark.parametrize(
    "other",
    [
        instance("theirs", sop_class_uid=EnhancedSRStorage),
        replace(OURS[0], study_instance_uid="2.25.1"),
        replace(OURS[0], sop_class_uid=DX_FOR_PRESENTATION),
    ],
    ids=["unknown", "another study", "a film"],
)
def test_what_is_not_surely_ours_is_not_rejected(
    material: Material, other: ReferencedInstance
) -> None:
    with pytest.raises(NotEncodable, match="is no result of ours"):
        rejection_note(material, (other,), OWN)


def test_a_note_that_rejects_nothing_is_refused(material: Material) -> None:
    with pytest.raises(NotEncodable, match="without anything"):
        rejection_note(material, (), OWN)
