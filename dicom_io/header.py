"""Dataset -> Instance: the one tolerant reader of attributes."""

from dataclasses import dataclass
from datetime import date, time
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientIdentity:
    """Who a study belongs to, as its header says (PS3.3 C.2.2).

    None: the attribute is absent or empty. Values are stripped of the padding
    that their VR ignores and otherwise kept; `patient_id` with several values
    keeps its backslash, so that nobody queries it.
    """

    patient_id: str | None
    issuer: str | None
    birth_date: date | None
    sex: str | None
    name: str | None


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
