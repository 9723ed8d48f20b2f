"""Values that several HL7 v2 messages share: patient, times, numbers of orders."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from dicom_io.header import PatientIdentity
from gateway.errors import UnreadableMessage
from gateway.sources.segments import Message, Segment

MAX_ACCESSION = 64
"""Characters that the ledger keeps; a VR SH has 16, and longer ones occur."""

MAX_REPETITIONS = 16
"""Repetitions of a field that are read: each is found from the field's beginning."""

_MAX_DOCUMENT = 200
_MOMENT = re.compile(
    r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?(?:\.\d{1,4})?)?([+-]\d{4})?"
)


def short(text: str, limit: int = 199) -> str:
    """Return printable ASCII of a field, capped: it is repeated in answers."""
    return "".join(each for each in text[:limit] if " " <= each <= "~")


def joined(segment: Segment, field: int) -> str:
    """Return an entity identifier with the name of its space, as "7^RIS"."""
    number, space = segment.component(field, 1), segment.component(field, 2)
    whole = f"{number}^{space}" if number and space else number
    return whole if len(whole) <= _MAX_DOCUMENT else ""


def moment(segment: Segment, field: int) -> datetime | None:
    """Read a TS (chapter 2.A.77); without a zone it is taken for UTC."""
    found = _MOMENT.fullmatch(segment.component(field, 1))
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(n or 0) for n in found.groups()[:6])
    try:
        zone = _zone(found[7])
        read = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if text is None:
        return UTC
    away = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return timezone(-away if text[0] == "-" else away)


def sender_of(header: Segment) -> str | None:
    """Return the sending application, or else the facility."""
    return short(header.component(3, 1) or header.component(4, 1)) or None


def accession_number(message: Message, request: Segment) -> str | None:
    """Return the accession number: IPC-1, OBR-18, or the filler's number (OBR-3).

    IPC-1 is the Accession Identifier by name (chapter 4.5.6); IHE RAD-4 puts it
    into OBR-18 where there is no IPC; elsewhere the filler order number serves.
    A message with several IPC-1 for several requests says nothing by them.
    """
    named = {each.component(1, 1) for each in message.all("IPC")} - {""}
    stated = sorted(named) if len(named) == 1 and not message.is_about_several else []
    stated += [request.component(18, 1), request.component(3, 1)]
    found = next((each for each in stated if each), None)
    return found if found and len(found) <= MAX_ACCESSION else None


_URGENT = frozenset({"S", "STAT", "A", "ASAP"})
"""Priorities of TQ1-9 (table 0485), and of the older fields."""


def is_urgent(message: Message, control: Segment | None, request: Segment) -> bool:
    """Return whether an order says that it is urgent.

    In TQ1-9 where the message is about one request, in component 6 of ORC-7 or OBR-27
    before version 2.5, or in OBR-5 before 2.3 (chapters 4.5.1, 4.5.3, 4.5.4).
    """
    timing = [] if message.is_about_several else message.all("TQ1")
    said = [segment.component(9, 1) for segment in timing]
    said += [] if control is None else [control.component(7, 6)]
    said += [request.component(27, 6), request.component(5, 1)]
    return any(each.upper() in _URGENT for each in said)


def patient_of(message: Message) -> PatientIdentity:
    """Read PID; raises UnreadableMessage without one patient and an identifier."""
    segments = message.all("PID")
    if len(segments) != 1:
        raise UnreadableMessage(f"there are {len(segments)} PID, not one")
    segment = segments[0]
    repetition = _medical_record(segment)
    patient_id = segment.component(3, 1, repetition)
    if not patient_id:
        raise UnreadableMessage("PID-3 has no identifier")
    written = segment.component(7, 1)
    birth_date = _birth_date(written)
    return PatientIdentity(
        patient_id=patient_id,
        issuer=segment.component(3, 4, repetition) or None,
        birth_date=birth_date,
        birth_date_text=None if birth_date else written or None,
        sex=segment.component(8, 1) or None,
        name=_name(segment),
    )


def _medical_record(segment: Segment) -> int:
    """Return which repetition of PID-3 is the record number (table 0203: MR, PI).

    Several without a type are several numbers of one patient: the first counts.
    """
    count = min(segment.repetitions(3), MAX_REPETITIONS)
    kinds = [segment.component(3, 5, n).upper() for n in range(count)]
    return next((kinds.index(kind) for kind in ("MR", "PI") if kind in kinds), 0)


def _birth_date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _name(segment: Segment) -> str | None:
    """Return PID-5 as a DICOM PN: an XPN has suffix and prefix the other way."""
    family, given, middle, suffix, prefix = (
        segment.component(5, number) for number in range(1, 6)
    )
    return "^".join((family, given, middle, prefix, suffix)).rstrip("^") or None
