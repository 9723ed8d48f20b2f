"""What a source of orders or of reports must do."""

from dataclasses import dataclass
from typing import Protocol

from dicom_io.header import PatientIdentity
from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource, ReportSource
from dicom_io.reports.values import OutsideReport


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """Which orders are wanted: those of one accession number of one patient."""

    accession_number: str
    patient: PatientIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportKey:
    """Which reports are wanted: those of one study of one patient.

    Either of the two names of the study may be all that a report carries.
    """

    study_instance_uid: str
    accession_number: str | None
    patient: PatientIdentity


class Orders(Protocol):
    """Answers for the orders of an accession number.

    `find` raises SourceFailure where it could not ask; what it returns is not to be
    trusted: the patient is compared again.
    """

    @property
    def source(self) -> OrderSource:
        """Which kind of source it is."""
        ...

    @property
    def name(self) -> str:
        """Name it in reasons and in the audit."""
        ...

    def find(self, key: OrderKey) -> list[Order]:
        """Return what it knows, the latest first."""
        ...


class Reports(Protocol):
    """Answers for the reports of an earlier study; as `Orders`."""

    @property
    def source(self) -> ReportSource:
        """Which kind of source it is."""
        ...

    @property
    def name(self) -> str:
        """Name it in reasons and in the audit."""
        ...

    def find(self, key: ReportKey) -> list[OutsideReport]:
        """Return what it knows, the latest first."""
        ...
