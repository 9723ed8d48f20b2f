"""The sources of orders and reports that the settings name, in the order of trust."""

from pathlib import Path

from config.settings import Settings
from dicom_io.options import OrderSource, ReportSource
from gateway.ledger import Ledger
from gateway.pacing import Pacing
from gateway.sources.fhir import FhirOrders, FhirReports
from gateway.sources.fhir_search import FhirServer
from gateway.sources.kinds import Orders, Reports
from gateway.sources.ledger_messages import DeliveredOrders, DeliveredReports
from gateway.sources.worklist import WorklistOrders


def order_sources(
    settings: Settings, ledger: Ledger, pacing: Pacing
) -> tuple[Orders, ...]:
    """Return who is asked for orders; the header needs no asking."""
    kinds = settings.order.sources
    found = (_orders(kind, settings, ledger, pacing) for kind in kinds)
    return tuple(each for each in found if each is not None)


def report_sources(settings: Settings, ledger: Ledger) -> tuple[Reports, ...]:
    """Return who is asked for reports; documents come with the prior itself."""
    found = (_reports(kind, settings, ledger) for kind in settings.prior_report.sources)
    return tuple(each for each in found if each is not None)


def _orders(
    kind: OrderSource, settings: Settings, ledger: Ledger, pacing: Pacing
) -> Orders | None:
    match kind:
        case OrderSource.HEADER:
            return None
        case OrderSource.WORKLIST:
            remote = settings.worklist_ae()
            if remote is None:
                return None
            local = settings.local_ae()
            return WorklistOrders(local=local, remote=remote, pacing=pacing)
        case OrderSource.HL7:
            return DeliveredOrders(ledger=ledger) if settings.hl7.enabled else None
        case OrderSource.FHIR:
            server = fhir_server(settings)
            return None if server is None else FhirOrders(server=server)


def _reports(kind: ReportSource, settings: Settings, ledger: Ledger) -> Reports | None:
    match kind:
        case ReportSource.HL7:
            return DeliveredReports(ledger=ledger) if settings.hl7.enabled else None
        case ReportSource.FHIR:
            server = fhir_server(settings)
            return None if server is None else FhirReports(server=server)
        case ReportSource.SR | ReportSource.CDA | ReportSource.PDF:
            return None


def fhir_server(settings: Settings) -> FhirServer | None:
    """Return the FHIR server of the settings; None: nobody is asked."""
    own = settings.fhir
    if not own.url:
        return None
    return FhirServer(
        url=own.url.rstrip("/"),
        token=own.token,
        authority=Path(own.authority) if own.authority else None,
        seconds=own.deadline_seconds,
    )
