"""The modules that all result objects share (PS3.3).

Everything is written here and nothing is left to a library's defaults: a clock
or a random UID would make a repeated stage give other bytes.
"""

import re
from datetime import timedelta, timezone
from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_io import codes
from dicom_io.elements import Attributes
from dicom_io.evidence import ReferencedInstance
from dicom_io.product import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MANUFACTURER,
    PRODUCT_NAME,
    RESEARCH_NOTICE,
)
from dicom_io.results.identity import ObjectIdentity
from dicom_io.results.material import Material
from dicom_io.results.source import (
    copy_mandatory,
    copy_optional,
    required,
    value,
)
from dicom_io.results.text import long_string
from dicom_io.uid import derive_uid

UNICODE = "ISO_IR 192"
_OFFSET = re.compile(r"([+-])(\d{2})([0-5]\d)", re.ASCII)
_WESTMOST, _EASTMOST = timedelta(hours=-12), timedelta(hours=14)
"""The range of Timezone Offset From UTC (0008,0201)."""
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = (
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_ACQUISITION = (
    "InstitutionName",
    "StationName",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
)


def begin(material: Material, sop_class_uid: str, identity: ObjectIdentity) -> Dataset:
    """Return a data set with the modules common to all result objects.

    Patient (C.7.1.1), General Study (C.7.2.1), series attributes, Enhanced
    General Equipment (C.7.5.2) and SOP Common (C.12.1). Raises NotEncodable.
    """
    ds = Dataset()
    ds.SpecificCharacterSet = UNICODE
    _add_patient_and_study(ds, material)
    ds.SeriesInstanceUID = identity.series_instance_uid
    ds.SeriesNumber = identity.series_number
    ds.SeriesDescription = identity.series_description
    ds.SOPClassUID = sop_class_uid
    ds.SOPInstanceUID = identity.sop_instance_uid
    ds.InstanceNumber = 1
    _add_equipment(ds, material)
    ds.InstanceCreationDate, ds.InstanceCreationTime = moment(material)
    ds.ContentQualification = "RESEARCH"
    return ds


def moment(material: Material) -> tuple[str, str]:
    """Return the date (DA) and time (TM) of creation that the ledger recorded.

    In the time zone that the object names, see `time_zone`.
    """
    created = material.context.created_at.astimezone(time_zone(material))
    return created.strftime("%Y%m%d"), created.strftime("%H%M%S.%f")


def time_zone(material: Material) -> timezone:
    """Return the zone of the object's dates and times (PS3.3 C.12.1.1.8).

    That of the source image, whose study date and time are copied; where it names
    none, the zone in which the time of creation was recorded, in whole minutes.
    """
    named = _OFFSET.fullmatch(value(material.header, "TimezoneOffsetFromUTC") or "")
    if named is not None:
        offset = timedelta(hours=int(named[2]), minutes=int(named[3]))
        offset = -offset if named[1] == "-" else offset
        if _WESTMOST <= offset <= _EASTMOST:
            return timezone(offset)
    own = material.context.created_at.utcoffset() or timedelta()
    return timezone(own // timedelta(minutes=1) * timedelta(minutes=1))


def _offset_text(zone: timezone) -> str:
    minutes = zone.utcoffset(None) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{rest:02}"


def code_item(code: Code) -> Dataset:
    """Return an item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def reference(instance: ReferencedInstance) -> Dataset:
    """Return an item of a referenced SOP sequence (PS3.3 10.8)."""
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return item


def part10(ds: Dataset) -> bytes:
    """Return `ds` as a file of PS3.10 7.1, Explicit VR Little Endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    file = BytesIO()
    whole = FileDataset(file, ds, file_meta=meta, preamble=bytes(128))
    dcmwrite(file, whole, enforce_file_format=True)
    return file.getvalue()


def _add_patient_and_study(ds: Dataset, material: Material) -> None:
    header = material.header
    copy_mandatory(header, ds, _PATIENT)
    copy_optional(header, ds, ("IssuerOfPatientID", "PatientAge"))
    ds.StudyInstanceUID = required(header, "StudyInstanceUID")
    copy_mandatory(header, ds, _STUDY)
    copy_optional(header, ds, ("StudyDescription",))
    ds.TimezoneOffsetFromUTC = _offset_text(time_zone(material))


def _add_equipment(ds: Dataset, material: Material) -> None:
    context = material.context
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = PRODUCT_NAME
    ds.DeviceSerialNumber = context.device_uid
    ds.SoftwareVersions = long_string(context.software_version)
    contributing = [_model_equipment(material)]
    if value(material.header, "Manufacturer"):
        contributing.append(_acquisition_equipment(material.header))
    ds.ContributingEquipmentSequence = contributing


def _model_equipment(material: Material) -> Dataset:
    provenance = material.report.provenance
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(codes.PROCESSING_EQUIPMENT)]
    item.Manufacturer = long_string(material.context.model_manufacturer)
    item.ManufacturerModelName = long_string(provenance.model_name)
    item.SoftwareVersions = long_string(provenance.weights_digest)
    # IHE AIR 6.5.3.1: a new Device UID whenever the model changes
    item.DeviceUID = derive_uid("model", provenance.weights_digest)
    item.ContributionDescription = RESEARCH_NOTICE
    return item


def _acquisition_equipment(header: Attributes) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(codes.ACQUISITION_EQUIPMENT)]
    copy_mandatory(header, item, ("Manufacturer",))
    copy_optional(header, item, _ACQUISITION)
    return item
