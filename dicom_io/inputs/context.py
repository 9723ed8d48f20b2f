"""Views + Prior -> Case: the model's inputs, and the evidence behind each."""

from collections.abc import Iterator
from dataclasses import dataclass

from dicom_io.coordinates import (
    ImageFrame,
    Orientation,
    Projection,
    cropped_share,
    orient,
    orientation_of,
)
from dicom_io.errors import UnreadablePixels, UnsupportedImage
from dicom_io.evidence import Evidence, reference
from dicom_io.header import Instance
from dicom_io.inputs.film import PictureFault, find_fault
from dicom_io.inputs.history import History
from dicom_io.inputs.prior import Prior
from dicom_io.inputs.refusal import Declined, DeclineReason
from dicom_io.inputs.sections import read_sections
from dicom_io.inputs.slots import UsedImages, fill_slots
from dicom_io.inputs.view import Views
from dicom_io.options import PictureOptions, Rendering
from dicom_io.pictures.handover import FILMS
from model.report import GreyImage, ReportInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is read, and what it rests on. The arrays are never stored."""

    inputs: ReportInputs
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """A decoded image, upright, with how it lies in the stored one."""

    instance: Instance
    pixels: GreyImage
    frame: ImageFrame
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pictures:
    """The three pictures; `notes` says why one is missing."""

    frontal: _Picture
    lateral: _Picture | None
    prior: _Picture | None
    notes: tuple[str, ...]


def assemble(
    views: Views, history: History, options: PictureOptions
) -> Case | Declined:
    """Decode the pictures, write the texts, and say what filled each input.

    A frontal image that cannot be decoded, made upright or that has no contrast
    at all declines the study. A lateral or prior image with the same fault is
    left out with a note.
    """
    prior = history.prior
    frontal = _take_picture(views.frontal, Projection.FRONTAL, options)
    if isinstance(frontal, Declined):
        return frontal
    lateral, lost_lateral = _optional(views.lateral, Projection.LATERAL, options)
    prior_frontal, lost_prior = _optional(
        None if prior is None else prior.frontal, Projection.FRONTAL, options
    )
    pictures = _Pictures(
        frontal=frontal,
        lateral=lateral,
        prior=prior_frontal,
        notes=(*lost_lateral, *lost_prior),
    )
    return _case(views, history, pictures, options.rendering)


def _take_picture(
    instance: Instance, projection: Projection, options: PictureOptions
) -> _Picture | Declined:
    uid = instance.sop_instance_uid
    orientation = orientation_of(instance.patient_orientation, projection)
    if orientation is None:
        detail = f"{uid}: Patient Orientation does not tell which side is up"
        return Declined(reason=DeclineReason.UNSUPPORTED_ORIENTATION, detail=detail)
    try:
        stored = FILMS.take(instance.path, options.rendering, options.limits)
    except (UnreadablePixels, UnsupportedImage) as error:
        detail = f"{uid}: {error}"
        return Declined(reason=DeclineReason.UNREADABLE_PIXELS, detail=detail)
    fault = find_fault(stored)
    if fault is PictureFault.CONSTANT:
        detail = f"{uid}: all pixels are equal"
        return Declined(reason=DeclineReason.CONSTANT_IMAGE, detail=detail)
    rows, columns = stored.shape
    return _Picture(
        instance=instance,
        pixels=orient(stored, orientation),
        frame=ImageFrame(rows=rows, columns=columns, orientation=orientation),
        notes=tuple(_odd(instance, orientation, fault)),
    )


def _optional(
    instance: Instance | None, projection: Projection, options: PictureOptions
) -> tuple[_Picture | None, tuple[str, ...]]:
    """Return the picture, or None with a note on why there is none."""
    if instance is None:
        return None, ()
    picture = _take_picture(instance, projection, options)
    if isinstance(picture, Declined):
        return None, (f"left out: {picture.reason}, {picture.detail}",)
    return picture, ()


def _odd(
    instance: Instance, orientation: Orientation, fault: PictureFault | None
) -> Iterator[str]:
    """Yield what a reader of the report should know of one picture."""
    uid = instance.sop_instance_uid
    if orientation != Orientation():
        yield f"{uid}: turned upright by Patient Orientation"
    if fault is not None:
        yield f"{uid}: {fault}"
    shape = instance.text_value("PresentationLUTShape")
    if shape is not None:
        inverse = instance.photometric_interpretation == "MONOCHROME1"
        if (shape == "INVERSE") is not inverse:
            yield f"{uid}: Presentation LUT Shape contradicts the photometry"


def _case(
    views: Views, history: History, pictures: _Pictures, rendering: Rendering
) -> Case:
    prior = history.prior
    # the model's prompt holds a prior report beside its image or not at all
    usable = prior if pictures.prior is not None else None
    report = None if usable is None else usable.report
    used = UsedImages(
        frontal=views.frontal,
        lateral=_instance(pictures.lateral),
        prior=_instance(pictures.prior),
    )
    sections = read_sections(used.frontal, used.lateral, usable, history.orders)
    inputs = ReportInputs(
        current_frontal=pictures.frontal.pixels,
        current_lateral=_pixels(pictures.lateral),
        prior_frontal=_pixels(pictures.prior),
        prior_report=None if report is None else report.text,
        indication=sections.indication,
        technique=sections.technique,
        comparison=sections.comparison,
    )
    evidence = Evidence(
        frontal=reference(used.frontal),
        frame=pictures.frontal.frame,
        rendering=rendering.value,
        lateral=None if used.lateral is None else reference(used.lateral),
        prior_images=() if used.prior is None else (reference(used.prior),),
        prior_report=None if report is None else report.instance,
        slots=fill_slots(views, history, used, sections),
        notes=tuple(_notes(views, prior, pictures)),
    )
    return Case(inputs=inputs, evidence=evidence)


def _instance(picture: _Picture | None) -> Instance | None:
    return None if picture is None else picture.instance


def _pixels(picture: _Picture | None) -> GreyImage | None:
    return None if picture is None else picture.pixels


def _notes(views: Views, prior: Prior | None, pictures: _Pictures) -> Iterator[str]:
    """Yield all that was noticed, the study's decisions first."""
    yield from views.reasons
    yield from views.flags
    if prior is not None:
        yield from prior.flags
        yield from () if prior.report is None else prior.report.flags
    for picture in (pictures.frontal, pictures.lateral, pictures.prior):
        yield from () if picture is None else picture.notes
    yield from pictures.notes
    if pictures.prior is None and prior is not None and prior.report is not None:
        document = prior.report.document
        yield f"left out: the prior report {document}, because its image is not usable"
    cropped = cropped_share(pictures.frontal.frame)
    if cropped.sides:
        where = " and ".join(cropped.sides)
        yield f"the model does not see {cropped.share:.1%} of the frontal, {where}"
