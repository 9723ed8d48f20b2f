"""Reports of people: as DICOM files, and as messages read."""

from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_io.options import ReportSource
from dicom_io.reports.values import OutsideReport
from tests.data.films import BASIC_TEXT_SR, film_instance, write_film

STUDY_UID = film_instance().study_instance_uid


def sr(
    path: Path, study: str = STUDY_UID, text: str = "Clear lungs.", **attributes: object
) -> Path:
    """Write a verified report of one text, and return its path."""
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.TextValue = text
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = BASIC_TEXT_SR, f"{study}.77"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.7"
    ds.PatientID = "P1"
    ds.VerificationFlag, ds.ContentDate = "VERIFIED", "20260101"
    ds.ContentSequence = [item]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_film(path, ds)


def outside_report(
    source: ReportSource = ReportSource.HL7, text: str = "Normal.", **changes: object
) -> OutsideReport:
    """Return a final report that came by `source`, of the patient of the films."""
    values: dict[str, object] = {
        "source": source,
        "document": f"{source}-1",
        "patient": film_instance().patient,
        "accession_number": "ACC1",
        "study_instance_uid": None,
        "text": text,
        "is_final": True,
        "written_at": datetime(2024, 1, 2, tzinfo=UTC),
        **changes,
    }
    return OutsideReport(**values)  # type: ignore[arg-type]
