"""The findings SR: shapes that validate and also appear in viewers."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from highdicom.sr import MeasurementReport, srread
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.evidence import Evidence, ReferencedInstance
from dicom_io.results.encode import encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.read import read_findings
from model.report import FlagKind, GroundedPhrase, GroundedReport
from tests.data.reports import (
    EFFUSIONS,
    NO_PNEUMOTHORAX,
    OPACITY,
    context,
    evidence,
    film,
    film_file,
    instance,
    report,
)

Encode = Callable[..., Dataset]
REPORT = report()
EVIDENCE = evidence()
LATERAL = EVIDENCE.lateral or EVIDENCE.frontal


@pytest.fixture
def encode(tmp_path: Path) -> Encode:
    frontal = film_file(tmp_path)

    def encoded(
        said: GroundedReport = REPORT,
        seen: Evidence = EVIDENCE,
        predecessors: tuple[ReferencedInstance, ...] = (),
    ) -> Dataset:
        made = encode_results(frontal, said, seen, context(1, predecessors))
        assert made[0].kind is ResultKind.FINDINGS_SR
        return dcmread(BytesIO(made[0].data))

    return encoded


def name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def named(item: Dataset, wanted: str) -> list[Dataset]:
    return [child for child in item.ContentSequence if name(child) == wanted]


def groups(ds: Dataset) -> list[Dataset]:
    (measurements,) = named(ds, "Imaging Measurements")
    return list(measurements.ContentSequence)


def every_item(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from every_item(child)


def test_there_is_one_group_for_each_box(encode: Encode) -> None:
    assert len(groups(encode())) == 3


def test_a_group_has_one_closed_polyline_on_the_frontal_image(encode: Encode) -> None:
    for group in groups(encode()):
        (region,) = [i for i in group.ContentSequence if i.ValueType == "SCOORD"]
        (image,) = region.ContentSequence
        assert region.GraphicType == "POLYLINE"
        assert len(region.GraphicData) == 10
        assert region.GraphicData[:2] == region.GraphicData[-2:]
        assert image.RelationshipType == "SELECTED FROM"
        (referenced,) = image.ReferencedSOPSequence
        assert referenced.ReferencedSOPInstanceUID == EVIDENCE.frontal.sop_instance_uid


def test_a_group_holds_the_whole_sentence_as_a_comment(encode: Encode) -> None:
    sentences = [named(group, "Comment")[0].TextValue for group in groups(encode())]

    assert sentences == [OPACITY.text, EFFUSIONS.text, EFFUSIONS.text]


def test_tracking_uids_are_unique(encode: Encode) -> None:
    uids = [
        named(group, "Tracking Unique Identifier")[0].UID for group in groups(encode())
    ]

    assert len(set(uids)) == 3


def test_the_weights_digest_is_the_algorithm_version(encode: Encode) -> None:
    for group in groups(encode()):
        version = named(group, "Algorithm Version")[0].TextValue
        assert version == REPORT.provenance.weights_digest


def test_a_sentence_without_a_box_is_a_qualitative_evaluation(encode: Encode) -> None:
    (evaluations,) = named(encode(), "Qualitative Evaluations")

    findings = [item.TextValue for item in named(evaluations, "Finding")]
    assert findings == [NO_PNEUMOTHORAX.text]


def test_the_research_notice_and_the_flags_can_be_read(encode: Encode) -> None:
    (evaluations,) = named(
        encode(report(flags=[FlagKind.INVERTED_BOX])), "Qualitative Evaluations"
    )

    remarks = [item.TextValue for item in named(evaluations, "Comment")]
    assert remarks[0].startswith("Research only, not for clinical use")
    # the margins of a film of 1000 rows and 800 columns
    assert "10.0 % at the top and 10.0 % at the bottom" in remarks[1]
    assert "corners in the wrong order" in remarks[2]


def test_every_item_has_a_concept_name(encode: Encode) -> None:
    # OHIF 3.13.2 looks each one up and fails on an item without
    assert all(name(item) for item in every_item(encode()))


def test_the_document_is_preliminary_and_unverified(encode: Encode) -> None:
    ds = encode()

    assert ds.PreliminaryFlag == "PRELIMINARY"
    assert ds.VerificationFlag == "UNVERIFIED"
    assert ds.CompletionFlag == "COMPLETE"


def test_images_of_the_study_are_current_evidence(encode: Encode) -> None:
    (study,) = encode().CurrentRequestedProcedureEvidenceSequence

    assert study.StudyInstanceUID == EVIDENCE.frontal.study_instance_uid
    assert referenced(study) == {"frontal", "lateral"}


def referenced(study: Dataset) -> set[str]:
    known = {
        EVIDENCE.frontal.sop_instance_uid: "frontal",
        LATERAL.sop_instance_uid: "lateral",
        instance("frontal", study="prior").sop_instance_uid: "prior frontal",
        instance("report", study="prior").sop_instance_uid: "prior report",
    }
    return {
        known[item.ReferencedSOPInstanceUID]
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def test_the_prior_and_its_report_are_pertinent_other_evidence(encode: Encode) -> None:
    (study,) = encode(seen=evidence(with_prior=True)).PertinentOtherEvidenceSequence

    assert referenced(study) == {"prior frontal", "prior report"}


def test_without_a_prior_there_is_no_other_evidence(encode: Encode) -> None:
    assert "PertinentOtherEvidenceSequence" not in encode()


def test_the_document_of_the_revision_before_is_its_predecessor(encode: Encode) -> None:
    before = instance("earlier", sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34")

    (study,) = encode(predecessors=(before,)).PredecessorDocumentsSequence

    (series,) = study.ReferencedSeriesSequence
    (document,) = series.ReferencedSOPSequence
    assert document.ReferencedSOPInstanceUID == before.sop_instance_uid


def test_the_order_is_a_referenced_request(tmp_path: Path) -> None:
    order = Dataset()
    order.RequestedProcedureID = "RP7"
    order.RequestedProcedureDescription = "Chest two views"
    path = film_file(tmp_path, film(RequestAttributesSequence=[order]))

    made = encode_results(path, REPORT, EVIDENCE, context())

    (request,) = dcmread(BytesIO(made[0].data)).ReferencedRequestSequence
    assert request.RequestedProcedureID == "RP7"
    assert request.AccessionNumber == "ACC1"


def test_hostile_text_stays_text(encode: Encode) -> None:
    hostile = (
        "<script>alert(1)</script>\x00\x1b[2J \u202eright to left \\ " + "x" * 65536
    )
    phrase = GroundedPhrase(text=hostile, boxes=OPACITY.boxes)

    (group,) = groups(encode(report((phrase,))))

    sentence = named(group, "Comment")[0].TextValue
    assert sentence == hostile.replace("\x00", "").replace("\x1b", "")


def test_another_toolkit_reads_the_same_regions(encode: Encode, tmp_path: Path) -> None:
    path = tmp_path / "sr.dcm"
    encode().save_as(path)

    content = srread(path).content
    assert isinstance(content, MeasurementReport)
    regions = content.get_planar_roi_measurement_groups()

    ours = [(found.tracking_uid, found.box.left) for found in read_findings(path)]
    theirs = [
        (one.tracking_uid, float(one.roi.value[0, 0])) for one in regions if one.roi
    ]
    assert ours == theirs
