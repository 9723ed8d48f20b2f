"""What the last look finds: one planted fault a test."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.results.encode import encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.preflight import check_objects
from dicom_io.results.values import EncodedInstance
from dicom_io.uid import derive_uid
from tests.data.reports import context, evidence, film_file, report

Objects = tuple[EncodedInstance, ...]
EVIDENCE = evidence(with_prior=True)


@pytest.fixture
def made(tmp_path: Path) -> Objects:
    return encode_results(film_file(tmp_path), report(), EVIDENCE, context())


def damaged(
    made: Objects, kind: ResultKind, damage: Callable[[Dataset], object]
) -> Objects:
    """Return the objects with one of them changed after it was finished."""
    return tuple(_damage(one, damage) if one.kind is kind else one for one in made)


def _damage(
    one: EncodedInstance, damage: Callable[[Dataset], object]
) -> EncodedInstance:
    ds = dcmread(BytesIO(one.data))
    damage(ds)
    file = BytesIO()
    ds.save_as(file)
    return replace(one, data=file.getvalue())


def groups(ds: Dataset) -> list[Dataset]:
    return [
        group
        for container in ds.ContentSequence
        for group in container.get("ContentSequence", ())
        if any(c.get("ValueType") == "SCOORD" for c in group.get("ContentSequence", ()))
    ]


def region(ds: Dataset, number: int = 0) -> Dataset:
    children = groups(ds)[number].ContentSequence
    found: Dataset = next(c for c in children if c.ValueType == "SCOORD")
    return found


def move_first_point(ds: Dataset, column: float) -> None:
    data = list(region(ds).GraphicData)
    data[0] = column
    data[-2] = column
    region(ds).GraphicData = data


def set_all(ds: Dataset, numbers: list[float]) -> None:
    region(ds).GraphicData = numbers


def outlines(ds: Dataset) -> Dataset:
    objects: Dataset = ds.GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    return objects


def test_finished_objects_have_no_problem(made: Objects) -> None:
    assert check_objects(made, EVIDENCE) == ()


@pytest.mark.parametrize("keyword", ["Modality", "SeriesNumber", "Manufacturer"])
def test_an_attribute_without_a_value_is_named(made: Objects, keyword: str) -> None:
    bad = damaged(made, ResultKind.GSPS, lambda ds: setattr(ds, keyword, None))
    assert check_objects(bad, EVIDENCE) == (f"gsps: {keyword} has no value",)


def test_a_missing_identity_attribute_is_named(made: Objects) -> None:
    bad = damaged(made, ResultKind.NARRATIVE_SR, lambda ds: ds.pop("PatientBirthDate"))
    (problem,) = check_objects(bad, EVIDENCE)
    assert problem == "narrative-sr: PatientBirthDate is missing"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("VerificationFlag", "VERIFIED"),
        ("PreliminaryFlag", "FINAL"),
        ("ContentQualification", "PRODUCT"),
    ],
)
def test_a_document_that_claims_more_than_research_stays(
    made: Objects, keyword: str, value: str
) -> None:
    bad = damaged(made, ResultKind.FINDINGS_SR, lambda ds: setattr(ds, keyword, value))
    (problem,) = check_objects(bad, EVIDENCE)
    assert keyword in problem


def test_a_missing_research_notice_is_found(made: Objects) -> None:
    def erase(ds: Dataset) -> None:
        for text in ds.GraphicAnnotationSequence[0].TextObjectSequence:
            text.UnformattedTextValue = "1"

    bad = damaged(made, ResultKind.GSPS, erase)
    assert check_objects(bad, EVIDENCE) == (
        "gsps: no text says that it is for research only",
    )


def test_an_empty_sentence_is_found(made: Objects) -> None:
    def empty(ds: Dataset) -> None:
        comment = next(
            c for c in groups(ds)[0].ContentSequence if c.get("TextValue", "") != ""
        )
        comment.TextValue = " "

    bad = damaged(made, ResultKind.FINDINGS_SR, empty)
    assert "findings-sr: a text is empty" in check_objects(bad, EVIDENCE)


def test_a_reference_to_an_instance_that_was_not_read_is_found(made: Objects) -> None:
    stranger = derive_uid("test", "stranger")

    def point_elsewhere(ds: Dataset) -> None:
        image = region(ds).ContentSequence[0].ReferencedSOPSequence[0]
        image.ReferencedSOPInstanceUID = stranger

    bad = damaged(made, ResultKind.FINDINGS_SR, point_elsewhere)
    problems = check_objects(bad, EVIDENCE)
    assert any(
        "neither read nor made" in line and stranger in line for line in problems
    )


def test_an_image_in_the_tree_that_is_no_evidence_is_found(made: Objects) -> None:
    def forget(ds: Dataset) -> None:
        del ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]

    bad = damaged(made, ResultKind.FINDINGS_SR, forget)
    assert any("among the evidence" in line for line in check_objects(bad, EVIDENCE))


def test_a_predecessor_is_known_only_where_it_is_given(tmp_path: Path) -> None:
    before = replace(
        EVIDENCE.frontal, sop_instance_uid=derive_uid("test", "predecessor")
    )
    made = encode_results(
        film_file(tmp_path), report(), EVIDENCE, context(2, (before,))
    )
    assert check_objects(made, EVIDENCE, [before.sop_instance_uid]) == ()
    assert len(check_objects(made, EVIDENCE)) == 2


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda ds: move_first_point(ds, -1.0), "leaves the image"),
        (lambda ds: move_first_point(ds, 800.5), "leaves the image"),
        (lambda ds: move_first_point(ds, float("nan")), "not a number"),
        (lambda ds: set_all(ds, [1, 1, 9, 1, 9, 9, 1, 9]), "not closed"),
        (lambda ds: set_all(ds, [1, 1, 9, 1, 9, 9, 1, 9, 2, 1]), "not closed"),
        (lambda ds: set_all(ds, [1, 1, 1, 1, 1, 9, 1, 9, 1, 1]), "no area"),
    ],
)
def test_a_wrong_outline_is_found(
    made: Objects, damage: Callable[[Dataset], None], said: str
) -> None:
    bad = damaged(made, ResultKind.FINDINGS_SR, damage)
    assert any(said in problem for problem in check_objects(bad, EVIDENCE))


def test_a_box_that_differs_between_sr_and_overlay_is_found(made: Objects) -> None:
    def shift(ds: Dataset) -> None:
        outline = outlines(ds)
        outline.GraphicData = [number + 0.5 for number in outline.GraphicData]

    bad = damaged(made, ResultKind.GSPS, shift)
    (problem,) = check_objects(bad, EVIDENCE)
    assert "differ in their boxes" in problem


def test_a_tracking_uid_that_differs_is_found(made: Objects) -> None:
    def rename(ds: Dataset) -> None:
        outlines(ds).TrackingUID = derive_uid("test", "other")

    (problem,) = check_objects(damaged(made, ResultKind.GSPS, rename), EVIDENCE)
    assert "differ in their boxes" in problem


def test_an_object_of_another_study_is_found(made: Objects) -> None:
    other = derive_uid("test", "another study")
    bad = damaged(
        made, ResultKind.GSPS, lambda ds: setattr(ds, "StudyInstanceUID", other)
    )
    (problem,) = check_objects(bad, EVIDENCE)
    assert problem == "gsps: StudyInstanceUID is not that of the image"


def test_two_objects_in_one_series_are_found(made: Objects) -> None:
    series = made[0].series_instance_uid
    bad = damaged(
        made, ResultKind.GSPS, lambda ds: setattr(ds, "SeriesInstanceUID", series)
    )
    assert check_objects(bad, EVIDENCE) == (
        "two objects share their SeriesInstanceUID",
    )


def test_a_report_of_another_frame_does_not_pass(made: Objects) -> None:
    smaller = replace(EVIDENCE, frame=replace(EVIDENCE.frame, rows=10))
    assert any("leaves the image" in line for line in check_objects(made, smaller))
