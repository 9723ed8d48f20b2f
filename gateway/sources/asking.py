"""Ask the sources of orders and reports; guard the patient; write the audit.

A source that fails costs its answer and never the study: that it failed is in the
notes.
"""

from dataclasses import dataclass

from dicom_io.evidence import Rejection
from dicom_io.header import Instance
from dicom_io.inputs.orders import Order
from dicom_io.reports.values import OutsideReport
from gateway.ledger import StudyRecord
from gateway.site import Site
from gateway.sources.kinds import ReportKey


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
    """Return the orders behind the current study, from each source of the site."""
    _ = site, study, frontal
    return FoundOrders()


def ask_for_reports(site: Site, study: StudyRecord, key: ReportKey) -> FoundReports:
    """Return reports of an earlier study, found for `study`."""
    _ = site, study, key
    return FoundReports()
