"""What both structured reports share: document modules and content items.

Content items are highdicom's; the modules around them (SR Document General,
PS3.3 C.17.2) are written here.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from dicom_io import codes
from dicom_io.elements import Attributes
from dicom_io.evidence import Evidence, ReferencedInstance
from dicom_io.product import MANUFACTURER, PRODUCT_NAME
from dicom_io.results.identity import ObjectIdentity
from dicom_io.results.material import Material
from dicom_io.results.modules import begin, moment, reference
from dicom_io.results.source import copy_mandatory, copy_optional, value
from dicom_io.results.text import long_string
from dicom_io.results.wording import what_ended
from dicom_io.values import items

_REQUEST = (
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
)
_CODE = (
    "CodeValue",
    "CodingSchemeDesignator",
    "CodingSchemeVersion",
    "CodeMeaning",
    "LongCodeValue",
    "URNCodeValue",
)


def document(
    material: Material,
    sop_class_uid: str,
    identity: ObjectIdentity,
    root: sr.ContainerContentItem,
) -> Dataset:
    """Return the SR document whose content tree is `root`.

    Completion is PARTIAL where the text was stopped before its end; the document
    is never verified and always preliminary. Raises NotEncodable.
    """
    ds = begin(material, sop_class_uid, identity)
    ds.Modality = "SR"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.ContentDate, ds.ContentTime = moment(material)
    _add_status(ds, material)
    add_requests(ds, material)
    ds.PerformedProcedureCodeSequence = []
    _add_evidence(ds, material)
    # the root item has no relationship to a parent: its attributes are the document's
    ds.update(root)
    return ds


def container(
    name: Code, children: Sequence[sr.ContentItem], template_id: str | None = None
) -> sr.ContainerContentItem:
    """Return a CONTAINER; with `template_id` (of PS3.16) it is a document's root."""
    relationship = None if template_id else sr.RelationshipTypeValues.CONTAINS
    item = sr.ContainerContentItem(
        name=name, template_id=template_id, relationship_type=relationship
    )
    item.ContentSequence = sr.ContentSequence(children, is_root=False)
    return item


def text(name: Code, content: str) -> sr.TextContentItem:
    """Return a TEXT item contained in its parent; `content` is clean."""
    return sr.TextContentItem(
        name=name,
        value=content,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )


def document_context(material: Material) -> list[sr.ContentItem]:
    """Return language, observer and procedure reported, as reports have them."""
    procedure = sr.CodeContentItem(
        name=codes.PROCEDURE_REPORTED,
        value=codes.IMAGING_PROCEDURE,
        relationship_type=sr.RelationshipTypeValues.HAS_CONCEPT_MOD,
    )
    return [*language_and_observer(material), procedure]


def language_and_observer(material: Material) -> list[sr.ContentItem]:
    """Return language (TID 1204) and observer (TID 1001)."""
    observer = sr.DeviceObserverIdentifyingAttributes(
        uid=material.context.device_uid,
        name=PRODUCT_NAME,
        manufacturer_name=MANUFACTURER,
        model_name=PRODUCT_NAME,
        serial_number=material.context.device_uid,
    )
    device = sr.ObserverContext(
        observer_type=sr.CodedConcept.from_code(codes.DEVICE),
        observer_identifying_attributes=observer,
    )
    return [
        *sr.LanguageOfContentItemAndDescendants(
            sr.CodedConcept.from_code(codes.ENGLISH)
        ),
        *sr.ObservationContext(observer_device_context=device),
    ]


def _add_status(ds: Dataset, material: Material) -> None:
    ended = what_ended(material.report)
    ds.CompletionFlag = "COMPLETE" if ended is None else "PARTIAL"
    if ended is not None:
        ds.CompletionFlagDescription = long_string(ended)
    ds.VerificationFlag = "UNVERIFIED"
    ds.PreliminaryFlag = "PRELIMINARY"


def add_requests(ds: Dataset, material: Material) -> None:
    """Add the requests that the study fulfils, where it names any (0040,A370)."""
    header = material.header
    orders = items(header, "RequestAttributesSequence")
    if not orders and value(header, "AccessionNumber"):
        orders = [Attributes(little_endian=True)]
    if orders:
        ds.ReferencedRequestSequence = [_request(header, order) for order in orders]


def _request(header: Attributes, order: Attributes) -> Dataset:
    item = Dataset()
    copy_mandatory(header, item, ("StudyInstanceUID",))
    own = order if value(order, "AccessionNumber") else header
    copy_mandatory(own, item, ("AccessionNumber",))
    copy_mandatory(order, item, _REQUEST)
    copy_optional(order, item, ("ReasonForTheRequestedProcedure",))
    item.ReferencedStudySequence = []
    item.RequestedProcedureCodeSequence = [
        _requested_code(code) for code in items(order, "RequestedProcedureCodeSequence")
    ]
    return item


def _requested_code(code: Attributes) -> Dataset:
    item = Dataset()
    copy_optional(code, item, _CODE)
    return item


def _add_evidence(ds: Dataset, material: Material) -> None:
    evidence = material.evidence
    ds.CurrentRequestedProcedureEvidenceSequence = hierarchy(current_images(evidence))
    other = _prior_instances(evidence)
    if other:
        ds.PertinentOtherEvidenceSequence = hierarchy(other)
    if material.context.predecessors:
        ds.PredecessorDocumentsSequence = hierarchy(material.context.predecessors)


def current_images(evidence: Evidence) -> tuple[ReferencedInstance, ...]:
    """Return the images of the reported study that were read, frontal first."""
    lateral = (evidence.lateral,) if evidence.lateral else ()
    return (evidence.frontal, *lateral)


def _prior_instances(evidence: Evidence) -> tuple[ReferencedInstance, ...]:
    report = (evidence.prior_report,) if evidence.prior_report else ()
    return (*evidence.prior_images, *report)


def hierarchy(instances: Sequence[ReferencedInstance]) -> list[Dataset]:
    """Return the items of an evidence sequence, by study and series.

    Hierarchical SOP Instance Reference Macro, PS3.3 C.17.2.1.
    """
    by_study = attrgetter("study_instance_uid")
    by_series = attrgetter("series_instance_uid")
    studies = []
    for study_uid, of_study in groupby(sorted(instances, key=by_study), by_study):
        study = Dataset()
        study.StudyInstanceUID = study_uid
        study.ReferencedSeriesSequence = [
            _series(series_uid, list(of_series))
            for series_uid, of_series in groupby(
                sorted(of_study, key=by_series), by_series
            )
        ]
        studies.append(study)
    return studies


def _series(series_uid: str, instances: Sequence[ReferencedInstance]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = series_uid
    series.ReferencedSOPSequence = [reference(instance) for instance in instances]
    return series
