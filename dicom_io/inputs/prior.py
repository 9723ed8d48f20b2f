"""Decide whether a retrieved study serves as the prior, and with which report.

The identity guard is applied twice: to what an archive says about a study
(`ranking`), and here to each instance that it then delivers.
"""

from dataclasses import dataclass, replace
from datetime import date

from dicom_io.evidence import Rejection
from dicom_io.header import Instance
from dicom_io.identity import guard_identity
from dicom_io.inputs.likeness import moment_of, shares_projection
from dicom_io.inputs.looking import HEADERS_ALONE, Seen
from dicom_io.inputs.ranking import (
    Dropped,
    Ranked,
    unfit_institution,
    unfit_moment,
)
from dicom_io.inputs.refusal import Declined
from dicom_io.inputs.view import select_views
from dicom_io.options import IdentityPolicy, Match, PriorRules, ReportRules, ViewRules
from dicom_io.reports.choice import find_prior_report
from dicom_io.reports.values import OutsideReport, PriorReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedStudy:
    """What came of one earlier study, and what is known of it from elsewhere.

    `instances` are of one study; `reports` were delivered for it by other ways;
    `ranked` is what an archive had said of it, None where none was asked.
    """

    instances: tuple[Instance, ...]
    seen: Seen = HEADERS_ALONE
    reports: tuple[OutsideReport, ...] = ()
    ranked: Ranked | None = None


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
            reason = "; ".join(verdict.reasons)
            return Dropped(study_instance_uid=uid, reason=reason, refused=True)
        flags.extend(f"the prior's patient: {flag}" for flag in verdict.flags)
        verdicts[f"same patient: {', '.join(verdict.compared)}"] = None
    study = _with_frontal(current, retrieved, guard)
    if isinstance(study, Dropped):
        return study
    return replace(
        study,
        reasons=(*study.reasons, *verdicts),
        flags=(*dict.fromkeys(flags), *study.flags),
    )


def complete_prior(
    study: PriorStudy, retrieved: RetrievedStudy, rules: ReportRules
) -> Prior:
    """Add the report of a chosen study; it serves without one.

    Reads the documents among the instances.
    """
    paths = tuple(instance.path for instance in retrieved.instances)
    found = find_prior_report(paths, retrieved.reports, rules)
    return Prior(
        study_instance_uid=study.study_instance_uid,
        study_date=study.frontal.study_date,
        frontal=study.frontal,
        report=found.report,
        reasons=study.reasons,
        flags=study.flags,
        rejected_reports=found.rejected,
    )


def gather_prior(
    current: Instance, retrieved: RetrievedStudy, guard: PriorGuard
) -> Prior | Dropped:
    """Choose the frontal and the report of one retrieved study."""
    study = choose_prior(current, retrieved, guard)
    if isinstance(study, Dropped):
        return study
    return complete_prior(study, retrieved, guard.reports)


def _with_frontal(
    current: Instance, retrieved: RetrievedStudy, guard: PriorGuard
) -> PriorStudy | Dropped:
    """Choose the frontal of a study whose patient has been guarded."""
    uid = retrieved.instances[0].study_instance_uid
    views = select_views(retrieved.instances, retrieved.seen, guard.views)
    if isinstance(views, Declined):
        reason = f"{views.reason}: {views.detail}"
        return Dropped(study_instance_uid=uid, reason=reason)
    fault = _unfit_frontal(current, views.frontal, retrieved, guard.prior)
    if fault is not None:
        return Dropped(study_instance_uid=uid, reason=fault)
    merits = () if retrieved.ranked is None else retrieved.ranked.reasons
    projection = _said_projection(current, views.frontal, guard.prior)
    return PriorStudy(
        study_instance_uid=uid,
        frontal=views.frontal,
        reasons=(*views.reasons[:1], *merits, *projection),
        flags=views.flags,
    )


def _unfit_frontal(
    current: Instance, frontal: Instance, retrieved: RetrievedStudy, rules: PriorRules
) -> str | None:
    """Return why the frontal does not serve: what was answered may not be so."""
    reason = unfit_moment(moment_of(current), moment_of(frontal), rules)
    if reason is not None:
        return reason
    if rules.view is Match.REQUIRE and not shares_projection(current, frontal):
        return "not surely of the same projection, PA or AP"
    if rules.institution is not Match.REQUIRE:
        return None
    answered = None if retrieved.ranked is None else retrieved.ranked.answer.institution
    named = frontal.institution or answered
    if named is None:
        return "nothing names its institution"
    return unfit_institution(current, named, rules)


def _said_projection(
    current: Instance, frontal: Instance, rules: PriorRules
) -> tuple[str, ...]:
    if rules.view is Match.IGNORE:
        return ()
    same = shares_projection(current, frontal)
    return ("same projection" if same else "not surely the same projection",)
