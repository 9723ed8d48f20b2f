"""C-FIND identifiers, built and read (PS3.4 C.4.1.1.3, Study Root). Pure.

Answers come from other people's archives: a value that cannot be read counts as
left out, and only an answer without a study is dropped.
"""

import re
from datetime import date, datetime, time

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ImplicitVRLittleEndian

from dicom_io.header import PatientIdentity
from dicom_io.identifiers import CohortQuery, StudyAnswer, StudyQuery
from dicom_io.identity import is_exact_key
from dicom_io.malformed import MALFORMED
from dicom_io.uid import is_uid

_STUDY_KEYS = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyDescription",
    "ModalitiesInStudy",
    "BodyPartExamined",
    "InstitutionName",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "NumberOfStudyRelatedInstances",
)

_REQUIRED_KEYS = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "PatientName",
    "PatientID",
)
"""Required and unique keys of the STUDY level, Study Root (PS3.4 table C.6-5)."""

_COHORT_KEYS = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyDescription",
    "ModalitiesInStudy",
    "InstitutionName",
)

_OPTIONAL_KEYS = ("IssuerOfPatientID", "PatientBirthDate", "PatientSex")
"""What the patient is told by and no archive need support (PS3.4 table C.6-5)."""

ENCODED_IN = str(ImplicitVRLittleEndian)
"""Transfer syntax of what is encoded for a record: the default of PS3.5 10.1."""

_LONG_STRING = 64
"""Characters of a VR LO."""


def study_identifier(query: StudyQuery) -> Dataset:
    """Ask for the studies of one patient.

    Raises ValueError where a key would match more than one patient: an empty
    key matches every patient, a wildcard or a second value several.
    """
    identifier = _identifier("STUDY", _STUDY_KEYS)
    identifier.PatientID = _single(query.patient_id, "PatientID")
    if query.issuer is not None:
        identifier.IssuerOfPatientID = _single(query.issuer, "IssuerOfPatientID")
    if not f"{query.patient_id}{query.issuer or ''}".isascii():
        identifier.SpecificCharacterSet = "ISO_IR 192"
    return identifier


def encoded_study_identifier(query: StudyQuery) -> bytes:
    """Return `study_identifier` as a data set in ENCODED_IN, for a record of it.

    Raises ValueError where no such query is sent.
    """
    return _encoded(study_identifier(query))


def encoded_series_identifier(study_instance_uid: str) -> bytes:
    """Return `series_identifier` as a data set in ENCODED_IN, for a record of it."""
    return _encoded(series_identifier(study_instance_uid))


def required_study_identifier(query: StudyQuery) -> Dataset:
    """Ask as `study_identifier`, for what every archive must support (PS3.4 C.6.2.1).

    The issuer is an optional key too: the answers of another one are told by those
    who compare them.
    """
    asked = study_identifier(query)
    identifier = _identifier("STUDY", _REQUIRED_KEYS)
    identifier.PatientID = asked.PatientID
    if not query.patient_id.isascii():
        identifier.SpecificCharacterSet = asked.SpecificCharacterSet
    return identifier


def cohort_identifier(query: CohortQuery) -> Dataset:
    """Ask for the studies of one day, and for nothing about their patients.

    Raises ValueError where a key is longer than its VR allows, or a list.
    """
    identifier = _identifier("STUDY", _COHORT_KEYS)
    identifier.StudyDate = f"{query.study_date:%Y%m%d}"
    for keyword, value, longest in (
        ("ModalitiesInStudy", query.modality, 16),
        ("StudyDescription", query.description, _LONG_STRING),
        ("InstitutionName", query.institution, _LONG_STRING),
    ):
        if value is not None:
            setattr(identifier, keyword, _key(value, keyword, longest))
    texts = f"{query.description or ''}{query.institution or ''}"
    if not texts.isascii():
        identifier.SpecificCharacterSet = "ISO_IR 192"
    return identifier


def in_cohort(query: CohortQuery, answer: Dataset) -> str | None:
    """Return the study that an answer names; None: it is not what was asked for.

    An archive may ignore a key. What it leaves out of the answer is believed.
    """
    uid, day = text_of(answer, "StudyInstanceUID"), text_of(answer, "StudyDate")
    modalities = _values(answer, "ModalitiesInStudy")
    if uid is None or not is_uid(uid):
        return None
    if day is not None and _date(day) != query.study_date:
        return None
    is_other = query.modality is not None and query.modality not in modalities
    return None if modalities and is_other else uid


def count_identifier(study_instance_uid: str) -> Dataset:
    """Ask how many instances a study has."""
    identifier = _identifier("STUDY", ("NumberOfStudyRelatedInstances",))
    identifier.StudyInstanceUID = _uid(study_instance_uid)
    return identifier


def series_identifier(study_instance_uid: str) -> Dataset:
    """Ask for the series of a study."""
    identifier = _identifier("SERIES", ("SeriesInstanceUID",))
    identifier.StudyInstanceUID = _uid(study_instance_uid)
    return identifier


def image_identifier(study_instance_uid: str, series_instance_uid: str) -> Dataset:
    """Ask for the instances of a series."""
    identifier = _identifier("IMAGE", ("SOPInstanceUID",))
    identifier.StudyInstanceUID = _uid(study_instance_uid)
    identifier.SeriesInstanceUID = _uid(series_instance_uid)
    return identifier


def _encoded(identifier: Dataset) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, True
    write_dataset(out, identifier)
    return out.getvalue()


def retrieve_identifier(
    study_instance_uid: str,
    series_instance_uid: str | None = None,
    sop_instance_uid: str | None = None,
) -> Dataset:
    """Name a study to be retrieved, or one series of it, or one instance of that."""
    identifier = _identifier("STUDY", ())
    identifier.StudyInstanceUID = _uid(study_instance_uid)
    if series_instance_uid is not None:
        identifier.QueryRetrieveLevel = "SERIES"
        identifier.SeriesInstanceUID = _uid(series_instance_uid)
    if sop_instance_uid is not None:
        identifier.QueryRetrieveLevel = "IMAGE"
        identifier.SOPInstanceUID = _uid(sop_instance_uid)
    return identifier


def _identifier(level: str, keys: tuple[str, ...]) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword in keys:
        setattr(identifier, keyword, None)
    return identifier


def _single(value: str, keyword: str) -> str:
    """Return `value` without its padding, if it can match one value only."""
    text = value.strip(" ")
    if len(text) > _LONG_STRING or not is_exact_key(text):
        raise ValueError(f"{keyword} is not one exact value: no query is sent")
    return text


def _key(value: str, keyword: str, longest: int) -> str:
    text = value.strip(" ")
    if not 0 < len(text) <= longest or "\\" in text or not text.isprintable():
        raise ValueError(f"{keyword} takes 1 to {longest} characters, and no backslash")
    return text


def _uid(text: str) -> str:
    """Return `text`; raises ValueError where it is not one UID (PS3.5 9.1)."""
    if not is_uid(text):
        raise ValueError(f"{text[:64]!r} is not a UID: no query is sent")
    return text


def study_answer(answer: Dataset) -> StudyAnswer | None:
    """Read a STUDY-level answer; None where it names no study."""
    study_instance_uid = text_of(answer, "StudyInstanceUID")
    if study_instance_uid is None:
        return None
    return StudyAnswer(
        study_instance_uid=study_instance_uid,
        patient=patient_of(answer),
        study_date=_date(text_of(answer, "StudyDate")),
        study_time=_time(text_of(answer, "StudyTime")),
        accession_number=text_of(answer, "AccessionNumber"),
        study_description=text_of(answer, "StudyDescription"),
        modalities=_values(answer, "ModalitiesInStudy"),
        body_part=text_of(answer, "BodyPartExamined"),
        instance_count=count_of(answer),
        institution=text_of(answer, "InstitutionName"),
        left_out=frozenset(key for key in _OPTIONAL_KEYS if key not in answer),
    )


def count_of(answer: Dataset) -> int | None:
    """Return Number of Study Related Instances (0020,1208), or None."""
    text = text_of(answer, "NumberOfStudyRelatedInstances")
    if text is None or re.fullmatch(r"\+?[0-9]{1,9}", text) is None:
        return None
    return int(text)


def text_of(answer: Dataset, keyword: str) -> str | None:
    """Return a value as text, several joined by backslashes; None: none given."""
    return "\\".join(_values(answer, keyword)) or None


def _values(answer: Dataset, keyword: str) -> tuple[str, ...]:
    try:
        value = answer.get(keyword)
    except MALFORMED:
        return ()
    several = value if not isinstance(value, str) and hasattr(value, "append") else None
    values = [value] if several is None else list(several)
    texts = (str(each).strip(" \0") for each in values if each is not None)
    return tuple(text for text in texts if text)


def patient_of(answer: Dataset) -> PatientIdentity:
    """Return who an answer is about."""
    written = text_of(answer, "PatientBirthDate")
    birth_date = _date(written)
    return PatientIdentity(
        patient_id=text_of(answer, "PatientID"),
        issuer=text_of(answer, "IssuerOfPatientID"),
        birth_date=birth_date,
        birth_date_text=None if birth_date else written,
        sex=text_of(answer, "PatientSex"),
        name=text_of(answer, "PatientName"),
    )


def _date(text: str | None) -> date | None:
    """Read a DA, with the dots of ACR-NEMA 2.0 too (PS3.5 6.2 note)."""
    digits = (text or "").replace(".", "").replace("-", "")
    try:
        return datetime.strptime(digits, "%Y%m%d").date()  # noqa: DTZ007 - a DA has no zone
    except ValueError:
        return None


def _time(text: str | None) -> time | None:
    """Read a TM: hours, and what follows of minutes, seconds and fraction."""
    found = re.fullmatch(
        r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", text or "", re.ASCII
    )
    if found is None:
        return None
    hour, minute, second, fraction = found.groups(default="0")
    try:
        return time(int(hour), int(minute), int(second), int(fraction.ljust(6, "0")))
    except ValueError:
        return None
