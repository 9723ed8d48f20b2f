"""Ask the sources of orders and reports; guard the patient; write the audit.

A source that fails costs its answer and never the study: that it failed is in the
notes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dicom_io.errors import PeerFailure
from dicom_io.evidence import Rejection
from dicom_io.header import Instance, PatientIdentity
from dicom_io.identity import guard_identity, is_exact_key
from dicom_io.inputs.orders import Order
from dicom_io.inputs.sections import header_order
from dicom_io.options import OrderSource, ReportSource
from dicom_io.reports.values import OutsideReport
from gateway.audit import kinds
from gateway.audit.of_source import Question
from gateway.audit.parts import patient_of
from gateway.errors import SourceFailure
from gateway.ledger import StudyRecord
from gateway.site import Site
from gateway.sources.kinds import OrderKey, Orders, ReportKey, Reports

_LEAVES_THE_HOUSE = frozenset(
    {OrderSource.WORKLIST, OrderSource.FHIR, ReportSource.FHIR}
)
_MAX_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundOrders:
    """Orders of the patient in the order of trust, and what was not taken."""

    orders: tuple[Order, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReports:
    """Reports of the patient from outside of DICOM, and what was not taken."""

    reports: tuple[OutsideReport, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()


def ask_for_orders(site: Site, study: StudyRecord, frontal: Instance) -> FoundOrders:
    """Return the orders behind the current study, from each source of the site.

    The header's own stands at its place in the order of trust.
    """
    orders: list[Order] = []
    rejected: list[Rejection] = []
    notes: list[str] = []
    for kind in site.settings.order.sources:
        if kind is OrderSource.HEADER:
            own = header_order(frontal)
            orders += [] if own is None else [own]
            continue
        for source in (each for each in site.orders if each.source is kind):
            found = _ask_one(site, study, frontal, source)
            orders += found.orders
            rejected += found.rejected
            notes += found.notes
    return FoundOrders(
        orders=tuple(orders), rejected=tuple(rejected), notes=tuple(notes)
    )


def ask_for_reports(site: Site, study: StudyRecord, key: ReportKey) -> FoundReports:
    """Return reports of an earlier study, found for `study`."""
    reports: list[OutsideReport] = []
    rejected: list[Rejection] = []
    notes: list[str] = []
    for source in site.reports:
        answers = _reports_of(site, study, source, key)
        if isinstance(answers, str):
            notes.append(answers)
            continue
        for report in answers:
            reason = _why_not(site, key, report)
            if reason is None:
                reports.append(report)
            else:
                rejected.append(_rejection(report, reason))
    return FoundReports(
        reports=tuple(reports), rejected=tuple(rejected), notes=tuple(notes)
    )


def _ask_one(
    site: Site, study: StudyRecord, frontal: Instance, source: Orders
) -> FoundOrders:
    accession = frontal.accession_number
    if accession is None or not is_exact_key(accession):
        why = "without one exact accession number"
        return FoundOrders(notes=(f"{source.name} was not asked {why}",))
    key = OrderKey(accession_number=accession, patient=frontal.patient)
    answers = _orders_of(site, study, source, key)
    if isinstance(answers, str):
        return FoundOrders(notes=(answers,))
    reasons = [(order, _why_no_order(site, key, order)) for order in answers]
    return FoundOrders(
        orders=tuple(order for order, reason in reasons if reason is None),
        rejected=tuple(
            _rejection(order, reason) for order, reason in reasons if reason is not None
        ),
    )


def _orders_of(
    site: Site, study: StudyRecord, source: Orders, key: OrderKey
) -> Sequence[Order] | str:
    """Return the answers, or a note on why there are none."""
    keys = {"AccessionNumber": key.accession_number}
    asked = _Asked(site, study, source.name, key.patient, keys)
    leaves = source.source in _LEAVES_THE_HOUSE
    try:
        found = source.find(key)
    except (PeerFailure, SourceFailure) as error:
        return asked.failed(error, leaves=leaves)
    asked.answered(len(found), leaves=leaves)
    return found


def _reports_of(
    site: Site, study: StudyRecord, source: Reports, key: ReportKey
) -> Sequence[OutsideReport] | str:
    """Return the answers, or a note on why there are none."""
    keys = {
        "StudyInstanceUID": key.study_instance_uid,
        "AccessionNumber": key.accession_number or "",
    }
    asked = _Asked(site, study, source.name, key.patient, keys)
    leaves = source.source in _LEAVES_THE_HOUSE
    try:
        found = source.find(key)
    except (PeerFailure, SourceFailure) as error:
        return asked.failed(error, leaves=leaves)
    asked.answered(len(found), leaves=leaves)
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that was put to a source, for the audit."""

    site: Site
    study: StudyRecord
    source: str
    patient: PatientIdentity
    keys: Mapping[str, str]

    def answered(self, count: int, *, leaves: bool) -> None:
        """Record the answers of a source outside of the house."""
        if leaves:
            self._record(count, None)

    def failed(self, error: Exception, *, leaves: bool) -> str:
        """Record that nobody answered; return the note."""
        why = str(error)[:_MAX_REASON]
        if leaves:
            self._record(0, why)
        return f"{self.source} gave no answer: {why}"

    def _record(self, count: int, error: str | None) -> None:
        question = Question(
            source=self.source,
            study_instance_uid=self.study.study_instance_uid,
            keys=self.keys,
            patient=patient_of(self.patient),
        )
        now = self.site.clock()
        entry = kinds.source_queried(question, count, now, error=error)
        with self.site.ledger.writing() as rows:
            rows.append_audit(entry)


def _rejection(answer: Order | OutsideReport, reason: str) -> Rejection:
    return Rejection(what=f"{answer.source} {answer.document}", reason=reason)


def _why_no_order(site: Site, key: OrderKey, order: Order) -> str | None:
    """Return why an order is not taken; None: it is."""
    if order.accession_number != key.accession_number:
        return "it has another accession number"
    return _another_patient(site, key.patient, order.patient)


def _why_not(site: Site, key: ReportKey, report: OutsideReport) -> str | None:
    """Return why a report is not taken: each of its names must be the study's."""
    uid, accession = report.study_instance_uid, report.accession_number
    if uid is not None and uid != key.study_instance_uid:
        return "it is about another study"
    if uid is None and (accession is None or accession != key.accession_number):
        return "it has another accession number"
    return _another_patient(site, key.patient, report.patient)


def _another_patient(
    site: Site, current: PatientIdentity, other: PatientIdentity
) -> str | None:
    verdict = guard_identity(current, other, site.settings.identity_policy())
    return None if verdict.accepted else "; ".join(verdict.reasons)
