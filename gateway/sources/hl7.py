"""HL7 v2 messages -> reports and orders as values; pure.

Chapters are those of HL7 v2.5.1: 2 (control), 3 (patient), 4 (orders), 7
(observations). Later versions only add. A value that cannot be read counts as left
out; a message without what it must have is refused with a reason that holds no text
of the message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource
from dicom_io.reports.values import OutsideReport
from gateway.errors import UnreadableMessage
from gateway.sources.hl7_results import read_results
from gateway.sources.hl7_values import (
    MAX_REPETITIONS,
    accession_number,
    is_urgent,
    joined,
    patient_of,
    short,
)
from gateway.sources.segments import Message, Segment, read_header, split


class Fault(StrEnum):
    """Why a message is refused: codes of HL7 table 0357."""

    MISSING = "101"
    """Required field missing."""
    UNREADABLE = "102"
    """Data type error."""
    MESSAGE_TYPE = "200"
    """Unsupported message type."""
    INTERNAL = "207"
    """Application internal error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What an answer repeats of a message (MSH-3 to 6, 9 to 12), as it came."""

    sender: str = ""
    sender_facility: str = ""
    receiver: str = ""
    receiver_facility: str = ""
    message_type: str = ""
    trigger: str = ""
    control_id: str = ""
    processing: str = "P"
    version: str = "2.5.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Keep these instead of their earlier states."""

    orders: tuple[Order, ...] = ()
    reports: tuple[OutsideReport, ...] = ()
    dropped_orders: tuple[str, ...] = ()
    dropped_reports: tuple[str, ...] = ()
    """What was cancelled, withdrawn or found wrong, by document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why nothing is kept; names no patient."""

    fault: Fault
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as read: who sent it, and what follows."""

    envelope: Envelope
    content: Keep | Refused


def read_message(data: bytes) -> Received:
    """Read one message, without its MLLP block characters. Never raises."""
    envelope = read_envelope(data)
    try:
        message = split(data)
    except UnreadableMessage as error:
        refused = Refused(fault=Fault.UNREADABLE, reason=str(error))
        return Received(envelope=envelope, content=refused)
    return Received(envelope=envelope, content=_content(message, envelope))


def read_envelope(data: bytes) -> Envelope:
    """Read who is to be answered, of a message or of its beginning. Never raises."""
    try:
        return _envelope(read_header(data))
    except UnreadableMessage:
        return Envelope()


def _content(message: Message, envelope: Envelope) -> Keep | Refused:
    read = _READERS.get((envelope.message_type, envelope.trigger))
    if read is None:
        reason = "only ORU R01, ORM O01 and OMI O23 are taken"
        return Refused(fault=Fault.MESSAGE_TYPE, reason=reason)
    try:
        return read(message)
    except UnreadableMessage as error:
        return Refused(fault=Fault.MISSING, reason=str(error))


def _envelope(header: Segment) -> Envelope:
    return Envelope(
        sender=short(header.raw(3)),
        sender_facility=short(header.raw(4)),
        receiver=short(header.raw(5)),
        receiver_facility=short(header.raw(6)),
        message_type=short(header.component(9, 1)),
        trigger=short(header.component(9, 2)),
        control_id=short(header.raw(10)),
        processing=short(header.raw(11)) or "P",
        version=short(header.raw(12)) or "2.5.1",
    )


def _reports(message: Message) -> Keep:
    kept, dropped = read_results(message)
    return Keep(reports=kept, dropped_reports=dropped)


_CANCELLING = frozenset({"CA", "OC", "CR", "DC", "OD", "DR"})
"""Order control codes that end an order: cancelled or discontinued (table 0119)."""


def _orders(message: Message) -> Keep:
    """Read the orders of an ORM^O01 or OMI^O23 (chapters 4.4.1 and 4.4.6)."""
    orders: list[Order] = []
    dropped: list[str] = []
    for control, request in message.pairs("ORC", "OBR"):
        document = _document(control, request)
        if control is not None and _ends(control):
            dropped.append(document)
        elif request is not None:
            order = _order(message, request, document)
            urgent = is_urgent(message, control, request)
            orders.append(replace(order, urgent=urgent))
    if not orders and not dropped:
        raise UnreadableMessage("there is neither an OBR nor a cancellation")
    return Keep(orders=tuple(orders), dropped_orders=tuple(dropped))


def _ends(control: Segment) -> bool:
    return control.component(1, 1).upper() in _CANCELLING


def _document(control: Segment | None, request: Segment | None) -> str:
    """Name an order by its placer order number, or else the filler's."""
    for segment, field in ((control, 2), (request, 2), (control, 3), (request, 3)):
        named = "" if segment is None else joined(segment, field)
        if named:
            return named
    raise UnreadableMessage("the order has no number")


def _order(message: Message, request: Segment, document: str) -> Order:
    """Read OBR-31 and OBR-13 as text; OBR-44 names the procedure before OBR-4."""
    accession = accession_number(message, request)
    if accession is None:
        raise UnreadableMessage("the order has no accession number")
    count = min(request.repetitions(31), MAX_REPETITIONS)
    reasons = [request.coded(31, n) for n in range(count)]
    words = [text for code, text in reasons if text and not code]
    codes = [text for code, text in reasons if text and code]
    return Order(
        source=OrderSource.HL7,
        document=document,
        accession_number=accession,
        patient=patient_of(message),
        reason="; ".join(words) or None,
        reason_codes="; ".join(codes) or None,
        history=request.text(13).strip() or None,
        procedure=request.coded(44, 0)[1] or request.coded(4, 0)[1] or None,
    )


_READERS: Mapping[tuple[str, str], Callable[[Message], Keep]] = {
    ("ORU", "R01"): _reports,
    ("ORM", "O01"): _orders,
    ("OMI", "O23"): _orders,
}
