"""Key Object Selections (PS3.3 A.35.4, TID 2010): what to look at, what to forget.

A rejection note can make an archive hide what it names (IHE Imaging Object Change
Management). So it names objects of our own and nothing else.
"""

from collections.abc import Sequence

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
)

from dicom_io import codes
from dicom_io.errors import NotEncodable
from dicom_io.evidence import Evidence, ReferencedInstance
from dicom_io.results.identity import identify
from dicom_io.results.kinds import ResultKind
from dicom_io.results.material import Material
from dicom_io.results.modules import begin, moment
from dicom_io.results.sr import (
    add_requests,
    container,
    current_images,
    hierarchy,
    language_and_observer,
    text,
)
from dicom_io.results.wording import notice

_RESULT_CLASSES = frozenset(
    {
        Comprehensive3DSRStorage,
        ComprehensiveSRStorage,
        EnhancedSRStorage,
        GrayscaleSoftcopyPresentationStateStorage,
        KeyObjectSelectionDocumentStorage,
        SecondaryCaptureImageStorage,
    }
)
"""What this package makes; a film is of none of them, a capture excepted."""


def key_objects(material: Material) -> Dataset:
    """Return the selection that points at the frontal image of a report with boxes.

    Raises NotEncodable.
    """
    words = f"A model located findings in this image. {notice(material.report)}"
    frontal = material.evidence.frontal
    image = _selected(sr.ImageContentItem, frontal)
    root = _root(codes.OF_INTEREST, material, words, [image])
    return _selection(ResultKind.KEY_OBJECTS, material, root, [frontal])


def rejection_note(
    material: Material, rejected: Sequence[ReferencedInstance], own: frozenset[str]
) -> Dataset:
    """Return the note by which an archive takes results of ours out of use.

    rejected : at least one result. own : SOP Instance UIDs of all results that
        were ever made of this study.

    Its title is "Rejected for Patient Safety Reasons": who withdraws a result says
    that it must not be used. What is rejected for quality may still be shown.

    Raises NotEncodable for a reference to anything that is no result of ours.
    """
    _check_are_ours(material, rejected, own)
    words = f"Results of this gateway that are withdrawn. {notice(material.report)}"
    selected = [
        _selected(
            sr.ImageContentItem
            if instance.sop_class_uid == SecondaryCaptureImageStorage
            else sr.CompositeContentItem,
            instance,
        )
        for instance in rejected
    ]
    root = _root(codes.REJECTED_FOR_SAFETY, material, words, selected)
    return _selection(ResultKind.REJECTION_NOTE, material, root, rejected)


def _selection(
    kind: ResultKind,
    material: Material,
    root: sr.ContainerContentItem,
    referenced: Sequence[ReferencedInstance],
) -> Dataset:
    # Key Object Document, PS3.3 C.17.6.2. One study, so no identical documents.
    identity = identify(kind, material.report, material.context)
    ds = begin(material, KeyObjectSelectionDocumentStorage, identity)
    ds.Modality = "KO"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.ContentDate, ds.ContentTime = moment(material)
    add_requests(ds, material)
    ds.CurrentRequestedProcedureEvidenceSequence = hierarchy(referenced)
    ds.update(root)
    return ds


def _root(
    title: Code, material: Material, words: str, selected: Sequence[sr.ContentItem]
) -> sr.ContainerContentItem:
    context = language_and_observer(material)
    description = text(codes.KEY_OBJECT_DESCRIPTION, words)
    root = container(title, [*context, description, *selected], template_id="2010")
    for item in selected:
        # highdicom asks for a purpose of reference, TID 2010 forbids it
        del item.ConceptNameCodeSequence
    return root


def _selected(
    item_type: type[sr.ImageContentItem | sr.CompositeContentItem],
    instance: ReferencedInstance,
) -> sr.ContentItem:
    return item_type(
        name=codes.SOURCE,
        referenced_sop_class_uid=instance.sop_class_uid,
        referenced_sop_instance_uid=instance.sop_instance_uid,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )


def _check_are_ours(
    material: Material, rejected: Sequence[ReferencedInstance], own: frozenset[str]
) -> None:
    if not rejected:
        raise NotEncodable("a rejection note without anything to reject")
    study = material.evidence.frontal.study_instance_uid
    read = _read(material.evidence)
    for instance in rejected:
        is_ours = (
            instance.sop_instance_uid in own - read
            and instance.sop_class_uid in _RESULT_CLASSES
            and instance.study_instance_uid == study
        )
        if not is_ours:
            uid = instance.sop_instance_uid
            raise NotEncodable(f"{uid!r} is no result of ours: it is not rejected")


def _read(evidence: Evidence) -> frozenset[str]:
    """Return the UIDs of everything that was read and not made by us."""
    prior_report = (evidence.prior_report,) if evidence.prior_report else ()
    slots = tuple(slot.instance for slot in evidence.slots if slot.instance)
    read = (*current_images(evidence), *evidence.prior_images, *prior_report, *slots)
    return frozenset(instance.sop_instance_uid for instance in read)
