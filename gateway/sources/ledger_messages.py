"""Messages that were delivered: kept in the ledger, and found there again."""

import logging
from dataclasses import dataclass

from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource, ReportSource
from dicom_io.reports.values import OutsideReport
from gateway.audit import kinds
from gateway.audit.message import Patient
from gateway.audit.of_source import Sender
from gateway.audit.parts import patient_of
from gateway.errors import LedgerFailure
from gateway.ledger import Ledger, Writing
from gateway.site import Clock
from gateway.sources.acknowledging import Acknowledgement, Answer
from gateway.sources.hl7 import Fault, Keep, Received, Refused
from gateway.sources.kinds import OrderKey, ReportKey

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredOrders:
    """Orders that were delivered by HL7 v2."""

    ledger: Ledger

    @property
    def source(self) -> OrderSource:
        """HL7."""
        return OrderSource.HL7

    @property
    def name(self) -> str:
        """Name the kind of message."""
        return "delivered orders"

    def find(self, key: OrderKey) -> list[Order]:
        """Look into the ledger; no question leaves the house."""
        with self.ledger.reading() as rows:
            return rows.orders(key.accession_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredReports:
    """Reports that were delivered by HL7 v2."""

    ledger: Ledger

    @property
    def source(self) -> ReportSource:
        """HL7."""
        return ReportSource.HL7

    @property
    def name(self) -> str:
        """Name the kind of message."""
        return "delivered reports"

    def find(self, key: ReportKey) -> list[OutsideReport]:
        """Look into the ledger; no question leaves the house."""
        with self.ledger.reading() as rows:
            return rows.outside_reports(key.study_instance_uid, key.accession_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIntake:
    """Keeps what a message holds, with its audit record, in one transaction."""

    ledger: Ledger
    clock: Clock

    def take(self, received: Received, address: str) -> Acknowledgement:
        """Return the answer: AA where all of it is durable, and nowhere else."""
        try:
            return self._take(received, address)
        except LedgerFailure as error:
            logger.error("hl7: a message could not be kept: %s", error)  # noqa: TRY400
            return Acknowledgement(
                answer=Answer.ERROR, fault=Fault.INTERNAL, text="not kept: send again"
            )

    def _take(self, received: Received, address: str) -> Acknowledgement:
        content, envelope = received.content, received.envelope
        kind = f"{envelope.message_type}^{envelope.trigger}"
        sender, now = envelope.sender or "?", self.clock()
        source = Sender(name=sender, address=address)
        if isinstance(content, Refused):
            with self.ledger.writing() as rows:
                reason = f"{kind}: {content.reason}"
                rows.append_audit(kinds.message_refused(source, reason, now))
            return _refusal(content)
        with self.ledger.writing() as rows:
            self._keep(rows, content)
            told = f"{kind}: {_counted(content)}"
            for patient in _patients(content):
                rows.append_audit(kinds.message_received(source, told, patient, now))
        return Acknowledgement(answer=Answer.ACCEPT)

    def _keep(self, rows: Writing, content: Keep) -> None:
        now = self.clock()
        for message in _all(content):
            rows.put_message(message, now)
        for document in content.dropped_orders:
            rows.drop_message(Order, OrderSource.HL7, document)
        for document in content.dropped_reports:
            rows.drop_message(OutsideReport, ReportSource.HL7, document)


def _refusal(refused: Refused) -> Acknowledgement:
    unsupported = refused.fault is Fault.MESSAGE_TYPE
    return Acknowledgement(
        answer=Answer.REJECT if unsupported else Answer.ERROR,
        fault=refused.fault,
        text=refused.reason,
    )


def _all(content: Keep) -> tuple[Order | OutsideReport, ...]:
    return (*content.orders, *content.reports)


def _patients(content: Keep) -> list[Patient | None]:
    """Return whom a message is about, each once; None where it names nobody."""
    found = dict.fromkeys(patient_of(each.patient) for each in _all(content))
    return [each for each in found if each is not None] or [None]


def _counted(content: Keep) -> str:
    dropped = len(content.dropped_orders) + len(content.dropped_reports)
    return (
        f"{len(content.orders)} orders and {len(content.reports)} reports kept, "
        f"{dropped} dropped"
    )
