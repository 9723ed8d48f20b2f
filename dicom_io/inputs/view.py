"""Which instance is the frontal, which the lateral; pure, with reasons."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from enum import StrEnum

from dicom_io.evidence import Rejection
from dicom_io.header import Instance
from dicom_io.identity import one_patient
from dicom_io.inputs.age import years_old
from dicom_io.inputs.looking import Seen
from dicom_io.inputs.projection import (
    FRONTALS,
    View,
    ViewVerdict,
    has_frontal_orientation,
    judge_by_study_text,
    judge_view,
)
from dicom_io.inputs.subject import (
    DX_FOR_PROCESSING,
    find_animal,
    find_capture,
    find_chest,
    find_other_region,
    is_radiograph,
)
from dicom_io.options import ViewRules


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The images chosen from a study; `reasons` has one line a decision."""

    frontal: Instance
    lateral: Instance | None
    reasons: tuple[str, ...]
    rejected: tuple[Rejection, ...] = ()
    """The images that were not used, each with its reason."""
    flags: tuple[str, ...] = ()
    """What every report on these images must say: a frontal named both PA and AP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """An image that may be read, with what the header says of its view."""

    instance: Instance
    verdict: ViewVerdict

    def line(self) -> str:
        return f"{self.instance.sop_instance_uid}: {self.verdict.reason}"


_PROCESSED = re.compile(
    r"suppress|subtract|\b(cad|invert\w*|enhanced?|edge|tube|companion|processed)\b"
)
_ORDER = (
    DeclineReason.OUTSIDE_DOMAIN,
    DeclineReason.NO_FRONTAL,
    DeclineReason.REJECTED,
    DeclineReason.NOT_CHEST,
    DeclineReason.NO_PIXELS,
    DeclineReason.SECONDARY_CAPTURE,
)
"""Of several refused images, the one that came nearest names the study's reason."""


def select_views(
    instances: Sequence[Instance], seen: Seen, rules: ViewRules
) -> Views | Declined:
    """Choose the frontal and the lateral image of one study by their headers.

    Never a guess: an image whose view the header does not say, or says in two
    ways, is not used. Instances that contradict each other about the patient
    decline the whole study, and so does one image of an animal.
    """
    conflict = one_patient(instances)
    if conflict is not None:
        detail = f"the instances are not of one patient: {conflict}"
        return Declined(reason=DeclineReason.PATIENT_CONFLICT, detail=detail)
    animal = _find_animal(instances)
    if animal is not None:
        return animal
    child = _find_child(instances, rules.minimum_age_years)
    if child is not None:
        return child
    refusals = [(item, _refuse(item, seen, rules)) for item in instances]
    candidates = _judge([item for item, refusal in refusals if refusal is None])
    refused = [(item, refusal) for item, refusal in refusals if refusal is not None]
    frontal = _best(item for item in candidates if item.verdict.view in FRONTALS)
    if frontal is None:
        return _no_frontal(candidates, refused)
    lateral = _best(item for item in candidates if item.verdict.view is View.LATERAL)
    return Views(
        frontal=frontal.instance,
        lateral=None if lateral is None else lateral.instance,
        reasons=tuple(_reasons(frontal, lateral, candidates, refused)),
        rejected=tuple(_rejections((frontal, lateral), candidates, refused)),
        flags=(frontal.line(),) if frontal.verdict.is_disputed else (),
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


def _refuse(instance: Instance, seen: Seen, rules: ViewRules) -> Declined | None:
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
    return _refuse_content(instance) or _refuse_domain(instance, rules)


def _refuse_content(instance: Instance) -> Declined | None:
    region = find_other_region(instance)
    if region is not None:
        detail = f"not of the chest: {region}"
        return Declined(reason=DeclineReason.NOT_CHEST, detail=detail)
    if find_chest(instance) is None:
        detail = "nothing in the header says that it shows the chest"
        return Declined(reason=DeclineReason.NOT_CHEST, detail=detail)
    if _is_for_processing(instance):
        detail = "it is for processing, not for presentation"
        return Declined(reason=DeclineReason.NO_FRONTAL, detail=detail)
    return None


def _refuse_domain(instance: Instance, rules: ViewRules) -> Declined | None:
    if instance.quality_control_image is rules.quality_control:
        return None
    kind = "a phantom" if instance.quality_control_image else "a patient's film"
    detail = f"it is {kind} (Quality Control Image), which the engine does not read"
    return Declined(reason=DeclineReason.OUTSIDE_DOMAIN, detail=detail)


def _is_for_processing(instance: Instance) -> bool:
    intent = instance.presentation_intent or ""
    return instance.sop_class_uid == DX_FOR_PROCESSING or "PROCESSING" in intent.upper()


def _judge(instances: Sequence[Instance]) -> list[_Candidate]:
    """Judge each view; where the study has one image, its texts may speak too."""
    candidates = [
        _Candidate(instance=item, verdict=judge_view(item)) for item in instances
    ]
    if len(candidates) == 1 and candidates[0].verdict.view is View.UNKNOWN:
        verdict = judge_by_study_text(candidates[0].instance)
        if verdict.view is not View.UNKNOWN:
            return [replace(candidates[0], verdict=verdict)]
    return _trust_orientation(candidates)


def _trust_orientation(candidates: list[_Candidate]) -> list[_Candidate]:
    """Let Patient Orientation alone say frontal where it tells views apart.

    A device that wrote A or P on the lateral of the study did not write L and F
    by default.
    """
    if not any(
        item.verdict.view is View.LATERAL and not has_frontal_orientation(item.instance)
        for item in candidates
    ):
        return candidates
    trusted = ViewVerdict(
        view=View.FRONTAL,
        reason="frontal by PatientOrientation, which differs from the lateral's",
    )
    return [
        replace(item, verdict=trusted) if _only_orientation(item) else item
        for item in candidates
    ]


def _only_orientation(candidate: _Candidate) -> bool:
    unknown = candidate.verdict.view is View.UNKNOWN
    return unknown and has_frontal_orientation(candidate.instance)


def _best(candidates: Iterable[_Candidate]) -> _Candidate | None:
    return max(candidates, key=_rank, default=None)


def _rank(candidate: _Candidate) -> tuple[object, ...]:
    """Order: for presentation, unprocessed, PA before AP, latest, largest."""
    instance = candidate.instance
    described = f"{instance.series_description} {instance.protocol_name}".casefold()
    return (
        instance.presentation_intent == "FOR PRESENTATION",
        _PROCESSED.search(described) is None,
        instance.image_type[:1] != ("DERIVED",),
        candidate.verdict.view is View.PA,
        instance.acquired_date or date.min,
        instance.acquired_time or time.min,
        (instance.rows or 0) * (instance.columns or 0),
        instance.sop_instance_uid,
    )


def _no_frontal(
    candidates: Sequence[_Candidate], refused: Sequence[tuple[Instance, Declined]]
) -> Declined:
    if candidates:
        detail = "; ".join(item.line() for item in candidates)
        return Declined(reason=DeclineReason.NO_FRONTAL, detail=detail)
    if not refused:
        return Declined(reason=DeclineReason.NO_FRONTAL, detail="no image in the study")
    instance, nearest = min(refused, key=lambda pair: _ORDER.index(pair[1].reason))
    return replace(nearest, detail=f"{instance.sop_instance_uid}: {nearest.detail}")


def _reasons(
    frontal: _Candidate,
    lateral: _Candidate | None,
    candidates: Sequence[_Candidate],
    refused: Sequence[tuple[Instance, Declined]],
) -> Iterable[str]:
    yield f"frontal {frontal.line()}"
    if lateral is not None:
        yield f"lateral {lateral.line()}"
    for candidate in candidates:
        if candidate not in (frontal, lateral):
            yield f"not used {candidate.line()}"
    for instance, refusal in refused:
        yield f"not used {instance.sop_instance_uid}: {refusal.detail}"


def _rejections(
    chosen: Sequence[_Candidate | None],
    candidates: Sequence[_Candidate],
    refused: Sequence[tuple[Instance, Declined]],
) -> Iterable[Rejection]:
    """Yield the images that are not used, each with its reason."""
    for item in candidates:
        if item not in chosen:
            reason = f"another image comes before it; {item.verdict.reason}"
            yield Rejection(what=item.instance.sop_instance_uid, reason=reason)
    for instance, refusal in refused:
        yield Rejection(what=instance.sop_instance_uid, reason=refusal.detail)
