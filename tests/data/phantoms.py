"""Phantom studies as files on disk."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dicom_io.coordinates import PixelBox
from dicom_io.evidence import SlotName
from dicom_io.phantom import (
    PhantomFileOptions,
    Polarity,
    phantom_study_files,
    planted_boxes,
)
from model.phantom.generator import PhantomOptions, make_phantom


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """A phantom study: what the modality sends, and what the archive holds."""

    study_instance_uid: str
    current: list[Path]
    prior: list[Path]
    planted: tuple[PixelBox, ...]

    @property
    def frontal(self) -> Path:
        return self.current[0]


def phantom_files(
    folder: Path,
    *,
    seed: int,
    salt: str = "",
    short_side: int = 420,
    with_lateral: bool = True,
    with_prior: bool = True,
    polarity: Polarity = Polarity.MONOCHROME2,
    study_date: date = date(2026, 1, 15),
) -> Phantom:
    """Write a phantom study with findings below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    study = make_phantom(
        seed,
        PhantomOptions(
            short_side=short_side,
            with_lateral=with_lateral,
            with_prior=with_prior,
            normal=False,
        ),
    )
    options = PhantomFileOptions(polarity=polarity, salt=salt, study_date=study_date)
    paths: dict[SlotName, Path] = {}
    files = phantom_study_files(study, options)
    for file in files:
        paths[file.slot] = folder / f"{file.slot}.dcm"
        paths[file.slot].write_bytes(file.data)
    now = (SlotName.CURRENT_FRONTAL, SlotName.CURRENT_LATERAL)
    return Phantom(
        study_instance_uid=files[0].instance.study_instance_uid,
        current=[path for slot, path in paths.items() if slot in now],
        prior=[path for slot, path in paths.items() if slot not in now],
        planted=planted_boxes(study),
    )
