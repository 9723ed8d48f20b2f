"""Audit messages about orders and reports from outside of DICOM."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    ObjectRole,
    Outcome,
    Participant,
    ParticipantObject,
    Patient,
)
from gateway.audit.parts import Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A system that sent a message: what it calls itself, and its address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a source was asked for a study: keyword and value of each key."""

    source: str
    study_instance_uid: str
    keys: Mapping[str, str]
    patient: Patient | None


def message_received(
    sender: Sender, told: str, patient: Patient | None, now: datetime
) -> AuditEntry:
    """Record what an HL7 message holds of one patient, and that it is durable here."""
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.MESSAGE_RECEIVED,
        action=Action.CREATE,
        at=now,
        detail=told,
    )
    return parts.record(what, _receiving(sender), patient=patient)


def message_refused(sender: Sender, reason: str, now: datetime) -> AuditEntry:
    """Record an HL7 message of which nothing is kept."""
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.MESSAGE_RECEIVED,
        action=Action.CREATE,
        at=now,
        outcome=Outcome.MINOR_FAILURE,
        detail=reason,
    )
    return parts.record(what, _receiving(sender))


def source_queried(
    question: Question, answers: int, now: datetime, *, error: str | None = None
) -> AuditEntry:
    """Record that a worklist or a FHIR server was asked (PS3.15 A.5.3.10)."""
    found = f"{answers} answers of {question.source}"
    failed = f"{question.source} gave no answer: {error}"
    what = Happening(
        event=codes.QUERY,
        event_type=codes.SOURCE_QUERIED,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.SUCCESS if error is None else Outcome.MINOR_FAILURE,
        detail=found if error is None else failed,
    )
    keys = "\n".join(f"{name}={value}" for name, value in question.keys.items())
    asked = ParticipantObject(
        object_id=f"urn:maira-gateway:source:{question.source}",
        id_type=codes.URI,
        role=ObjectRole.REPORT,
        query=keys.encode("utf-8", "backslashreplace"),
    )
    other = parts.node(question.source, None, is_requestor=False, role=codes.SOURCE)
    us = parts.gateway(is_requestor=True, role=codes.DESTINATION)
    uid = question.study_instance_uid
    return parts.record(
        what,
        [us, other],
        [asked, parts.study(uid)],
        study_instance_uid=uid,
        patient=question.patient,
    )


def _receiving(sender: Sender) -> list[Participant]:
    return [
        parts.node(sender.name, sender.address, is_requestor=True, role=codes.SOURCE),
        parts.gateway(is_requestor=False, role=codes.DESTINATION),
    ]
