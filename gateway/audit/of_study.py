"""Audit messages about what was done with a study here.

One event of PS3.15 A.5.3 covers several steps of a study; our own event type
tells them apart.
"""

from collections.abc import Sequence
from datetime import datetime

from dicom_io.evidence import Evidence
from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    Code,
    Outcome,
    ParticipantObject,
)
from gateway.audit.parts import Happening, Person
from gateway.ledger.records import ResultRecord
from gateway.lifecycle import Event
from gateway.people import Decider
from model.engine import EngineIdentity
from model.report import FlagKind, GroundedReport


def study_complete(study_instance_uid: str, reason: str, now: datetime) -> AuditEntry:
    """Record that a study was judged whole, and why."""
    return _step(study_instance_uid, codes.STUDY_COMPLETE, reason, now)


def study_moved(
    study_instance_uid: str, event: Event, reason: str | None, now: datetime
) -> AuditEntry:
    """Record a step that has no message of a kind of its own."""
    detail = event.value if reason is None else f"{event}: {reason}"
    return _step(study_instance_uid, codes.STUDY_MOVED, detail, now)


def study_declined(study_instance_uid: str, reason: str, now: datetime) -> AuditEntry:
    """Record that the engine does not read a study: a right answer, no failure."""
    return _step(study_instance_uid, codes.STUDY_DECLINED, reason, now)


def study_parked(study_instance_uid: str, reason: str, now: datetime) -> AuditEntry:
    """Record that a study waits for a person because its work kept failing."""
    failed = Outcome.SERIOUS_FAILURE
    return _step(study_instance_uid, codes.STUDY_PARKED, reason, now, failed)


def study_decided(
    study_instance_uid: str, event: Event, by: Decider, now: datetime
) -> AuditEntry:
    """Record that a person released, rejected or retried a study.

    The role in which it was decided is the RoleIDCode of whose decision it was
    (PS3.15 A.5.2).
    """
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.STUDY_DECIDED,
        action=Action.UPDATE,
        at=now,
        detail=f"{event} by {by}: {by.why}",
    )
    return parts.record(
        what,
        [*parts.deciders(by), parts.application(is_requestor=False)],
        [parts.study(study_instance_uid, details=(("Decision", event.value),))],
        study_instance_uid=study_instance_uid,
    )


def study_viewed(
    study_instance_uid: str, by: Person | str, now: datetime
) -> AuditEntry:
    """Record that a person looked at a study and its report (PS3.15 A.5.3.6)."""
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.STUDY_VIEWED,
        action=Action.READ,
        at=now,
    )
    return parts.record(
        what,
        [parts.person(by), parts.application(is_requestor=False)],
        [parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def study_purged(study_instance_uid: str, files: int, now: datetime) -> AuditEntry:
    """Record that the retention time ended (PS3.15 A.5.3.8)."""
    what = Happening(
        event=codes.STUDY_DELETED,
        action=Action.DELETE,
        at=now,
        detail=f"{files} files after their retention",
    )
    return parts.record(
        what,
        [parts.application(is_requestor=True)],
        [parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def strays_purged(files: int, now: datetime) -> AuditEntry:
    """Record that files which belong to no study here were deleted."""
    what = Happening(
        event=codes.STUDY_DELETED,
        action=Action.DELETE,
        at=now,
        detail=f"{files} files of no study here after their retention",
    )
    return parts.record(what, [parts.application(is_requestor=True)])


def report_written(
    study_instance_uid: str,
    evidence: Evidence,
    identity: EngineIdentity,
    reports: Sequence[GroundedReport],
    now: datetime,
) -> AuditEntry:
    """Record which instances a model read, and exactly which model it was."""
    tasks = ", ".join(report.task for report in reports)
    moved = {f for r in reports for f in r.flags if f.kind is FlagKind.DEVICE_CHANGED}
    where = "; out of memory, computed elsewhere" if moved else ""
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.REPORT_WRITTEN,
        action=Action.READ,
        at=now,
        detail=f"{identity.model_name} read it: {tasks}{where}",
    )
    made_by = (
        ("Engine", identity.engine),
        ("Model", identity.model_name),
        ("WeightsDigest", identity.weights_digest),
        ("SettingsDigest", identity.settings_digest),
    )
    return parts.record(
        what,
        [parts.application(is_requestor=True)],
        _studies_read(evidence, made_by),
        study_instance_uid=study_instance_uid,
    )


def results_created(
    study_instance_uid: str, results: Sequence[ResultRecord], now: datetime
) -> AuditEntry:
    """Record the result objects that were made (PS3.15 A.5.3.6)."""
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.RESULTS_CREATED,
        action=Action.CREATE,
        at=now,
        detail=f"{len(results)} results",
    )
    made = parts.study(
        study_instance_uid, sop_classes=[result.sop_class_uid for result in results]
    )
    return parts.record(
        what,
        [parts.application(is_requestor=True)],
        [made],
        study_instance_uid=study_instance_uid,
    )


def _step(
    study_instance_uid: str,
    step: Code,
    reason: str,
    now: datetime,
    outcome: Outcome = Outcome.SUCCESS,
) -> AuditEntry:
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=step,
        action=Action.READ,
        at=now,
        outcome=outcome,
        detail=reason,
    )
    return parts.record(
        what,
        [parts.application(is_requestor=True)],
        [parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def _studies_read(
    evidence: Evidence, made_by: tuple[tuple[str, str], ...]
) -> list[ParticipantObject]:
    """Return each study with the classes of its instances that were read."""
    given = (
        evidence.frontal,
        evidence.lateral,
        *evidence.prior_images,
        evidence.prior_report,
    )
    classes: dict[str, list[str]] = {}
    for instance in given:
        if instance is not None:
            of_study = classes.setdefault(instance.study_instance_uid, [])
            of_study.append(instance.sop_class_uid)
    return [
        parts.study(uid, sop_classes=of_study, details=made_by)
        for uid, of_study in classes.items()
    ]
