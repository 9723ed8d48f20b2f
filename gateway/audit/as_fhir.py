"""A record of the audit as an AuditEvent of FHIR R4; pure.

Each element comes from the one that FHIR R4 maps it to (AuditEvent, mapping to DICOM
PS3.15 A.5). Whoever the patient is stays out: what stands for them is the pseudonym
of the log, the same in every record about one patient.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC
from xml.etree import ElementTree as ET

from gateway.audit.message import ObjectRole
from gateway.ledger.records import AuditRecord

Json = dict[str, object]

DCM = "http://dicom.nema.org/resources/ontology/DCM"
OURS = "urn:maira-gateway:audit:code"
PATIENT_SYSTEM = "urn:maira-gateway:audit:patient"
STUDY_SYSTEM = "urn:dicom:uid"
RESEARCH_ONLY = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HRESCH",
    "display": "healthcare research",
}

SYSTEMS = {"DCM": DCM, "99MAIRAGW": OURS, "RFC-3881": "urn:ietf:rfc:3881"}
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


def event_of(record: AuditRecord) -> Json:
    """Return the resource; its `id` is the record's number in the log."""
    root = ET.fromstring(record.message)  # noqa: S314 - our own text
    event = root.find("EventIdentification")
    event = ET.Element("EventIdentification") if event is None else event
    return _given(
        resourceType="AuditEvent",
        id=str(record.sequence),
        meta={"tag": [RESEARCH_ONLY]},
        type=_code(event.find("EventID")) or {"system": DCM, "code": record.event},
        subtype=[_code(each) for each in event.findall("EventTypeCode")],
        action=record.action,
        recorded=record.recorded_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        outcome=str(record.outcome),
        outcomeDesc=event.findtext("EventOutcomeDescription"),
        agent=[_agent(each) for each in root.findall("ActiveParticipant")],
        source=_source(root.find("AuditSourceIdentification")),
        entity=[
            _entity(each, record.patient)
            for each in root.findall("ParticipantObjectIdentification")
        ],
    )


def _given(**elements: object) -> Json:
    """Return the elements that there are: FHIR knows no empty ones."""
    return {name: value for name, value in elements.items() if value not in _NOTHING}


_NOTHING: tuple[object, ...] = (None, "", [], {})


def _code(element: ET.Element | None) -> Json | None:
    if element is None:
        return None
    scheme = element.get("codeSystemName")
    return _given(
        system=SYSTEMS.get(scheme, f"urn:maira-gateway:scheme:{scheme}")
        if scheme
        else None,
        code=element.get("csd-code"),
        display=element.get("originalText"),
    )


def _agent(element: ET.Element) -> Json:
    roles = [_code(each) for each in element.findall("RoleIDCode")]
    network = _given(
        address=element.get("NetworkAccessPointID"),
        type=element.get("NetworkAccessPointTypeCode"),
    )
    return _given(
        type={"coding": roles} if roles else None,
        who={"identifier": _given(value=element.get("UserID")) or _absent()},
        altId=element.get("AlternativeUserID"),
        name=element.get("UserName"),
        requestor=element.get("UserIsRequestor") == "true",
        network=network,
    )


def _source(element: ET.Element | None) -> Json:
    element = ET.Element("AuditSourceIdentification") if element is None else element
    kinds = [
        {"system": _SOURCE_TYPE, "code": each.get("csd-code")}
        for each in element.findall("AuditSourceTypeCode")
    ]
    return _given(
        site=element.get("AuditEnterpriseSiteID"),
        observer={
            "identifier": _given(value=element.get("AuditSourceID")) or _absent()
        },
        type=kinds,
    )


def _entity(element: ET.Element, pseudonym: str | None) -> Json:
    role = element.get("ParticipantObjectTypeCodeRole")
    query = element.findtext("ParticipantObjectQuery")
    return _given(
        what={"identifier": _what(element, role, pseudonym)},
        type=_coding(_ENTITY_TYPE, element.get("ParticipantObjectTypeCode")),
        role=_coding(_OBJECT_ROLE, role),
        # Either a name or a query (sev-1 of AuditEvent).
        name=None if query else element.findtext("ParticipantObjectName"),
        query=query,
        detail=[*_details(element)],
    )


def _what(element: ET.Element, role: str | None, pseudonym: str | None) -> Json:
    if role == ObjectRole.PATIENT:
        named = _given(system=PATIENT_SYSTEM, value=pseudonym) if pseudonym else {}
        return named or _absent()
    said = element.get("ParticipantObjectID", "")
    kind = _code(element.find("ParticipantObjectIDTypeCode"))
    is_uid = _UID.fullmatch(said) is not None
    return _given(
        type={"coding": [kind]} if kind else None,
        system=STUDY_SYSTEM if is_uid else None,
        value=f"urn:oid:{said}" if is_uid else said,
    )


def _absent() -> Json:
    """Return an identifier that is not known (a patient without an ID, as one)."""
    return {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                "valueCode": "unknown",
            }
        ]
    }


def _coding(system: str, code: str | None) -> Json | None:
    return {"system": system, "code": code} if code else None


def _details(element: ET.Element) -> Iterator[Json]:
    for each in element.findall("ParticipantObjectDetail"):
        value = each.get("value", "")
        if b64decode(value):  # FHIR knows no empty value
            yield {"type": each.get("type"), "valueBase64Binary": value}
    description = element.find("ParticipantObjectDescription")
    for each in [] if description is None else description:
        said = " ".join(each.attrib.values())
        if said:
            yield {"type": each.tag, "valueString": said}
