"""Reports of people as values, whatever they came as. Light: loads no library."""

from dataclasses import dataclass
from datetime import datetime

from dicom_io.evidence import ReferencedInstance, Rejection
from dicom_io.header import PatientIdentity
from dicom_io.options import ReportSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSections:
    """The text of a report by its sections; None: it has no such section.

    `whole` is all of its text in order, the sections included.
    """

    whole: str
    findings: str | None = None
    impression: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideReport:
    """A report that reached us by HL7 or FHIR, outside of any DICOM object.

    `document` names it within its source: filler order number or resource id.
    `text` is as received, lines kept. `is_final`: final, corrected or amended;
    False: preliminary. `written_by_device`: its producer is software. `language` is
    a BCP 47 tag, None where nothing says it. `sender` names a system, never a person.
    """

    source: ReportSource
    document: str
    patient: PatientIdentity
    accession_number: str | None
    study_instance_uid: str | None
    text: str
    is_final: bool
    written_at: datetime | None
    written_by_device: bool = False
    language: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorReport:
    """The text that the model is given: one line, capped, cleaned.

    `instance` is the DICOM document behind it, None for HL7 and FHIR; `document`
    names it in either case. `section` is what was taken of it: findings, impression
    or whole. `flags` is what a reader should know, such as another language.
    """

    text: str
    source: ReportSource
    document: str
    section: str
    reason: str
    instance: ReferencedInstance | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportChoice:
    """The report that is used, None: none may be; and each that is not, with why."""

    report: PriorReport | None
    rejected: tuple[Rejection, ...] = ()
