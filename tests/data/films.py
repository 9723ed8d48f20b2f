"""Radiographs for tests: small ones made here, real ones where they are kept."""

import os
import struct
from dataclasses import replace
from datetime import date, time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_io.header import Instance, PatientIdentity

FOLDER = Path(
    os.environ.get(
        "MAIRA_DATA", Path(__file__).parent.parent.parent.parent / "shared" / "data"
    )
)
"""Where the real films are; they are not part of the repository."""

DX = "1.2.840.10008.5.1.4.1.1.1.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


def real_film(name: str) -> Path:
    """Return a real file, such as `dicom/RG1_J2KI.dcm`; skip where there is none."""
    path = FOLDER / name
    if not path.exists():
        reason = f"MAIRA_DATA has no {name}"
        if os.environ.get("REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def real_films(folder: str) -> list[Path]:
    """Return all real files of `dicom`, `odd` or `sr_pr_ko`, sorted."""
    real_film(folder)
    return sorted((FOLDER / folder).glob("*.dcm"))


def film_instance(**changes: object) -> Instance:
    """Return the header of an ordinary PA film, with the given fields changed."""
    patient = PatientIdentity(
        patient_id="P1",
        issuer="SITE",
        birth_date=date(1950, 5, 1),
        sex="F",
        name="Doe^Jane",
    )
    film = Instance(
        path=Path("film.dcm"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        sop_class_uid=DX,
        sop_instance_uid="1.2.3.4",
        study_instance_uid="1.2.3",
        series_instance_uid="1.2.3.1",
        patient=patient,
        modality="DX",
        study_date=date(2024, 3, 2),
        study_time=time(10, 0),
        acquired_date=date(2024, 3, 2),
        acquired_time=time(10, 5),
        accession_number="A1",
        study_description="Chest",
        series_description=None,
        protocol_name=None,
        body_part="CHEST",
        view_position="PA",
        view_codes=(),
        patient_orientation=("L", "F"),
        image_type=("ORIGINAL", "PRIMARY"),
        presentation_intent="FOR PRESENTATION",
        species=None,
        institution=None,
        manufacturer="Maker",
        model_name="Detector",
        device_serial_number=None,
        instance_number=1,
        rows=64,
        columns=48,
        photometric_interpretation="MONOCHROME2",
        pixel_spacing=None,
        quality_control_image=False,
        has_pixels=True,
        reason_for_study=None,
        requested_procedure=None,
        acquisition_device_processing=None,
        patient_history=None,
    )
    return replace(film, **changes)  # type: ignore[arg-type]


def film_dataset(
    pixels: npt.NDArray[np.generic] | None = None, /, **attributes: object
) -> Dataset:
    """Return a small DX data set; keywords are set on top of it."""
    stored = gradient() if pixels is None else pixels
    ds = Dataset()
    ds.SOPClassUID = DX
    ds.SOPInstanceUID = "1.2.3.4"
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.3.1"
    ds.PatientID = "P1"
    ds.PatientName = "Doe^Jane"
    ds.PatientSex = "F"
    ds.PatientBirthDate = "19500501"
    ds.IssuerOfPatientID = "SITE"
    ds.StudyDate = "20240302"
    ds.StudyTime = "100000"
    ds.Modality = "DX"
    ds.BodyPartExamined = "CHEST"
    ds.ViewPosition = "PA"
    ds.PatientOrientation = ["L", "F"]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8 * stored.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(stored.dtype.kind == "i")
    data = stored.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def gradient(rows: int = 64, columns: int = 48) -> npt.NDArray[np.uint16]:
    """Return 12-bit pixels that grow along the columns and, slower, the rows."""
    row, column = np.mgrid[:rows, :columns]
    return np.asarray(column * 60 + row * 10, dtype=np.uint16)


def write_film(
    path: Path, ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian
) -> Path:
    """Write a data set as a DICOM file; a deflated one is deflated."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path


def raw_file(path: Path, data_set: bytes, transfer_syntax_uid: str) -> Path:
    """Write any bytes behind an honest preamble and file meta."""
    uid = transfer_syntax_uid.encode()
    uid += b"\0" * (len(uid) % 2)
    element = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(uid)) + uid
    group = b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(element))
    path.write_bytes(b"\0" * 128 + b"DICM" + group + element + data_set)
    return path


def nested(depth: int) -> bytes:
    """Return sequences in sequences, of undefined length, explicit little endian."""
    opened = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    return opened * depth + closed * depth
