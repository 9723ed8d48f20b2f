"""Reports of people as DICOM files."""

from pathlib import Path

from pydicom.dataset import Dataset

from tests.data.films import BASIC_TEXT_SR, write_film
from tests.data.stages import STUDY_UID


def sr(path: Path, study: str = STUDY_UID, text: str = "Clear lungs.") -> Path:
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
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_film(path, ds)
