"""Which of a patient's studies to ask for and to fetch, the best first; pure.

An archive's answers are not to be trusted: each is filtered again, by patient
before all else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from dicom_io.header import Instance
from dicom_io.identifiers import StudyAnswer, StudyQuery
from dicom_io.identity import guard_identity, is_exact_key
from dicom_io.inputs.likeness import (
    Moment,
    Region,
    answered_moment,
    is_same_institution,
    least_interval,
    moment_of,
    region_of,
    say_interval,
)
from dicom_io.options import AbsencePolicy, IdentityPolicy, Match, PriorRules
from dicom_io.uid import is_uid

_MAX_KEY_LENGTH = 64
"""Characters of a VR LO (PS3.5 6.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoQuery:
    """Why no archive is asked."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A study that does not serve as prior, and why; no patient data.

    `refused`: the identity guard does not take its patient for the current one.
    `study_instance_uid` is empty where nothing valid names the study.
    """

    study_instance_uid: str
    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A study that is worth fetching, and what speaks for its place."""

    answer: StudyAnswer
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Which studies to fetch, best first, and which not."""

    candidates: tuple[Ranked, ...]
    dropped: tuple[Dropped, ...]


def plan_query(current: Instance) -> StudyQuery | NoQuery:
    """Return the question for the prior studies, by exact Patient ID.

    No query without one: an empty or wildcard key asks for other patients
    (PS3.4 C.2.2.2).
    """
    patient_id, issuer = current.patient.patient_id, current.patient.issuer
    if patient_id is None:
        return NoQuery(reason="the study has no Patient ID")
    for keyword, value in (("Patient ID", patient_id), ("its issuer", issuer)):
        if value is not None and not _is_key(value):
            return NoQuery(reason=f"{keyword} is no exact key of one patient")
    if moment_of(current) is None:
        return NoQuery(reason="the study has no date that a prior could precede")
    return StudyQuery(patient_id=patient_id, issuer=issuer)


def rank_priors(
    current: Instance,
    answers: Sequence[StudyAnswer],
    rules: PriorRules,
    policy: IdentityPolicy,
) -> Ranking:
    """Filter an archive's answers again, and put the best first.

    What names the chest comes first where the rules prefer it, then what is of the
    same institution, then the most recent. An archive may ignore keys, answer with
    other patients, leave out what it does not keep, or name a study twice; each of
    several answers about one study must pass. A study without a date cannot be
    ordered and is dropped.
    """
    kept: list[StudyAnswer] = []
    dropped: list[Dropped] = []
    for several in _by_study(answers).values():
        fault = next(_faults(current, several, rules, policy), None)
        if fault is None:
            kept.append(several[0])
        else:
            dropped.append(fault)
    kept.sort(key=lambda answer: _rank(current, answer, rules), reverse=True)
    beyond = [
        _drop(answer, f"ranked below the {rules.max_candidates} that may be fetched")
        for answer in kept[rules.max_candidates :]
    ]
    return Ranking(
        candidates=tuple(
            Ranked(answer=answer, reasons=tuple(_merits(current, answer, rules)))
            for answer in kept[: rules.max_candidates]
        ),
        dropped=(*beyond, *dropped),
    )


def unfit_moment(
    now: Moment | None, earlier: Moment | None, rules: PriorRules
) -> str | None:
    """Return why a moment is not surely within the time that may be looked back."""
    if now is None or earlier is None:
        return "without a date on both sides their order is unknown"
    between = least_interval(earlier, now)
    if between <= timedelta(0):
        return "not before the current study"
    if between < timedelta(hours=rules.minimum_interval_hours):
        return f"not surely {rules.minimum_interval_hours:g} h before the current study"
    if now.date - earlier.date > timedelta(days=rules.look_back_days):
        return f"older than {rules.look_back_days} days"
    return None


def unfit_institution(
    current: Instance, named: str | None, rules: PriorRules
) -> str | None:
    """Return why an Institution Name does not serve; one that is not said may."""
    if rules.institution is not Match.REQUIRE:
        return None
    if current.institution is None:
        return "the current study does not name its institution"
    if named is None or is_same_institution(current.institution, named):
        return None
    return "of another institution"


def _is_key(value: str) -> bool:
    return is_exact_key(value) and len(value) <= _MAX_KEY_LENGTH


def _by_study(answers: Sequence[StudyAnswer]) -> Mapping[str, list[StudyAnswer]]:
    grouped: dict[str, list[StudyAnswer]] = {}
    for answer in answers:
        grouped.setdefault(answer.study_instance_uid, []).append(answer)
    return grouped


def _faults(
    current: Instance,
    answers: Sequence[StudyAnswer],
    rules: PriorRules,
    policy: IdentityPolicy,
) -> Iterator[Dropped]:
    """Yield why a study does not serve; another patient is said before all else."""
    first = answers[0]
    if not is_uid(first.study_instance_uid):
        yield Dropped(study_instance_uid="", reason="an answer without a valid UID")
    if first.study_instance_uid == current.study_instance_uid:
        yield _drop(first, "it is the current study")
    for answer in answers:
        said = _of_said(policy, answer)
        verdict = guard_identity(current.patient, answer.patient, said)
        if not verdict.accepted:
            yield replace(_drop(answer, "; ".join(verdict.reasons)), refused=True)
    for answer in answers:
        reason = _unfit(current, answer, rules)
        if reason is not None:
            yield _drop(answer, reason)


def _of_said(policy: IdentityPolicy, answer: StudyAnswer) -> IdentityPolicy:
    """Accept that an answer leaves out optional keys, unlike one without a value.

    An archive that does not support a key tells nothing of the patient by that; what
    comes is judged by the policy.
    """
    unsaid, accept = answer.left_out, AbsencePolicy.ACCEPT
    return IdentityPolicy(
        issuer=accept if "IssuerOfPatientID" in unsaid else policy.issuer,
        birth_date=accept if "PatientBirthDate" in unsaid else policy.birth_date,
        sex=accept if "PatientSex" in unsaid else policy.sex,
    )


def _drop(answer: StudyAnswer, reason: str) -> Dropped:
    return Dropped(study_instance_uid=answer.study_instance_uid, reason=reason)


def _unfit(current: Instance, answer: StudyAnswer, rules: PriorRules) -> str | None:
    """Return why a study of the patient does not serve, or None."""
    if answer.modalities and not rules.modalities & set(answer.modalities):
        return f"no {' or '.join(sorted(rules.modalities))} among its modalities"
    if answer.instance_count == 0:
        return "it holds no instance"
    return (
        unfit_moment(moment_of(current), answered_moment(answer), rules)
        or _unfit_region(answer, rules)
        or unfit_institution(current, answer.institution, rules)
    )


def _unfit_region(answer: StudyAnswer, rules: PriorRules) -> str | None:
    region = region_of(answer)
    if rules.body_part is Match.IGNORE or region is Region.CHEST:
        return None
    if region is Region.ELSEWHERE:
        return "not of the chest"
    required = rules.body_part is Match.REQUIRE
    return "nothing says that it is of the chest" if required else None


def _rank(
    current: Instance, answer: StudyAnswer, rules: PriorRules
) -> tuple[bool, bool, datetime, str]:
    """Return what sorts the studies; the greatest is the best."""
    moment = datetime.combine(
        answer.study_date or date.min, answer.study_time or time.min
    )
    same = is_same_institution(current.institution, answer.institution)
    return (
        rules.body_part is not Match.PREFER or region_of(answer) is Region.CHEST,
        rules.institution is not Match.PREFER or same,
        moment,
        answer.study_instance_uid,
    )


def _merits(current: Instance, answer: StudyAnswer, rules: PriorRules) -> Iterator[str]:
    if rules.body_part is not Match.IGNORE:
        chest = region_of(answer) is Region.CHEST
        yield "chest named" if chest else "region not named"
    if rules.institution is not Match.IGNORE:
        yield _said_institution(current, answer)
    now, earlier = moment_of(current), answered_moment(answer)
    if now is not None and earlier is not None:
        yield say_interval(earlier, now)


def _said_institution(current: Instance, answer: StudyAnswer) -> str:
    if answer.institution is None or current.institution is None:
        return "institution not named"
    same = is_same_institution(current.institution, answer.institution)
    return "same institution" if same else "another institution"
