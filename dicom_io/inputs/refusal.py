"""Why an image is not read, whatever its view; pure, with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dicom_io.header import Instance
from dicom_io.identity import one_patient
from dicom_io.inputs.age import years_old
from dicom_io.inputs.film import FilmReading
from dicom_io.inputs.looking import Seen
from dicom_io.inputs.subject import (
    DX_FOR_PROCESSING,
    find_animal,
    find_capture,
    find_chest,
    find_other_region,
    is_radiograph,
)
from dicom_io.inputs.weighing import denies_chest, find_oddity, shows_chest
from dicom_io.options import Disagreement, ViewRules


class DeclineReason(StrEnum):
    """Why a study is not read; a state of the study, never an error."""

    PATIENT_CONFLICT = "patient-conflict"
    """Images of two patients under one Study Instance UID."""
    NO_FRONTAL = "no-frontal"
    NOT_HUMAN = "not-human"
    TOO_YOUNG = "too-young"
    """The patient was younger than the site's limit."""
    REJECTED = "rejected"
    """A rejection note of the study takes the image back."""
    NOT_CHEST = "not-chest"
    NO_PIXELS = "no-pixels"
    UNREADABLE_PIXELS = "unreadable-pixels"
    SECONDARY_CAPTURE = "secondary-capture"
    CONSTANT_IMAGE = "constant-image"
    UNSUPPORTED_ORIENTATION = "unsupported-orientation"
    OUTSIDE_DOMAIN = "outside-domain"
    """The engine does not read this: a film for the phantom engine, or a phantom
    for an engine of films."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """A refusal with its reason; `detail` is a sentence without patient data."""

    reason: DeclineReason
    detail: str


def refuse_study(instances: Sequence[Instance], rules: ViewRules) -> Declined | None:
    """Return why none of the images of a study can be read, or None."""
    conflict = one_patient(instances)
    if conflict is not None:
        detail = f"the instances are not of one patient: {conflict}"
        return Declined(reason=DeclineReason.PATIENT_CONFLICT, detail=detail)
    return _find_animal(instances) or _find_child(instances, rules.minimum_age_years)


def nearest(refused: Sequence[tuple[Instance, Declined]]) -> Declined:
    """Return the refusal that came nearest to being read; at least one is given."""
    instance, found = min(refused, key=lambda pair: _ORDER.index(pair[1].reason))
    return replace(found, detail=f"{instance.sop_instance_uid}: {found.detail}")


def refuse(instance: Instance, seen: Seen, rules: ViewRules) -> Declined | None:
    """Return why this image cannot be read at all, or None."""
    note = seen.rejected.get(instance.sop_instance_uid)
    if note is not None:
        return Declined(reason=DeclineReason.REJECTED, detail=note)
    captured = find_capture(instance)
    if captured is not None:
        detail = f"a secondary capture of something else: {captured}"
        return Declined(reason=DeclineReason.SECONDARY_CAPTURE, detail=detail)
    if not is_radiograph(instance):
        return Declined(reason=DeclineReason.NO_FRONTAL, detail="not a CR or DX image")
    if not (instance.has_pixels and instance.rows and instance.columns):
        return Declined(reason=DeclineReason.NO_PIXELS, detail="it has no pixel data")
    reading = seen.readings.get(instance.sop_instance_uid)
    return (
        _refuse_content(instance, reading)
        or refuse_domain(instance, rules)
        or _refuse_pixels(reading, rules.disagreement)
    )


def _find_animal(instances: Sequence[Instance]) -> Declined | None:
    for instance in instances:
        word = find_animal(instance)
        if word is not None:
            detail = f"{instance.sop_instance_uid} is not of a human: {word}"
            return Declined(reason=DeclineReason.NOT_HUMAN, detail=detail)
    return None


def _find_child(instances: Sequence[Instance], limit: int) -> Declined | None:
    """Decline a patient who was surely younger than `limit` years."""
    for instance in instances:
        age = years_old(instance)
        if age is not None and age < limit:
            detail = f"{instance.sop_instance_uid}: under {limit} years of age"
            return Declined(reason=DeclineReason.TOO_YOUNG, detail=detail)
    return None


def _refuse_content(instance: Instance, reading: FilmReading | None) -> Declined | None:
    region = find_other_region(instance)
    if region is not None:
        detail = f"not of the chest: {region}"
        return Declined(reason=DeclineReason.NOT_CHEST, detail=detail)
    if find_chest(instance) is None and not shows_chest(reading):
        detail = "nothing in the header says that it shows the chest"
        return Declined(reason=DeclineReason.NOT_CHEST, detail=detail)
    if _is_for_processing(instance):
        detail = "it is for processing, not for presentation"
        return Declined(reason=DeclineReason.NO_FRONTAL, detail=detail)
    return None


def _refuse_pixels(
    reading: FilmReading | None, policy: Disagreement
) -> Declined | None:
    """Refuse what the pixels deny; a header that is trusted is not denied.

    An image that lies turned or mirrored is not straightened: a box is to stand in
    the pixels as they are stored.
    """
    if denies_chest(reading) and policy is not Disagreement.TRUST_HEADER:
        detail = "the pixels show no chest"
        return Declined(reason=DeclineReason.NOT_CHEST, detail=detail)
    oddity = find_oddity(reading)
    if oddity is not None and policy is Disagreement.DECLINE:
        return Declined(reason=DeclineReason.UNSUPPORTED_ORIENTATION, detail=oddity)
    return None


def refuse_domain(instance: Instance, rules: ViewRules) -> Declined | None:
    """Return why the engine may not read this: a film, or a phantom; or None."""
    if instance.quality_control_image is rules.quality_control:
        return None
    kind = "a phantom" if instance.quality_control_image else "a patient's film"
    detail = f"it is {kind} (Quality Control Image), which the engine does not read"
    return Declined(reason=DeclineReason.OUTSIDE_DOMAIN, detail=detail)


def _is_for_processing(instance: Instance) -> bool:
    intent = instance.presentation_intent or ""
    return instance.sop_class_uid == DX_FOR_PROCESSING or "PROCESSING" in intent.upper()


_ORDER = (
    DeclineReason.OUTSIDE_DOMAIN,
    DeclineReason.NO_FRONTAL,
    DeclineReason.REJECTED,
    DeclineReason.UNSUPPORTED_ORIENTATION,
    DeclineReason.NOT_CHEST,
    DeclineReason.NO_PIXELS,
    DeclineReason.SECONDARY_CAPTURE,
)
"""Of several refused images, the one that came nearest names the study's reason."""
