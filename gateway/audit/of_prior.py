"""Audit messages about the search for earlier studies.

Sections are those of PS3.15 A.5.3.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from dicom_io.evidence import Rejection
from dicom_io.identifiers import StudyAnswers, StudyQuery
from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    Outcome,
    Participant,
    ParticipantObject,
)
from gateway.audit.parts import Happening

_NAMED_STUDIES = 32
"""Refused studies that a message names; it stays small enough for syslog."""


def prior_queried(
    study_instance_uid: str,
    question: StudyQuery,
    source: str,
    answers: StudyAnswers,
    now: datetime,
) -> AuditEntry:
    """Record the search for earlier studies, and in what its answer may fall short.

    PS3.15 A.5.3.10. The query is kept as keyword and value, one a line, not as an
    encoded data set.
    """
    named = f"{len(answers.studies)} studies named by {source}"
    what = Happening(
        event=codes.QUERY,
        action=Action.EXECUTE,
        at=now,
        detail="; ".join((named, *answers.remarks)),
    )
    return _prior_query(what, study_instance_uid, question, source)


def prior_query_failed(
    study_instance_uid: str,
    question: StudyQuery,
    source: str,
    error: str,
    now: datetime,
) -> AuditEntry:
    """Record that the search for earlier studies got no answer (PS3.15 A.5.3.10)."""
    what = Happening(
        event=codes.QUERY,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.MINOR_FAILURE,
        detail=f"{source} gave no answer: {error}",
    )
    return _prior_query(what, study_instance_uid, question, source)


def prior_refused(
    study_instance_uid: str,
    question: StudyQuery,
    source: str,
    refused: Sequence[Rejection],
    now: datetime,
) -> AuditEntry:
    """Record earlier studies that may be of another patient (PS3.15 A.5.3.10).

    The reasons name attributes; the values are nowhere in the message but for the
    Patient ID that was asked for.
    """
    reasons = Counter(each.reason for each in refused).most_common()
    told = ", ".join(f"{reason} ({count})" for reason, count in reasons)
    what = Happening(
        event=codes.QUERY,
        event_type=codes.PRIOR_REFUSED,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.MINOR_FAILURE,
        detail=f"{len(refused)} studies from {source} not of the patient: {told}",
    )
    studies = [
        parts.study(each.what, details=(("Refused", each.reason),))
        for each in refused[:_NAMED_STUDIES]
    ]
    return _prior_query(what, study_instance_uid, question, source, studies)


def prior_retrieved(
    study_instance_uid: str, source: str, how: str, instances: int, now: datetime
) -> AuditEntry:
    """Record that an earlier study was brought here."""
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.PRIOR_RETRIEVED,
        action=Action.CREATE,
        at=now,
        outcome=Outcome.SUCCESS if instances else Outcome.MINOR_FAILURE,
        detail=f"{instances} instances from {source} by {how}",
    )
    return parts.record(
        what,
        _asking(parts.node(source, None, is_requestor=False, role=codes.SOURCE)),
        [parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def _prior_query(
    what: Happening,
    study_instance_uid: str,
    question: StudyQuery,
    source: str,
    others: Sequence[ParticipantObject] = (),
) -> AuditEntry:
    whom = parts.somebody(question.patient_id, question.issuer)
    keys = {"PatientID": question.patient_id}
    if question.issuer is not None:
        keys["IssuerOfPatientID"] = question.issuer
    return parts.record(
        what,
        _asking(parts.node(source, None, is_requestor=False, role=codes.SOURCE)),
        [
            parts.study_query(keys),
            parts.study(study_instance_uid),
            *others,
        ],
        study_instance_uid=study_instance_uid,
        patient=whom,
    )


def _asking(other: Participant) -> list[Participant]:
    return [parts.gateway(is_requestor=True, role=codes.DESTINATION), other]
