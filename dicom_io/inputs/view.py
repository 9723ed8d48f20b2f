"""Which instance is the frontal, which the lateral; pure, with reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dicom_io.evidence import Rejection
from dicom_io.header import Instance
from dicom_io.inputs.looking import Seen
from dicom_io.inputs.preference import Candidate, best, why_behind
from dicom_io.inputs.projection import (
    FRONTALS,
    View,
    ViewVerdict,
    has_frontal_orientation,
    judge_by_study_text,
    judge_view,
    side_of,
)
from dicom_io.inputs.refusal import (
    Declined,
    DeclineReason,
    nearest,
    refuse,
    refuse_study,
)
from dicom_io.inputs.subject import find_chest
from dicom_io.inputs.weighing import weigh
from dicom_io.options import ViewRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The images chosen from a study; `reasons` has one line a decision."""

    frontal: Instance
    lateral: Instance | None
    reasons: tuple[str, ...]
    rejected: tuple[Rejection, ...] = ()
    """The images that were not used, each with its reason."""
    flags: tuple[str, ...] = ()
    """What every report on these images must say: an image whose view is disputed."""


def select_views(
    instances: Sequence[Instance], seen: Seen, rules: ViewRules
) -> Views | Declined:
    """Choose the frontal and the lateral image of one study.

    Never a guess: an image whose view neither header nor pixels say, or that they
    say in two ways, is not used; `rules.disagreement` may loosen the latter.
    Instances that contradict each other about the patient decline the whole study,
    and so does one image of an animal.
    """
    whole = refuse_study(instances, rules)
    if whole is not None:
        return whole
    refusals = [(item, refuse(item, seen, rules)) for item in instances]
    usable = [item for item, refusal in refusals if refusal is None]
    candidates = _weigh(_judge(usable), seen, rules)
    refused = [(item, refusal) for item, refusal in refusals if refusal is not None]
    frontal = best(item for item in candidates if item.verdict.view in FRONTALS)
    if frontal is None:
        return _no_frontal(candidates, refused)
    lateral = best(item for item in candidates if item.verdict.view is View.LATERAL)
    return Views(
        frontal=frontal.instance,
        lateral=None if lateral is None else lateral.instance,
        reasons=tuple(_reasons(frontal, lateral, candidates, refused)),
        rejected=tuple(_rejections((frontal, lateral), candidates, refused)),
        flags=_flags(frontal, lateral),
    )


def _judge(instances: Sequence[Instance]) -> list[Candidate]:
    """Judge each view; where the study has one image, its texts may speak too."""
    candidates = [
        Candidate(instance=item, verdict=judge_view(item)) for item in instances
    ]
    if len(candidates) == 1 and candidates[0].verdict.view is View.UNKNOWN:
        verdict = judge_by_study_text(candidates[0].instance)
        if verdict.view is not View.UNKNOWN:
            return [replace(candidates[0], verdict=verdict)]
    return _trust_orientation(candidates)


def _weigh(
    candidates: Sequence[Candidate], seen: Seen, rules: ViewRules
) -> list[Candidate]:
    """Put what the pixels say beside each header's verdict."""
    return [
        replace(item, verdict=_with_region(item, seen, rules)) for item in candidates
    ]


def _with_region(item: Candidate, seen: Seen, rules: ViewRules) -> ViewVerdict:
    """Weigh one image, and say where only its pixels name the chest."""
    reading = seen.readings.get(item.instance.sop_instance_uid)
    verdict = weigh(item.verdict, reading, rules.disagreement)
    if reading is None or find_chest(item.instance) is not None:
        return verdict
    return replace(verdict, reason=f"{verdict.reason}; the chest by the pixels alone")


def _flags(*chosen: Candidate | None) -> tuple[str, ...]:
    return tuple(
        item.line() for item in chosen if item is not None and item.verdict.is_disputed
    )


def _trust_orientation(candidates: list[Candidate]) -> list[Candidate]:
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


def _only_orientation(candidate: Candidate) -> bool:
    unknown = candidate.verdict.view is View.UNKNOWN
    return unknown and has_frontal_orientation(candidate.instance)


def _no_frontal(
    candidates: Sequence[Candidate], refused: Sequence[tuple[Instance, Declined]]
) -> Declined:
    if candidates:
        detail = "; ".join(item.line() for item in candidates)
        return Declined(reason=DeclineReason.NO_FRONTAL, detail=detail)
    if not refused:
        return Declined(reason=DeclineReason.NO_FRONTAL, detail="no image in the study")
    return nearest(refused)


def _reasons(
    frontal: Candidate,
    lateral: Candidate | None,
    candidates: Sequence[Candidate],
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
    chosen: Sequence[Candidate | None],
    candidates: Sequence[Candidate],
    refused: Sequence[tuple[Instance, Declined]],
) -> Iterable[Rejection]:
    """Yield the images that are not used, each with its reason."""
    for item in candidates:
        if item not in chosen:
            reason = f"{_behind(item, chosen)}; {item.verdict.reason}"
            yield Rejection(what=item.instance.sop_instance_uid, reason=reason)
    for instance, refusal in refused:
        yield Rejection(what=instance.sop_instance_uid, reason=refusal.detail)


def _behind(item: Candidate, chosen: Sequence[Candidate | None]) -> str:
    """Say why an image is not used although it might be read."""
    side = side_of(item.verdict.view)
    for other in chosen:
        if other is not None and side_of(other.verdict.view) is side:
            return f"another image comes before it: {why_behind(item, other)}"
    return "its view is not read"
