"""Participants and objects that the messages of this gateway are made of."""

import os
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from dicom_io.ae import WebEndpoint
from dicom_io.header import PatientIdentity
from dicom_io.product import PRODUCT_NAME
from dicom_io.scu.answers import ENCODED_IN
from gateway.audit import codes
from gateway.audit.message import (
    Action,
    AuditEntry,
    AuditMessage,
    Code,
    ObjectRole,
    Outcome,
    Participant,
    ParticipantKind,
    ParticipantObject,
    Patient,
    entry,
)
from gateway.people import Decider

GATEWAY = PRODUCT_NAME

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
"""Study Root Query/Retrieve Information Model - FIND (PS3.4 C.6.2)."""


ALERT = "Alert Description"
"""Type of the detail that a security alert needs (PS3.15 A.5.3.11)."""
PHRASE = "Phrase"
"""Type of the detail with a person's words about a patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What happened, before it is said who took part and to which study."""

    event: Code
    action: Action
    at: datetime
    event_type: Code | None = None
    outcome: Outcome = Outcome.SUCCESS
    detail: str | None = None


def record(
    what: Happening,
    participants: Iterable[Participant],
    objects: Iterable[ParticipantObject] = (),
    *,
    study_instance_uid: str | None = None,
    patient: Patient | str | None = None,
) -> AuditEntry:
    """Return the entry of `what`, reported by this machine."""
    message = AuditMessage(
        event=what.event,
        event_type=what.event_type,
        action=what.action,
        outcome=what.outcome,
        outcome_description=what.detail,
        occurred_at=what.at,
        source_id=socket.gethostname(),
        participants=tuple(participants),
        objects=tuple(objects),
    )
    return entry(message, study_instance_uid=study_instance_uid, patient=patient)


def gateway(
    *, is_requestor: bool, role: Code | None = None, title: str | None = None
) -> Participant:
    """Return this process; its ID and AE title as PS3.15 A.5.2.2 wants them."""
    titles = "" if title is None else f" AETITLES={title}"
    return Participant(
        user_id=GATEWAY,
        alternative_user_id=f"{os.getpid()}{titles}",
        is_requestor=is_requestor,
        role=role,
        network_address=socket.gethostname(),
        kind=ParticipantKind.HERE,
    )


def application(*, is_requestor: bool) -> Participant:
    """Return this process where no other node takes part."""
    return gateway(is_requestor=is_requestor, role=codes.APPLICATION)


def node(
    title: str,
    address: str | None,
    *,
    is_requestor: bool,
    role: Code | None = None,
) -> Participant:
    """Return another application entity."""
    return Participant(
        user_id=title,
        alternative_user_id=f"AETITLES={title}",
        is_requestor=is_requestor,
        role=role,
        network_address=address or None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who uses the console: the name of the account, its role, and from where.

    `role` is a word such as "auditor"; `address` an IP address or a host.
    """

    name: str
    role: str | None = None
    address: str | None = None


def person(by: Person | Decider | str) -> Participant:
    """Return somebody who asked for what happened, in the role that was stated."""
    if isinstance(by, str):
        by = Person(name=by)
    return Participant(
        user_id=by.name,
        is_requestor=True,
        role=None if by.role is None else codes.role_of_person(by.role),
        network_address=by.address if isinstance(by, Person) else None,
        kind=ParticipantKind.PERSON,
    )


def deciders(by: Decider) -> list[Participant]:
    """Return who decided; first who typed it, where that was somebody else.

    The one who typed it is who asked: nobody has seen the other one here.
    """
    decided = person(by)
    if by.entered_by is None:
        return [decided]
    return [person(by.entered_by), replace(decided, is_requestor=False)]


def identified(user: str | None) -> list[Participant]:
    """Return who the other side says has started it (PS3.7 D.3.3.7); None: nobody."""
    return [] if user is None else [person(user)]


def study(
    study_instance_uid: str,
    *,
    sop_classes: Iterable[str] = (),
    details: tuple[tuple[str, str], ...] = (),
) -> ParticipantObject:
    """Return a study; `sop_classes` has one SOP Class UID for each instance."""
    return ParticipantObject(
        object_id=study_instance_uid,
        id_type=codes.STUDY_INSTANCE_UID,
        role=ObjectRole.REPORT,
        details=details,
        sop_classes=tuple(sorted(Counter(sop_classes).items())),
    )


def somebody(patient_id: str | None, issuer: str | None = None) -> Patient | None:
    """Return whom a Patient ID means; None: there is no ID."""
    return Patient(patient_id=patient_id, issuer=issuer) if patient_id else None


def patient_of(identity: PatientIdentity) -> Patient | None:
    """Return whom a header means; None: it names no Patient ID."""
    return somebody(identity.patient_id, identity.issuer)


def counted_study(
    study_instance_uid: str, classes: Mapping[str, int]
) -> ParticipantObject:
    """Return a study with the number of instances of each SOP Class UID."""
    return ParticipantObject(
        object_id=study_instance_uid,
        id_type=codes.STUDY_INSTANCE_UID,
        role=ObjectRole.REPORT,
        sop_classes=tuple(sorted(classes.items())),
    )


def alert_subject(name: str, *descriptions: str) -> ParticipantObject:
    """Return what a security alert is about (PS3.15 A.5.3.11)."""
    return ParticipantObject(
        object_id=name,
        id_type=codes.NODE_ID,
        role=ObjectRole.SECURITY_RESOURCE,
        details=tuple((ALERT, told) for told in descriptions),
    )


def account(name: str, told: str) -> ParticipantObject:
    """Return the account that an alert is about."""
    return ParticipantObject(
        object_id=name,
        id_type=codes.USER_IDENTIFIER,
        role=ObjectRole.SECURITY_USER,
        details=((ALERT, told),),
    )


def dicom_query(identifier: bytes) -> ParticipantObject:
    """Return the identifier of a C-FIND, as a data set (PS3.15 A.5.3.10)."""
    return ParticipantObject(
        object_id=STUDY_ROOT_FIND,
        id_type=codes.SOP_CLASS_UID,
        role=ObjectRole.REPORT,
        query=identifier,
        details=(("TransferSyntax", ENCODED_IN),),
    )


def study_query(
    keys: dict[str, str], web: WebEndpoint | None = None
) -> ParticipantObject:
    """Return the keys of a query for studies, one a line.

    `web`: the service that is asked by QIDO-RS; None: it would be asked by C-FIND.
    """
    text = "\n".join(f"{keyword}={value}" for keyword, value in keys.items())
    return ParticipantObject(
        object_id=STUDY_ROOT_FIND if web is None else f"{web.url}/studies",
        id_type=codes.SOP_CLASS_UID if web is None else codes.URI,
        role=ObjectRole.REPORT,
        query=text.encode("utf-8", "backslashreplace"),
    )
