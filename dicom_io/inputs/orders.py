"""What was asked for, and why: an order as a value. Light: loads no library."""

from dataclasses import dataclass

from dicom_io.header import PatientIdentity
from dicom_io.options import OrderSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An imaging order about one accession number.

    `document` names it within its source: placer order number, resource id or
    worklist step. Texts are None where the order does not say; they are as
    received, so a reader cleans and caps them (`sections`).
    """

    source: OrderSource
    document: str
    accession_number: str
    patient: PatientIdentity
    reason: str | None = None
    """Reason for the Requested Procedure, in words."""
    reason_codes: str | None = None
    """The meanings of its codes, joined by "; "."""
    history: str | None = None
    """Clinical history that came with the order."""
    procedure: str | None = None
    """Requested Procedure Description."""
    urgent: bool = False
    """It says that somebody waits for the report: STAT, ASAP or high priority."""
