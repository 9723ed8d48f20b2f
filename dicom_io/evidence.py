"""Referenced instances: what the report is about and what else was read.

Current evidence is of the reported study, pertinent other evidence of another
one (PS3.3 C.17.2, Current Requested Procedure Evidence and Pertinent Other
Evidence).
"""

from dataclasses import dataclass
from enum import StrEnum

from dicom_io.coordinates import ImageFrame
from dicom_io.header import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedInstance:
    """One SOP instance by its place in the hierarchy."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def reference(instance: Instance) -> ReferencedInstance:
    """Return an instance's place in the hierarchy."""
    return ReferencedInstance(
        study_instance_uid=instance.study_instance_uid,
        series_instance_uid=instance.series_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
    )


class SlotName(StrEnum):
    """The seven inputs of the model, named as in `ReportInputs`."""

    CURRENT_FRONTAL = "current_frontal"
    CURRENT_LATERAL = "current_lateral"
    PRIOR_FRONTAL = "prior_frontal"
    PRIOR_REPORT = "prior_report"
    INDICATION = "indication"
    TECHNIQUE = "technique"
    COMPARISON = "comparison"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """What was not used for an input of the model, and why; no patient data.

    `what` is the UID of an instance or a study, or the name of a document within
    its source.
    """

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Which instance or document filled an input of the model, and why.

    `instance` is None for a text from a header or a message and for an empty slot;
    `value` is the text given to the model, None for images and empty slots. `source`
    is where it came from: "image", a keyword such as ReasonForStudy, "sr", "hl7";
    None where it is empty. `document` names a message within its source.
    """

    name: SlotName
    filled: bool
    reason: str
    instance: ReferencedInstance | None = None
    value: str | None = None
    source: str | None = None
    document: str | None = None
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a report rests on; kept with it as JSON, without arrays.

    `frame` says how the picture that the model saw lies in the stored frontal
    image; `rendering` how its grey values were made.
    """

    frontal: ReferencedInstance
    frame: ImageFrame
    rendering: str
    lateral: ReferencedInstance | None = None
    prior_images: tuple[ReferencedInstance, ...] = ()
    prior_report: ReferencedInstance | None = None
    slots: tuple[Slot, ...] = ()
    notes: tuple[str, ...] = ()
    """What was noticed on the way: dropped priors, guard flags, odd headers."""
