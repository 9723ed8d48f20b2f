"""The patient's prior study: what to ask for, and which answer to use; pure.

The identity guard is applied twice: to what an archive says about a study, and
to each instance that it then delivers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from dicom_io.evidence import Rejection
from dicom_io.header import Instance
from dicom_io.identifiers import StudyAnswer, StudyQuery
from dicom_io.identity import guard_identity, is_exact_key
from dicom_io.inputs.looking import HEADERS_ALONE, Seen
from dicom_io.inputs.subject import RADIOGRAPH_MODALITIES, says_chest, says_elsewhere
from dicom_io.inputs.view import Declined, select_views
from dicom_io.options import IdentityPolicy, PriorRules, ReportRules, ViewRules
from dicom_io.reports.choice import find_prior_report
from dicom_io.reports.values import OutsideReport, PriorReport

_MAX_KEY_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NoQuery:
    """Why no archive is asked."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A study that does not serve as prior, and why; no patient data."""

    study_instance_uid: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Which studies to fetch, best first, and which not."""

    candidates: tuple[StudyAnswer, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedStudy:
    """What came of one earlier study, and what is known of it from elsewhere.

    `instances` are of one study; `reports` were delivered for it by other ways.
    """

    instances: tuple[Instance, ...]
    seen: Seen = HEADERS_ALONE
    reports: tuple[OutsideReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorGuard:
    """The rules that a retrieved study must pass."""

    identity: IdentityPolicy
    prior: PriorRules
    views: ViewRules
    reports: ReportRules


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorStudy:
    """A retrieved study whose frontal image is usable."""

    study_instance_uid: str
    frontal: Instance
    reasons: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The prior that a report rests on.

    `report` is None where the study has none that may be used, and
    `rejected_reports` says why; `reasons` is how the study was chosen, its image
    first, and `flags` what is odd about the patient's identity.
    """

    study_instance_uid: str
    study_date: date | None
    frontal: Instance
    report: PriorReport | None
    reasons: tuple[str, ...]
    flags: tuple[str, ...]
    rejected_reports: tuple[Rejection, ...] = ()


def plan_query(current: Instance) -> StudyQuery | NoQuery:
    """Return the question for the prior studies, by exact Patient ID.

    No query without one: an empty or wildcard key asks for other patients
    (PS3.4 C.2.2.2).
    """
    patient_id, issuer = current.patient.patient_id, current.patient.issuer
    if patient_id is None:
        return NoQuery(reason="the study has no Patient ID")
    for keyword, value in (("Patient ID", patient_id), ("its issuer", issuer or "-")):
        if not is_exact_key(value) or len(value) > _MAX_KEY_LENGTH:
            return NoQuery(reason=f"{keyword} is no exact key of one patient")
    if _moment(current) is None:
        return NoQuery(reason="the study has no date that a prior could precede")
    return StudyQuery(patient_id=patient_id, issuer=issuer)


def rank_priors(
    current: Instance,
    answers: Sequence[StudyAnswer],
    rules: PriorRules,
    policy: IdentityPolicy,
) -> Ranking:
    """Filter an archive's answers again, and put the most recent first.

    An archive may ignore keys, answer with other patients, or leave out what it
    does not keep; a study without a date cannot be ordered and is dropped.
    """
    unique = {answer.study_instance_uid: answer for answer in answers}
    kept: list[StudyAnswer] = []
    dropped: list[Dropped] = []
    for answer in unique.values():
        reason = _unfit(current, answer, rules, policy)
        if reason is None:
            kept.append(answer)
        else:
            dropped.append(_drop(answer, reason))
    kept.sort(key=_recency, reverse=True)
    beyond = [
        _drop(answer, "older than the candidates that are fetched")
        for answer in kept[rules.max_candidates :]
    ]
    return Ranking(
        candidates=tuple(kept[: rules.max_candidates]),
        dropped=(*dropped, *beyond),
    )


def choose_prior(
    current: Instance, retrieved: RetrievedStudy, guard: PriorGuard
) -> PriorStudy | Dropped:
    """Decide on one retrieved study; a stranger among its instances drops it."""
    if not retrieved.instances:
        return Dropped(study_instance_uid="", reason="nothing was retrieved")
    uid = retrieved.instances[0].study_instance_uid
    flags: list[str] = []
    verdicts: dict[str, None] = {}
    for instance in retrieved.instances:
        if instance.study_instance_uid != uid or uid == current.study_instance_uid:
            reason = "the instances are not of one other study"
            return Dropped(study_instance_uid=uid, reason=reason)
        verdict = guard_identity(current.patient, instance.patient, guard.identity)
        if not verdict.accepted:
            return Dropped(study_instance_uid=uid, reason="; ".join(verdict.reasons))
        flags.extend(f"the prior's patient: {flag}" for flag in verdict.flags)
        verdicts[f"same patient: {', '.join(verdict.compared)}"] = None
    study = _with_frontal(current, retrieved, tuple(dict.fromkeys(flags)), guard.views)
    if isinstance(study, Dropped):
        return study
    return replace(study, reasons=(*study.reasons, *verdicts))


def gather_prior(
    current: Instance, retrieved: RetrievedStudy, guard: PriorGuard
) -> Prior | Dropped:
    """Choose the frontal and the report of one retrieved study.

    Reads the documents among the instances; the study serves without a report.
    """
    study = choose_prior(current, retrieved, guard)
    if isinstance(study, Dropped):
        return study
    paths = tuple(instance.path for instance in retrieved.instances)
    found = find_prior_report(paths, retrieved.reports, guard.reports)
    return Prior(
        study_instance_uid=study.study_instance_uid,
        study_date=study.frontal.study_date,
        frontal=study.frontal,
        report=found.report,
        reasons=study.reasons,
        flags=study.flags,
        rejected_reports=found.rejected,
    )


def _with_frontal(
    current: Instance,
    retrieved: RetrievedStudy,
    flags: tuple[str, ...],
    rules: ViewRules,
) -> PriorStudy | Dropped:
    views = select_views(retrieved.instances, retrieved.seen, rules)
    uid = retrieved.instances[0].study_instance_uid
    if isinstance(views, Declined):
        reason = f"{views.reason}: {views.detail}"
        return Dropped(study_instance_uid=uid, reason=reason)
    if not _precedes(_moment(views.frontal), _moment(current)):
        return Dropped(study_instance_uid=uid, reason="not before the current study")
    return PriorStudy(
        study_instance_uid=uid,
        frontal=views.frontal,
        reasons=views.reasons[:1],
        flags=flags,
    )


def _drop(answer: StudyAnswer, reason: str) -> Dropped:
    return Dropped(study_instance_uid=answer.study_instance_uid, reason=reason)


def _unfit(
    current: Instance, answer: StudyAnswer, rules: PriorRules, policy: IdentityPolicy
) -> str | None:
    """Return why an answer does not serve, or None."""
    if answer.study_instance_uid == current.study_instance_uid:
        return "it is the current study"
    verdict = guard_identity(current.patient, answer.patient, policy)
    if not verdict.accepted:
        return "; ".join(verdict.reasons)
    return _unfit_date(current, answer, rules) or _unfit_content(answer)


def _unfit_date(
    current: Instance, answer: StudyAnswer, rules: PriorRules
) -> str | None:
    now = _moment(current)
    if now is None or answer.study_date is None:
        return "without a date on both sides their order is unknown"
    if not _precedes((answer.study_date, answer.study_time), now):
        return "not before the current study"
    if now[0] - answer.study_date > timedelta(days=rules.look_back_days):
        return f"older than {rules.look_back_days} days"
    return None


def _unfit_content(answer: StudyAnswer) -> str | None:
    if answer.modalities and not RADIOGRAPH_MODALITIES & set(answer.modalities):
        return "no radiograph among its modalities"
    if answer.instance_count == 0:
        return "it holds no instance"
    named = (answer.body_part, answer.study_description)
    if any(says_chest(value) for value in named):
        return None
    return "not of the chest" if any(says_elsewhere(value) for value in named) else None


def _moment(instance: Instance) -> tuple[date, time | None] | None:
    """Return when the study was: Study Date, or else when it was acquired."""
    if instance.study_date is not None:
        return instance.study_date, instance.study_time
    if instance.acquired_date is not None:
        return instance.acquired_date, instance.acquired_time
    return None


def _precedes(
    earlier: tuple[date, time | None] | None, later: tuple[date, time | None] | None
) -> bool:
    """Tell whether one moment is surely before the other; times may be missing."""
    if earlier is None or later is None:
        return False
    if earlier[0] != later[0] or earlier[1] is None or later[1] is None:
        return earlier[0] < later[0]
    return earlier[1] < later[1]


def _recency(answer: StudyAnswer) -> tuple[datetime, str]:
    moment = datetime.combine(
        answer.study_date or date.min, answer.study_time or time.min
    )
    return moment, answer.study_instance_uid
