"""Dataset -> Instance: the one tolerant reader of attributes."""

from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from dicom_io.elements import Attributes
from dicom_io.parsing import ParsedFile, read_file
from dicom_io.values import (
    clean_text,
    clock,
    codes,
    day,
    decimals,
    integer,
    items,
    meanings,
    text,
    texts,
    uid,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientIdentity:
    """Who a study belongs to, as its header says (PS3.3 C.2.2).

    None: the attribute is absent or empty. Values are stripped of the padding
    that their VR ignores and otherwise kept; `patient_id` with several values
    keeps its backslash, so that nobody queries it. `birth_date_text` is what
    stands in place of a birth date and is none, such as 01.05.1950.
    """

    patient_id: str | None
    issuer: str | None
    birth_date: date | None
    sex: str | None
    name: str | None
    birth_date_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What the gateway needs to know of a stored SOP instance.

    Text attributes are None where absent or empty; code sequences are tuples of
    (code value, coding scheme designator). `acquired` prefers Acquisition, then
    Content, then Series, then Study date and time.
    """

    path: Path
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient: PatientIdentity
    modality: str | None
    study_date: date | None
    study_time: time | None
    acquired_date: date | None
    acquired_time: time | None
    accession_number: str | None
    study_description: str | None
    series_description: str | None
    protocol_name: str | None
    body_part: str | None
    view_position: str | None
    view_codes: tuple[tuple[str, str], ...]
    patient_orientation: tuple[str, ...]
    image_type: tuple[str, ...]
    presentation_intent: str | None
    species: str | None
    institution: str | None
    manufacturer: str | None
    model_name: str | None
    device_serial_number: str | None
    instance_number: int | None
    rows: int | None
    columns: int | None
    photometric_interpretation: str | None
    pixel_spacing: tuple[float, float] | None
    quality_control_image: bool
    has_pixels: bool
    reason_for_study: str | None
    requested_procedure: str | None
    acquisition_device_processing: str | None
    patient_history: str | None
    text_values: tuple[tuple[str, str], ...] = ()
    """Other attributes that a rule may quote: (keyword, value)."""

    def text_value(self, keyword: str) -> str | None:
        """Return one of the other attributes, None where it is absent."""
        return dict(self.text_values).get(keyword)


_QUOTED = (
    "ConversionType",
    "PatientAge",
    "PatientBreedDescription",
    "PatientSexNeutered",
    "PerformedProcedureStepDescription",
    "PresentationLUTShape",
    "ReasonForTheRequestedProcedure",
)
_QUOTED_CODES = (
    "AnatomicRegionSequence",
    "PatientBreedCodeSequence",
    "PerformedProtocolCodeSequence",
    "ProcedureCodeSequence",
    "ReasonForRequestedProcedureCodeSequence",
)


def read_instance(path: Path) -> Instance:
    """Read the header of a DICOM file; never its pixel data.

    Dates that are none, wrong VRs, unknown character sets and empty values count
    as absent or are read as well as can be. Raises UnreadableHeader where the
    file cannot be parsed within the limits of `elements` or one of its UIDs is
    missing or none; OSError where the file system fails.
    """
    return to_instance(path, read_file(path))


def to_instance(path: Path, parsed: ParsedFile) -> Instance:
    """Build the value from attributes that were read from `path`."""
    ds = parsed.attributes
    acquired_date, acquired_time = _acquired(ds)
    return Instance(
        path=path,
        transfer_syntax_uid=parsed.transfer_syntax_uid,
        sop_class_uid=uid(ds, "SOPClassUID"),
        sop_instance_uid=uid(ds, "SOPInstanceUID"),
        study_instance_uid=uid(ds, "StudyInstanceUID"),
        series_instance_uid=uid(ds, "SeriesInstanceUID"),
        patient=patient_identity(ds),
        modality=clean_text(ds, "Modality", 16),
        study_date=day(ds, "StudyDate"),
        study_time=clock(ds, "StudyTime"),
        acquired_date=acquired_date,
        acquired_time=acquired_time,
        accession_number=clean_text(ds, "AccessionNumber", 64),
        study_description=clean_text(ds, "StudyDescription"),
        series_description=clean_text(ds, "SeriesDescription"),
        protocol_name=clean_text(ds, "ProtocolName"),
        body_part=clean_text(ds, "BodyPartExamined", 64),
        view_position=clean_text(ds, "ViewPosition", 64),
        view_codes=codes(ds, "ViewCodeSequence"),
        patient_orientation=_orientation(ds),
        image_type=texts(ds, "ImageType"),
        presentation_intent=clean_text(ds, "PresentationIntentType", 64),
        species=_species(ds),
        institution=clean_text(ds, "InstitutionName"),
        manufacturer=clean_text(ds, "Manufacturer"),
        model_name=clean_text(ds, "ManufacturerModelName"),
        device_serial_number=clean_text(ds, "DeviceSerialNumber"),
        instance_number=integer(ds, "InstanceNumber"),
        rows=integer(ds, "Rows"),
        columns=integer(ds, "Columns"),
        photometric_interpretation=clean_text(ds, "PhotometricInterpretation", 64),
        pixel_spacing=_spacing(ds),
        quality_control_image=text(ds, "QualityControlImage") == "YES",
        has_pixels=parsed.has_pixels,
        reason_for_study=clean_text(ds, "ReasonForStudy"),
        requested_procedure=_requested_procedure(ds),
        acquisition_device_processing=clean_text(
            ds, "AcquisitionDeviceProcessingDescription"
        ),
        patient_history=clean_text(ds, "AdditionalPatientHistory", 2048),
        text_values=tuple(_text_values(ds)),
    )


def patient_identity(ds: Attributes) -> PatientIdentity:
    """Read the attributes that say whose data set this is."""
    birth_date = day(ds, "PatientBirthDate")
    return PatientIdentity(
        patient_id=text(ds, "PatientID"),
        issuer=text(ds, "IssuerOfPatientID"),
        birth_date=birth_date,
        birth_date_text=None if birth_date else text(ds, "PatientBirthDate"),
        sex=text(ds, "PatientSex"),
        name=text(ds, "PatientName"),
    )


def identity_key(instance: Instance) -> tuple[object, ...]:
    """Return what must be equal for the same instance in another transfer syntax.

    Two instances with one SOP Instance UID and different keys are a conflict;
    with equal keys, `pixels.pixel_digest` decides.
    """
    return (
        instance.sop_class_uid,
        instance.sop_instance_uid,
        instance.study_instance_uid,
        instance.series_instance_uid,
        instance.patient,
        instance.modality,
        instance.study_date,
        instance.study_time,
        instance.accession_number,
        instance.instance_number,
        instance.rows,
        instance.columns,
        instance.view_position,
        instance.patient_orientation,
        instance.has_pixels,
    )


def _acquired(ds: Attributes) -> tuple[date | None, time | None]:
    """Return the first date that is there, with the time of the same kind."""
    for kind in ("Acquisition", "Content", "Series", "Study"):
        found = day(ds, f"{kind}Date")
        if found is not None:
            return found, clock(ds, f"{kind}Time")
    return None, clock(ds, "AcquisitionTime")


def _orientation(ds: Attributes) -> tuple[str, ...]:
    values = texts(ds, "PatientOrientation")
    return values if any(values) else ()


def _spacing(ds: Attributes) -> tuple[float, float] | None:
    """Return Pixel Spacing in mm; 0 and negative values occur and mean nothing."""
    spacing = decimals(ds, "PixelSpacing")
    if len(spacing) != 2 or min(spacing) <= 0:
        return None
    return spacing[0], spacing[1]


def _species(ds: Attributes) -> str | None:
    """Return the species in words, or else its first code."""
    described = clean_text(ds, "PatientSpeciesDescription")
    named = described or meanings(ds, "PatientSpeciesCodeSequence")
    coded = codes(ds, "PatientSpeciesCodeSequence")
    return named or (coded[0][0] if coded else None)


def _requested_procedure(ds: Attributes) -> str | None:
    for holder in (ds, *items(ds, "RequestAttributesSequence")):
        described = clean_text(holder, "RequestedProcedureDescription")
        if described is not None:
            return described
    return None


def _text_values(ds: Attributes) -> list[tuple[str, str]]:
    """Collect what rules may quote, request attributes included."""
    found: dict[str, str] = {}
    for holder in (ds, *items(ds, "RequestAttributesSequence")):
        for keyword in _QUOTED:
            _keep(found, keyword, clean_text(holder, keyword))
        for keyword in _QUOTED_CODES:
            _keep(found, keyword, meanings(holder, keyword))
    return sorted(found.items())


def _keep(found: dict[str, str], keyword: str, value: str | None) -> None:
    if value is not None:
        found.setdefault(keyword, value)
