"""The narrative SR: the sentences in order, for people.

Enhanced SR, TID 2000. Ordinary viewers show it as text; it is sent for every
report, so "nothing found" differs from "not read".
"""

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage

from dicom_io import codes
from dicom_io.evidence import Evidence, ReferencedInstance
from dicom_io.results.identity import identify
from dicom_io.results.kinds import ResultKind
from dicom_io.results.material import Material
from dicom_io.results.pixel_shape import misplaced_by_viewers
from dicom_io.results.sr import (
    container,
    current_images,
    document,
    document_context,
    text,
)
from dicom_io.results.wording import (
    NOTHING_SAID,
    asked_phrase,
    caveats,
    inputs_read,
    notice,
    unseen_margin,
)


def narrative_sr(material: Material) -> Dataset:
    """Return the narrative SR of a report. Raises NotEncodable."""
    root = container(
        codes.DIAGNOSTIC_IMAGING_REPORT,
        [
            *document_context(material),
            container(codes.CURRENT_PROCEDURE_DESCRIPTIONS, _how_it_was_made(material)),
            container(codes.FINDINGS, _sentences(material)),
        ],
        template_id="2000",
    )
    identity = identify(ResultKind.NARRATIVE_SR, material.report, material.context)
    return document(material, EnhancedSRStorage, identity, root)


def _how_it_was_made(material: Material) -> list[sr.ContentItem]:
    report, evidence = material.report, material.evidence
    read = text(codes.PROCEDURE_DESCRIPTION, inputs_read(evidence))
    read.ContentSequence = sr.ContentSequence(_instances_read(evidence))
    remarks = (
        asked_phrase(report),
        unseen_margin(evidence.frame),
        misplaced_by_viewers(material.header),
        *caveats(report, material.findings),
    )
    return [
        text(codes.PROCEDURE_DESCRIPTION, notice(report)),
        read,
        *(text(codes.PROCEDURE_DESCRIPTION, remark) for remark in remarks if remark),
    ]


def _sentences(material: Material) -> list[sr.ContentItem]:
    items: list[sr.ContentItem] = []
    for finding in material.findings:
        item = text(codes.FINDING, finding.sentence)
        item.ContentSequence = sr.ContentSequence(
            [_inferred_from(sr.ImageContentItem, material.evidence.frontal)]
        )
        items.append(item)
    return items or [text(codes.FINDING, NOTHING_SAID)]


def _instances_read(evidence: Evidence) -> list[sr.ContentItem]:
    images = (*current_images(evidence), *evidence.prior_images)
    report = (evidence.prior_report,) if evidence.prior_report else ()
    return [
        *(_inferred_from(sr.ImageContentItem, image) for image in images),
        *(_inferred_from(sr.CompositeContentItem, document) for document in report),
    ]


def _inferred_from(
    item_type: type[sr.ImageContentItem | sr.CompositeContentItem],
    instance: ReferencedInstance,
) -> sr.ContentItem:
    # named, although TID 2000 needs no name: OHIF 3.13.2 fails on an item without
    return item_type(
        name=codes.SOURCE_OF_MEASUREMENT,
        referenced_sop_class_uid=instance.sop_class_uid,
        referenced_sop_instance_uid=instance.sop_instance_uid,
        relationship_type=sr.RelationshipTypeValues.INFERRED_FROM,
    )
