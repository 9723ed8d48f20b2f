"""The audit message of PS3.15 A.5 as a value, and its XML; pure.

Structure and attribute names follow the RELAX NG schema of PS3.15 A.5.1. Text
from the network may stand in any field: `printable` keeps each of them on one
line and within what XML 1.0 can hold.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum, auto
from ipaddress import ip_address
from xml.etree import ElementTree as ET

TEXT_LIMIT = 1024
"""Characters kept of a free text; a message stays small enough for syslog."""
PLACE_LIMIT = 256
"""Characters of a node or an address in the columns by which the log is searched."""
ANY_PERSON = "person"
"""`person_role` of somebody who stated no role."""

# Control characters, lone surrogates and the two noncharacters of the basic
# plane: not allowed in XML 1.0 (2.2 Char), or able to break a line of a log.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def printable(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return `text` on one line, fit for XML 1.0, of at most `limit` characters."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[:limit])


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value: csd-code, codeSystemName and originalText of the schema."""

    value: str
    scheme: str
    meaning: str


class Action(StrEnum):
    """EventActionCode."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(IntEnum):
    """EventOutcomeIndicator."""

    SUCCESS = 0
    MINOR_FAILURE = 4
    """Will be tried again, or concerns one instance or peer."""
    SERIOUS_FAILURE = 8
    """Ended without what was wanted; somebody should look."""
    MAJOR_FAILURE = 12
    """The gateway is no longer available."""


class ParticipantKind(Enum):
    """What takes part in an event."""

    HERE = auto()
    """This gateway."""
    NODE = auto()
    """Another system."""
    PERSON = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """ActiveParticipant: a person or process that took part.

    `network_address` is an IP address or a machine name, None when not known.
    `kind` is not part of the message: it says who can be searched for as what.
    """

    user_id: str
    is_requestor: bool
    role: Code | None = None
    alternative_user_id: str | None = None
    network_address: str | None = None
    kind: ParticipantKind = ParticipantKind.NODE


class ObjectRole(StrEnum):
    """ParticipantObjectTypeCodeRole (PS3.15 A.5.1.2.2), the ones in use here."""

    PATIENT = "1"
    REPORT = "3"
    SECURITY_USER = "11"
    SECURITY_RESOURCE = "13"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantObject:
    """ParticipantObjectIdentification: what the event was about.

    Either `name` or `query` is written (the schema demands one). `details` are
    (type, text), `sop_classes` (SOP Class UID, number of instances); a
    UID that is None leaves the class open.
    """

    object_id: str
    id_type: Code
    role: ObjectRole
    name: str = ""
    query: bytes | None = None
    details: tuple[tuple[str, str], ...] = ()
    sop_classes: tuple[tuple[str | None, int], ...] = ()
    accession_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMessage:
    """One event. `source_id` names the system that reports it (AuditSourceID)."""

    event: Code
    action: Action
    outcome: Outcome
    occurred_at: datetime
    source_id: str
    participants: tuple[Participant, ...]
    event_type: Code | None = None
    outcome_description: str | None = None
    objects: tuple[ParticipantObject, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom an event is about: Patient ID as its issuer gave it; None: none is named."""

    patient_id: str
    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An audit message before the ledger has given it its place in the log.

    `event` and `event_type` are code values; `user` is who requested the event.
    Neither `user` nor `detail` names a patient: both are shown in lists. `patient`
    is kept as a pseudonym; a str is one already, None is nobody who is known.
    `person_role` is the role in which a person asked, ANY_PERSON where none was
    stated; None: no person did. `node` and `address` say where: the other system that
    took part, and the network address of it or of the person.
    """

    recorded_at: datetime
    event: str
    event_type: str | None
    action: str
    outcome: int
    study_instance_uid: str | None
    user: str
    detail: str | None
    message: str
    patient: Patient | str | None = None
    person_role: str | None = None
    node: str | None = None
    address: str | None = None


def entry(
    message: AuditMessage,
    *,
    study_instance_uid: str | None = None,
    patient: Patient | str | None = None,
) -> AuditEntry:
    """Return `message` with the columns by which people search the log."""
    asked = next((p for p in message.participants if p.is_requestor), None)
    detail = message.outcome_description
    return AuditEntry(
        recorded_at=message.occurred_at,
        event=message.event.value,
        event_type=message.event_type.value if message.event_type else None,
        action=message.action.value,
        outcome=message.outcome.value,
        study_instance_uid=study_instance_uid,
        user=printable(asked.user_id if asked else message.source_id),
        detail=None if detail is None else printable(detail),
        message=to_xml(message),
        patient=patient,
        person_role=_person_role(asked),
        node=_first(
            p.user_id for p in message.participants if p.kind is ParticipantKind.NODE
        ),
        address=_first(
            p.network_address
            for p in message.participants
            if p.kind is not ParticipantKind.HERE
        ),
    )


def _person_role(asked: Participant | None) -> str | None:
    if asked is None or asked.kind is not ParticipantKind.PERSON:
        return None
    return (
        ANY_PERSON if asked.role is None else printable(asked.role.value, PLACE_LIMIT)
    )


def _first(found: Iterable[str | None]) -> str | None:
    """Return the first that is known, as a column of the log keeps it."""
    known = next((each for each in found if each), None)
    return None if known is None else printable(known, PLACE_LIMIT)


def to_xml(message: AuditMessage) -> str:
    """Return the message as one line of XML, without a declaration."""
    root = ET.Element("AuditMessage")
    _add_event(root, message)
    for participant in message.participants:
        _add_participant(root, participant)
    source = _add(root, "AuditSourceIdentification", AuditSourceID=message.source_id)
    # Audit Source Type Code 4: application server process (PS3.15 A.5.1.2.1).
    _add(source, "AuditSourceTypeCode", **{"csd-code": "4"})
    for described in message.objects:
        _add_object(root, described)
    return ET.tostring(root, encoding="unicode")


def object_xml(described: ParticipantObject) -> str:
    """Return one object as it stands in a message."""
    root = ET.Element("AuditMessage")
    _add_object(root, described)
    return ET.tostring(root[0], encoding="unicode")


def _add(parent: ET.Element, tag: str, **attributes: str | None) -> ET.Element:
    """Append an element; an attribute that is None is left out."""
    given = {k: printable(v) for k, v in attributes.items() if v is not None}
    return ET.SubElement(parent, tag, given)


def _add_code(parent: ET.Element, tag: str, code: Code) -> None:
    _add(
        parent,
        tag,
        **{
            "csd-code": code.value,
            "codeSystemName": code.scheme,
            "originalText": code.meaning,
        },
    )


def _add_text(parent: ET.Element, tag: str, text: str) -> None:
    _add(parent, tag).text = printable(text)


def _add_event(root: ET.Element, message: AuditMessage) -> None:
    event = _add(
        root,
        "EventIdentification",
        EventActionCode=message.action.value,
        EventDateTime=message.occurred_at.astimezone(UTC).isoformat(
            timespec="milliseconds"
        ),
        EventOutcomeIndicator=str(message.outcome.value),
    )
    _add_code(event, "EventID", message.event)
    if message.event_type is not None:
        _add_code(event, "EventTypeCode", message.event_type)
    if message.outcome_description is not None:
        _add_text(event, "EventOutcomeDescription", message.outcome_description)


def _add_participant(root: ET.Element, participant: Participant) -> None:
    address = participant.network_address
    element = _add(
        root,
        "ActiveParticipant",
        UserID=participant.user_id,
        AlternativeUserID=participant.alternative_user_id,
        UserIsRequestor=str(participant.is_requestor).lower(),
        NetworkAccessPointID=address,
        NetworkAccessPointTypeCode=None if address is None else _address_type(address),
    )
    if participant.role is not None:
        _add_code(element, "RoleIDCode", participant.role)


def _address_type(address: str) -> str:
    """Return 2 for an IP address, 1 for a machine name (PS3.15 A.5.1)."""
    try:
        ip_address(address)
    except ValueError:
        return "1"
    return "2"


def _add_object(root: ET.Element, described: ParticipantObject) -> None:
    is_person = described.role is ObjectRole.PATIENT
    element = _add(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=described.object_id,
        ParticipantObjectTypeCode="1" if is_person else "2",
        ParticipantObjectTypeCodeRole=described.role.value,
    )
    _add_code(element, "ParticipantObjectIDTypeCode", described.id_type)
    if described.query is None:
        _add_text(element, "ParticipantObjectName", described.name)
    else:
        query = _add(element, "ParticipantObjectQuery")
        query.text = b64encode(described.query).decode("ascii")
    for kind, text in described.details:
        detail = _add(element, "ParticipantObjectDetail", type=kind)
        # Not through `printable`: its length is the length of what it holds.
        detail.set("value", b64encode(_utf8(text)).decode("ascii"))
    _add_description(element, described)


def _utf8(text: str) -> bytes:
    return printable(text).encode("utf-8")


def _add_description(element: ET.Element, described: ParticipantObject) -> None:
    if described.accession_number is None and not described.sop_classes:
        return
    description = _add(element, "ParticipantObjectDescription")
    if described.accession_number is not None:
        _add(description, "Accession", Number=described.accession_number)
    for uid, count in described.sop_classes:
        _add(description, "SOPClass", UID=uid, NumberOfInstances=str(count))
