"""The findings SR: sentences with their boxes, for machines and viewers.

Comprehensive 3D SR, TID 1500. Three shapes that validate and still fail in
OHIF 3.13.2 are avoided: a measurement group without SCOORD (the whole document
stays blank), a second SCOORD in a group and a second group with the same
Tracking UID (both silently dropped). So there is one group for each box, and
sentences without a box stand in the Qualitative Evaluations container.
"""

import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from dicom_io import codes
from dicom_io.results.coding import (
    MAPPING_VERSION,
    NEUTRAL,
    Coding,
    code_sentence,
)
from dicom_io.results.identity import identify
from dicom_io.results.kinds import ResultKind
from dicom_io.results.material import Material
from dicom_io.results.pixel_shape import misplaced_by_viewers
from dicom_io.results.placement import PlacedFinding, TrackedBox, corners
from dicom_io.results.source import value
from dicom_io.results.sr import (
    container,
    current_images,
    document,
    document_context,
    text,
)
from dicom_io.results.wording import asked_phrase, caveats, notice, unseen_margin
from model.report import Provenance, Task

_ASKED = frozenset({"attention", "weights", "adapter"})
_ACQUISITION = sr.RelationshipTypeValues.HAS_ACQ_CONTEXT


def findings_sr(material: Material) -> Dataset:
    """Return the findings SR of a report with at least one box.

    Raises NotEncodable.
    """
    return _measurement_report(
        material, ResultKind.FINDINGS_SR, Comprehensive3DSRStorage
    )


def findings_sr_2d(material: Material) -> Dataset:
    """Return the same tree as a Comprehensive SR, for a node that takes no other.

    The regions are two-dimensional, so both classes may hold them (PS3.3 A.35.3,
    A.35.13). Raises NotEncodable.
    """
    return _measurement_report(
        material, ResultKind.FINDINGS_SR_2D, ComprehensiveSRStorage
    )


def _measurement_report(
    material: Material, kind: ResultKind, sop_class_uid: str
) -> Dataset:
    algorithm = _algorithm(material)
    groups = [
        item
        for finding in material.findings
        for tracked in finding.boxes
        for item in _measurement_group(material, finding, tracked, algorithm)
    ]
    root = container(
        codes.IMAGING_MEASUREMENT_REPORT,
        [
            *document_context(material),
            container(codes.IMAGE_LIBRARY, [_image_library_group(material)]),
            container(codes.IMAGING_MEASUREMENTS, groups),
            container(codes.QUALITATIVE_EVALUATIONS, _without_a_place(material)),
        ],
        template_id="1500",
    )
    identity = identify(kind, material.report, material.context)
    return document(material, sop_class_uid, identity, root)


def _measurement_group(
    material: Material,
    finding: PlacedFinding,
    tracked: TrackedBox,
    algorithm: sr.AlgorithmIdentification,
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    # TID 1410 is extensible: the sentence stands beside the region as a Comment,
    # which is what viewers show as the label of the box
    coding = _coding(material, finding)
    group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=tracked.tracking_uid, identifier=tracked.identifier
        ),
        referenced_region=_region(material, tracked),
        finding_type=coding.finding,
        finding_sites=[
            sr.FindingSite(anatomic_location=site, laterality=coding.laterality)
            for site in coding.sites
        ]
        or None,
        algorithm_id=algorithm,
    )
    group[0].ContentSequence.append(text(codes.COMMENT, finding.sentence))
    return group


def _coding(material: Material, finding: PlacedFinding) -> Coding:
    """Code what the model said; a phrase that somebody asked for is not its finding."""
    if material.report.task is Task.PHRASE_GROUNDING:
        return NEUTRAL
    return code_sentence(finding.sentence)


def _region(material: Material, tracked: TrackedBox) -> sr.ImageRegion:
    frontal = material.evidence.frontal
    return sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array(corners(tracked.box)),
        source_image=sr.SourceImageForRegion(
            referenced_sop_class_uid=frontal.sop_class_uid,
            referenced_sop_instance_uid=frontal.sop_instance_uid,
        ),
    )


def _algorithm(material: Material) -> sr.AlgorithmIdentification:
    provenance = material.report.provenance
    slots = material.evidence.slots
    filled = ",".join(slot.name.value for slot in slots if slot.filled)
    return sr.AlgorithmIdentification(
        name=provenance.model_name,
        version=provenance.weights_digest,
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer=material.context.model_manufacturer,
        parameters=[
            f"task={material.report.task.value}",
            f"engine={provenance.engine}",
            f"adapter_version={provenance.adapter_version}",
            f"max_new_tokens={provenance.max_new_tokens}",
            f"dtype={provenance.dtype}",
            *_generation(provenance),
            f"rendering={material.evidence.rendering}",
            f"finding_codes={MAPPING_VERSION}",
            f"prompt_sha256={provenance.prompt_digest}",
            f"slots={filled}",
        ],
    )


def _generation(provenance: Provenance) -> list[str]:
    """Name the settings of the engine that decide an answer, not how it got there."""
    return [
        f"{name}={chosen}" for name, chosen in provenance.settings if name in _ASKED
    ]


def _image_library_group(material: Material) -> sr.ContainerContentItem:
    # TID 1600; highdicom's own needs attributes that real films lack
    images = [
        sr.ImageContentItem(
            name=codes.SOURCE,
            referenced_sop_class_uid=image.sop_class_uid,
            referenced_sop_instance_uid=image.sop_instance_uid,
            relationship_type=sr.RelationshipTypeValues.CONTAINS,
        )
        for image in current_images(material.evidence)
    ]
    images[0].ContentSequence = sr.ContentSequence(_descriptors(material))
    return container(codes.IMAGE_LIBRARY_GROUP, images)


def _descriptors(material: Material) -> list[sr.ContentItem]:
    # TID 1602, of the frontal image: the only header at hand
    frame = material.evidence.frame
    modality = codes.MODALITIES.get(value(material.header, "Modality") or "")
    coded = modality or codes.MODALITIES["RG"]
    return [
        sr.CodeContentItem(
            name=codes.MODALITY, value=coded, relationship_type=_ACQUISITION
        ),
        *(
            sr.NumContentItem(
                name=name,
                value=count,
                unit=codes.PIXELS,
                relationship_type=_ACQUISITION,
            )
            for name, count in (
                (codes.PIXEL_DATA_ROWS, frame.rows),
                (codes.PIXEL_DATA_COLUMNS, frame.columns),
            )
        ),
    ]


def _without_a_place(material: Material) -> list[sr.ContentItem]:
    # TID 1500 row 12
    report, findings = material.report, material.findings
    remarks = (
        notice(report),
        asked_phrase(report),
        unseen_margin(material.evidence.frame),
        misplaced_by_viewers(material.header),
        *caveats(report, findings),
    )
    return [
        *(text(codes.COMMENT, remark) for remark in remarks if remark),
        *(
            text(codes.FINDING, finding.sentence)
            for finding in findings
            if not finding.boxes
        ),
    ]
