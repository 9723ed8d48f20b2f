"""Orders and reports of a FHIR R4 server, asked by accession number."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from dicom_io.header import PatientIdentity
from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource, ReportSource
from dicom_io.reports.values import OutsideReport
from gateway.sources.fhir_resources import (
    Condition,
    DiagnosticReport,
    Patient,
    Resource,
    ServiceRequest,
)
from gateway.sources.fhir_search import FhirServer, search
from gateway.sources.kinds import OrderKey, ReportKey

logger = logging.getLogger(__name__)

Found = Sequence[dict[str, object]]
"""Resources of an answer, or those that one contains."""
Read = TypeVar("Read", Condition, DiagnosticReport, Patient, ServiceRequest)

_MAX_CONDITIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirOrders:
    """Orders as ServiceRequest resources."""

    server: FhirServer

    @property
    def source(self) -> OrderSource:
        """FHIR."""
        return OrderSource.FHIR

    @property
    def name(self) -> str:
        """Name the server's kind."""
        return "fhir"

    def find(self, key: OrderKey) -> list[Order]:
        """Ask by identifier; raises SourceFailure."""
        accession = key.accession_number
        found = search(self.server, "ServiceRequest", "identifier", accession)
        requests = _resources(found, ServiceRequest)
        return [
            _order(each, found, accession)
            for each in requests
            if each.status not in ("revoked", "entered-in-error")
            and accession in {i.value for i in each.identifier}
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirReports:
    """Reports as DiagnosticReport resources."""

    server: FhirServer

    @property
    def source(self) -> ReportSource:
        """FHIR."""
        return ReportSource.FHIR

    @property
    def name(self) -> str:
        """Name the server's kind."""
        return "fhir"

    def find(self, key: ReportKey) -> list[OutsideReport]:
        """Ask by identifier, then by the order's; raises SourceFailure."""
        accession = key.accession_number
        if accession is None:
            return []
        for parameter in ("identifier", "based-on:identifier"):
            found = search(self.server, "DiagnosticReport", parameter, accession)
            reports = [
                _report(each, found, accession)
                for each in _resources(found, DiagnosticReport)
                if each.status in _FINAL | _PRELIMINARY and _names(each, accession)
            ]
            with_text = [each for each in reports if each.text]
            if with_text:
                return sorted(with_text, key=_age, reverse=True)
        return []


_FINAL = frozenset({"final", "amended", "corrected", "appended"})
_PRELIMINARY = frozenset({"partial", "preliminary"})
"""Value set diagnostic-report-status; the others are not reports to read."""


def _names(report: DiagnosticReport, accession: str) -> bool:
    own = {each.value for each in report.identifier}
    return accession in own | {each.identifier.value for each in report.basedOn}


def _age(report: OutsideReport) -> float:
    return 0.0 if report.written_at is None else report.written_at.timestamp()


def _report(report: DiagnosticReport, found: Found, accession: str) -> OutsideReport:
    forms = [each.language for each in report.presentedForm if each.language]
    return OutsideReport(
        source=ReportSource.FHIR,
        document=f"DiagnosticReport/{report.id}",
        patient=_patient(report, found),
        accession_number=accession,
        study_instance_uid=report.study_instance_uid,
        text=report.words,
        is_final=report.status in _FINAL,
        written_at=report.issued_at,
        written_by_device=report.is_by_device,
        language=report.language or next(iter(forms), None),
    )


def _order(request: ServiceRequest, found: Found, accession: str) -> Order:
    conditions = _conditions(request, found)
    reasons = (*request.reasonCode, *(each.code for each in conditions))
    words = [each.text for each in reasons]
    words += [each.display for each in request.reasonReference]
    return Order(
        source=OrderSource.FHIR,
        document=f"ServiceRequest/{request.id}",
        accession_number=accession,
        patient=_patient(request, found),
        reason=_joined(words),
        reason_codes=_joined(each.meaning for each in reasons),
        history=_joined(each.text for each in request.note),
        procedure=request.code.text or request.code.meaning or None,
    )


def _joined(words: Iterable[str]) -> str | None:
    """Join what is said, once each."""
    return "; ".join(dict.fromkeys(each for each in words if each)) or None


def _conditions(request: ServiceRequest, found: Found) -> list[Condition]:
    """Return the conditions behind an order that are held to be true."""
    named = request.reasonReference[:_MAX_CONDITIONS]
    conditions = (
        _referenced(each.reference, request, found, Condition) for each in named
    )
    own = ("", request.subject.reference)
    return [
        each
        for each in conditions
        if each is not None and each.subject.reference in own and not each.is_refuted
    ]


def _patient(resource: Resource, found: Found) -> PatientIdentity:
    """Return the subject; nobody where it is not there."""
    subject = _referenced(resource.subject.reference, resource, found, Patient)
    return (subject or Patient()).identity()


def _referenced(
    reference: str, holder: Resource, found: Found, kind: type[Read]
) -> Read | None:
    """Return what a reference names, contained or included."""
    if reference.startswith("#"):
        candidates: Found = holder.contained
        wanted = reference[1:]
    else:
        candidates, wanted = found, reference.rpartition(f"{kind.__name__}/")[2]
    named = [each for each in candidates if wanted and each.get("id") == wanted]
    return next(iter(_resources(named, kind)), None)


def _resources(found: Found, kind: type[Read]) -> list[Read]:
    """Return the resources of one kind that can be read."""
    read: list[Read] = []
    for each in found:
        if each.get("resourceType") != kind.__name__:
            continue
        try:
            read.append(kind.model_validate(each))
        except ValidationError as error:
            count = error.error_count()
            logger.warning("fhir: a %s has %d faults", kind.__name__, count)
    return read
