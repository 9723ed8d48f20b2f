"""Phantom studies under headers as hospitals write them, with the known truth.

The shares are those of 7,469 chest radiograph headers of several hospitals (Indiana
collection): 48 % MONOCHROME1, 35 % without View Position, 8 % of those tagged PA are
laterals, 34 % without body part, 13 % of the DX class while Modality says CR. What a
device writes wrongly it writes wrongly in all its attributes: one wrong button.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_io.header import Instance, read_instance
from dicom_io.inputs.film import Shown
from dicom_io.inputs.looking import Seen, look
from dicom_io.inputs.refusal import Declined
from dicom_io.inputs.view import Views, select_views
from dicom_io.options import Disagreement, PictureOptions, ViewRules
from model.phantom.generator import PhantomImage, PhantomOptions, make_phantom
from tests.data.films import CR, DX

T = TypeVar("T")

_IMAGES = {1: 0.12, 2: 0.834, 3: 0.046}
_TAGS: Mapping[Shown, Mapping[str, float]] = {
    Shown.FRONTAL: {"PA": 0.566, "AP": 0.068, "": 0.366},
    Shown.LATERAL: {
        "": 0.282,
        "PA": 0.167,
        "AP": 0.029,
        "LL": 0.435,
        "LATERAL": 0.070,
        "RL": 0.017,
    },
}
"""View Position given the truth, by Bayes from the shares above."""

_NAMES = {"PA": "CHEST PA", "AP": "CHEST AP PORTABLE", "": "CHEST"}
_ROLL = 4095


class Lie(StrEnum):
    """How a picture lies in its file."""

    UPRIGHT = "upright"
    TURNED = "turned"
    MIRRORED = "mirrored"
    INVERTED = "inverted"


_LIES = {Lie.UPRIGHT: 0.98, Lie.TURNED: 0.01, Lie.MIRRORED: 0.002, Lie.INVERTED: 0.008}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One file and what it truly shows."""

    instance: Instance
    shown: Shown
    lie: Lie


class Outcome(StrEnum):
    """What became of a study."""

    CORRECT = "correct"
    LATERAL_LEFT_OUT = "lateral left out"
    """The frontal is right; a lateral that would have served was not used."""
    DECLINED = "declined"
    WRONG = "wrong"


def draw(rng: np.random.Generator, shares: Mapping[T, float]) -> T:
    """Return a key with the probability of its share."""
    weights = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def write_study(folder: Path, seed: int, short_side: int = 256) -> list[Image]:
    """Write the study of a seed below `folder`; Part 10 files of 16 bits."""
    rng = np.random.default_rng((seed, 5))
    options = PhantomOptions(short_side=short_side, with_lateral=True, with_prior=False)
    phantom = make_phantom(seed, options)
    assert phantom.current_lateral is not None
    pictures = {
        Shown.FRONTAL: phantom.current_frontal,
        Shown.LATERAL: phantom.current_lateral,
    }
    count = draw(rng, _IMAGES)
    views = [Shown.FRONTAL, Shown.LATERAL, Shown.FRONTAL][:count]
    if count == 2 and rng.random() < 0.15:
        views[1] = Shown.FRONTAL
    return [
        _write(folder, rng, f"{seed}.{number}", shown, pictures[shown])
        for number, shown in enumerate(views, 1)
    ]


def _write(
    folder: Path,
    rng: np.random.Generator,
    key: str,
    shown: Shown,
    picture: PhantomImage,
) -> Image:
    lie = draw(rng, _LIES)
    ds = _header(rng, key)
    _add_view(ds, rng, draw(rng, _TAGS[shown]), shown)
    _add_pixels(ds, rng, _lay(picture, lie))
    path = folder / f"{key}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return Image(instance=read_instance(path), shown=shown, lie=lie)


def _header(rng: np.random.Generator, key: str) -> Dataset:
    study = key.partition(".")[0]
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    sop_class, ds.Modality = draw(
        rng, {(CR, "CR"): 0.866, (DX, "CR"): 0.13, (DX, "DX"): 0.004}
    )
    ds.SOPClassUID = UID(sop_class)
    ds.SOPInstanceUID = UID(f"1.2.3.{key}")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.3.{study}", f"1.2.4.{key}"
    ds.PatientID, ds.PatientName = f"P{study}", "Doe^Jane"
    ds.PatientBirthDate, ds.StudyDate, ds.StudyTime = "19500501", "20240302", "1000"
    ds.AcquisitionDate, ds.AcquisitionTime = "20240302", f"10{int(rng.integers(60)):02}"
    ds.StudyDescription = "CHEST 2 VIEWS"
    ds.QualityControlImage = "YES"
    body_part = draw(rng, {"CHEST": 0.66, "": 0.339, "EXTREMETY": 0.001})
    if body_part:
        ds.BodyPartExamined = body_part
    return ds


def _add_view(ds: Dataset, rng: np.random.Generator, tag: str, shown: Shown) -> None:
    """Write the view as the button said it, and the orientation of the device."""
    ds.ViewPosition = tag
    if rng.random() < 0.5:
        ds.SeriesDescription = _NAMES.get(tag, "CHEST LATERAL")
    orientation = draw(rng, {"L\\F": 0.56, "": 0.44})
    honest = shown is Shown.LATERAL and tag not in ("PA", "AP")
    if honest and rng.random() < 0.5:
        orientation = draw(rng, {"A\\F": 0.78, "P\\F": 0.22})
    if orientation:
        ds.PatientOrientation = orientation


def _lay(picture: PhantomImage, lie: Lie) -> PhantomImage:
    if lie is Lie.TURNED:
        return np.rot90(picture)
    if lie is Lie.MIRRORED:
        return picture[:, ::-1]
    return (_ROLL - picture).astype(np.uint16) if lie is Lie.INVERTED else picture


def _add_pixels(ds: Dataset, rng: np.random.Generator, picture: PhantomImage) -> None:
    inverse = rng.random() < 0.48
    stored = _ROLL - picture if inverse else picture
    ds.PhotometricInterpretation = "MONOCHROME1" if inverse else "MONOCHROME2"
    ds.SamplesPerPixel, (ds.Rows, ds.Columns) = 1, picture.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    if rng.random() < 0.55:
        ds.WindowCenter, ds.WindowWidth = "2048", "4096"
    ds.PixelData = np.ascontiguousarray(stored, "<u2").tobytes()


def look_at(images: Sequence[Image]) -> Seen:
    """Read the pixels of a study as the gateway does."""
    return look((), [image.instance for image in images], PictureOptions())


def judge(
    images: Sequence[Image], seen: Seen, policy: Disagreement = Disagreement.DECLINE
) -> tuple[Outcome, str]:
    """Resolve a study as the gateway does; return what became of it, and why."""
    rules = ViewRules(quality_control=True, disagreement=policy)
    chosen = select_views([image.instance for image in images], seen, rules)
    if isinstance(chosen, Declined):
        return Outcome.DECLINED, chosen.detail
    return _compare(images, chosen), "; ".join(chosen.reasons)


def _compare(images: Sequence[Image], chosen: Views) -> Outcome:
    truth = {image.instance.sop_instance_uid: image for image in images}
    frontal = truth[chosen.frontal.sop_instance_uid]
    used = [(frontal, Shown.FRONTAL)]
    if chosen.lateral is not None:
        used.append((truth[chosen.lateral.sop_instance_uid], Shown.LATERAL))
    if any(
        image.shown is not slot or image.lie is not Lie.UPRIGHT for image, slot in used
    ):
        return Outcome.WRONG
    could = any(
        image.shown is Shown.LATERAL and image.lie is Lie.UPRIGHT for image in images
    )
    left_out = could and chosen.lateral is None
    return Outcome.LATERAL_LEFT_OUT if left_out else Outcome.CORRECT
