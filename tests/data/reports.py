"""Builders of reports and evidence for tests; every argument has a default."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_io.coordinates import ImageFrame
from dicom_io.evidence import Evidence, ReferencedInstance, Slot, SlotName
from dicom_io.results.values import ResultContext
from dicom_io.uid import derive_uid
from model.report import (
    Flag,
    FlagKind,
    GroundedPhrase,
    GroundedReport,
    NormalizedBox,
    Provenance,
    Task,
)

DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"

OPACITY = GroundedPhrase(
    text="Focal opacity in the right lower lobe.",
    boxes=(NormalizedBox(x_min=0.2, y_min=0.5, x_max=0.3, y_max=0.65),),
)
EFFUSIONS = GroundedPhrase(
    text="Small bilateral pleural effusions.",
    boxes=(
        NormalizedBox(x_min=0.1, y_min=0.75, x_max=0.25, y_max=0.85),
        NormalizedBox(x_min=0.7, y_min=0.75, x_max=0.85, y_max=0.85),
    ),
)
NO_PNEUMOTHORAX = GroundedPhrase(text="No pneumothorax.")

PROVENANCE = Provenance(
    engine="canned",
    model_name="MAIRA-2",
    weights_digest="ab" * 32,
    adapter_version="0.1.0",
    libraries=(("torch", "2.13.0"),),
    device="cpu",
    dtype="float32",
    crop_side=518,
    max_new_tokens=450,
    prompt_digest="cd" * 32,
    image_digests=(("current_frontal", "ef" * 32),),
    prompt_tokens=1500,
    new_tokens=60,
    seconds=1.5,
)


def provenance(crop_side: int = 518) -> Provenance:
    """How a report of these tests says that it came about."""
    return replace(PROVENANCE, crop_side=crop_side)


def report(
    phrases: Sequence[GroundedPhrase] = (OPACITY, EFFUSIONS, NO_PNEUMOTHORAX),
    *,
    task: Task = Task.GROUNDED_FINDINGS,
    flags: Sequence[FlagKind] = (),
    phrase: str | None = None,
) -> GroundedReport:
    """Three sentences, three boxes."""
    return GroundedReport(
        task=task,
        text=" ".join(said.text for said in phrases),
        phrases=tuple(phrases),
        flags=tuple(Flag(kind=kind) for kind in flags),
        provenance=PROVENANCE,
        phrase=phrase,
    )


def instance(
    name: str, *, study: str = "study", sop_class_uid: str = DX_FOR_PRESENTATION
) -> ReferencedInstance:
    """An instance in a series of its own; its UIDs are derived from the names."""
    return ReferencedInstance(
        study_instance_uid=derive_uid("test", study),
        series_instance_uid=derive_uid("test", study, name, "series"),
        sop_class_uid=sop_class_uid,
        sop_instance_uid=derive_uid("test", study, name),
    )


def evidence(
    frontal: ReferencedInstance | None = None,
    *,
    rows: int = 1000,
    columns: int = 800,
    with_prior: bool = False,
) -> Evidence:
    """A frontal and a lateral image; `with_prior` adds an earlier film and report."""
    seen = frontal or instance("frontal")
    lateral = replace(
        seen,
        series_instance_uid=derive_uid("test", "lateral series"),
        sop_instance_uid=derive_uid("test", "lateral"),
    )
    prior = instance("frontal", study="prior")
    prior_report = instance("report", study="prior", sop_class_uid=BASIC_TEXT_SR)
    return Evidence(
        frontal=seen,
        frame=ImageFrame(rows=rows, columns=columns),
        rendering="as-trained",
        lateral=lateral,
        prior_images=(prior,) if with_prior else (),
        prior_report=prior_report if with_prior else None,
        slots=(
            Slot(
                name=SlotName.CURRENT_FRONTAL,
                filled=True,
                reason="View Position PA",
                instance=seen,
            ),
            Slot(
                name=SlotName.CURRENT_LATERAL,
                filled=True,
                reason="View Position LL",
                instance=lateral,
            ),
            Slot(
                name=SlotName.PRIOR_FRONTAL,
                filled=with_prior,
                reason="most recent",
                instance=prior if with_prior else None,
            ),
        ),
    )


def context(
    revision: int = 1, predecessors: Sequence[ReferencedInstance] = ()
) -> ResultContext:
    """A run at a fixed time."""
    return ResultContext(
        case_key="0123456789abcdef" * 4,
        revision=revision,
        created_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        device_uid="2.25.123456789",
        model_manufacturer="Microsoft Research",
        software_version="0.1.0",
        predecessors=tuple(predecessors),
    )


def film(*, rows: int = 1000, columns: int = 800, **changes: object) -> Dataset:
    """A chest DX for presentation with a whole header.

    12 bits, a ramp from the left edge to the right. Keywords in `changes` are
    set as they are.
    """
    ds = _header()
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.PixelSpacing = rows, columns, ["0.2", "0.2"]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth = "2048", "4096"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ramp = np.linspace(0, 4095, columns).astype("<u2")
    ds.PixelData = np.tile(ramp, (rows, 1)).tobytes()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def film_file(folder: Path, ds: Dataset | None = None) -> Path:
    """Write a film (by default `film()`) and return its path."""
    path = folder / "frontal.dcm"
    (ds if ds is not None else film()).save_as(path, enforce_file_format=True)
    return path


def _header() -> Dataset:
    seen = instance("frontal")
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(seen.sop_class_uid)
    ds.file_meta.MediaStorageSOPInstanceUID = UID(seen.sop_instance_uid)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SOPClassUID = UID(seen.sop_class_uid)
    ds.SOPInstanceUID = UID(seen.sop_instance_uid)
    ds.StudyInstanceUID = seen.study_instance_uid
    ds.SeriesInstanceUID = seen.series_instance_uid
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260101", "101010", "ACC1"
    ds.StudyDescription, ds.StudyID = "Chest PA", "1"
    ds.ReferringPhysicianName = "Referrer^Fictional"
    ds.Modality, ds.Manufacturer, ds.BodyPartExamined = "DX", "Synthetic", "CHEST"
    ds.PatientName, ds.PatientID = "Fictional^Frontal", "FICT-1"
    ds.PatientBirthDate, ds.PatientSex = "19600101", "O"
    ds.PatientOrientation = ["L", "F"]
    return ds
