"""C-FIND identifiers as values (PS3.4 C.6.2, Study Root)."""

from dataclasses import dataclass
from datetime import date, time

from dicom_io.header import PatientIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyQuery:
    """A STUDY-level question about one patient: exact ID, never a wildcard."""

    patient_id: str
    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortQuery:
    """A STUDY-level question about all studies of one day; no patient is named.

    None: whatever it is. `description` may hold the wildcards * and ?.
    """

    study_date: date
    modality: str | None = None
    description: str | None = None
    institution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAnswer:
    """One study that an archive named; what it left out is None or empty.

    left_out : keywords of optional keys about the patient that are not in the answer,
    not even without a value: the archive does not support them (PS3.4 C.2.2.1.3).
    """

    study_instance_uid: str
    patient: PatientIdentity
    study_date: date | None
    study_time: time | None
    accession_number: str | None
    study_description: str | None
    modalities: tuple[str, ...]
    body_part: str | None
    instance_count: int | None
    institution: str | None = None
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAnswers:
    """What an archive said of one patient's studies.

    `remarks` says in what the answer may fall short, for people; no patient data.
    """

    studies: tuple[StudyAnswer, ...]
    remarks: tuple[str, ...] = ()
