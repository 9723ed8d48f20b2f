"""Phantom studies as DICOM files: what a modality and an archive would hold.

Everything is fictional and marked by Quality Control Image (0028,0300) = YES, the
standard's sign of an image that shows a phantom.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import (
    BasicTextSRStorage,
    DigitalXRayImageStorageForPresentation,
)

from dicom_io import codes
from dicom_io.coordinates import PixelBox
from dicom_io.evidence import ReferencedInstance, SlotName
from dicom_io.results.modules import code_item, part10
from dicom_io.results.sr import container, hierarchy, text
from dicom_io.uid import derive_uid
from model.phantom.generator import PhantomImage, PhantomStudy

FIELD_WIDTH = 350.0
"""Millimetres of detector along the shorter side of an image."""

_LARGEST = 4095
_MANUFACTURER = "Phantom modality"
_READER = "Reader^Fictional"
_GIVEN_NAMES = ("Ada", "Bo", "Cleo", "Dara", "Emil", "Fay", "Gus", "Ida")
_SEXES = ("F", "M", "O")
_REPORT_SERIES = 9


class Polarity(StrEnum):
    """Photometric Interpretation (0028,0004) of the images."""

    MONOCHROME1 = "MONOCHROME1"
    MONOCHROME2 = "MONOCHROME2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomFileOptions:
    """How a phantom study is written.

    `study_date` is that of the current study; the prior is `prior_days` older.
    Another `salt` gives the same study other UIDs, another patient ID and another
    accession number.
    """

    polarity: Polarity = Polarity.MONOCHROME2
    study_date: date = date(2026, 1, 15)
    prior_days: int = 180
    salt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomFile:
    """One instance; `data` is a whole Part 10 file.

    `slot` is the input of the model that the instance is meant to fill.
    """

    slot: SlotName
    instance: ReferencedInstance
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What distinguishes the frontal from the lateral image."""

    name: str
    position: str
    orientation: tuple[str, str]
    code: Code
    series_number: int


_FRONTAL = _View(
    name="PA",
    position="PA",
    orientation=("L", "F"),
    code=codes.POSTERO_ANTERIOR,
    series_number=1,
)
_LATERAL = _View(
    name="lateral",
    position="LL",
    orientation=("A", "F"),
    code=codes.LATERAL,
    series_number=2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One study of the phantom patient."""

    study: PhantomStudy
    options: PhantomFileOptions
    when: date
    label: str
    description: str

    def uid(self, *what: str) -> str:
        """Derive a UID of this study."""
        return derive_uid(*_keys(self.study, self.options), self.label, *what)


DEFAULT_OPTIONS = PhantomFileOptions()


def phantom_study_files(
    study: PhantomStudy, options: PhantomFileOptions = DEFAULT_OPTIONS
) -> tuple[PhantomFile, ...]:
    """Return the files of a phantom: current images, prior image, prior report.

    Images are DX for presentation, 12 bits stored in 16; the report is a verified
    Basic Text SR by a fictional person. What the study lacks is left out. The same
    arguments give the same bytes.
    """
    return (*_current_files(study, options), *_prior_files(study, options))


def _current_files(
    study: PhantomStudy, options: PhantomFileOptions
) -> list[PhantomFile]:
    views = "PA" if study.current_lateral is None else "PA and lateral"
    visit = _Visit(
        study=study,
        options=options,
        when=options.study_date,
        label="current",
        description=f"Phantom chest {views}",
    )
    files = [_image(SlotName.CURRENT_FRONTAL, study.current_frontal, _FRONTAL, visit)]
    if study.current_lateral is not None:
        files.append(
            _image(SlotName.CURRENT_LATERAL, study.current_lateral, _LATERAL, visit)
        )
    return files


def _prior_files(study: PhantomStudy, options: PhantomFileOptions) -> list[PhantomFile]:
    if study.prior_frontal is None or study.prior_report is None:
        return []
    visit = _Visit(
        study=study,
        options=options,
        when=options.study_date - timedelta(days=options.prior_days),
        label="prior",
        description="Phantom chest PA",
    )
    frontal = _image(SlotName.PRIOR_FRONTAL, study.prior_frontal, _FRONTAL, visit)
    return [frontal, _report(study.prior_report, frontal.instance, visit)]


def _keys(study: PhantomStudy, options: PhantomFileOptions) -> tuple[str, ...]:
    return ("phantom", str(study.seed), options.polarity.value, options.salt)


def _image(
    slot: SlotName, image: PhantomImage, view: _View, visit: _Visit
) -> PhantomFile:
    ds = _begin(visit, str(DigitalXRayImageStorageForPresentation), view.name)
    ds.Modality, ds.SeriesNumber = "DX", view.series_number
    ds.SeriesDescription = f"Chest {view.name}"
    _add_view(ds, view)
    _add_request(ds, visit)
    _add_pixels(ds, image, visit.options.polarity)
    return _file(slot, ds)


def _begin(visit: _Visit, sop_class_uid: str, what: str) -> Dataset:
    # Patient, General Study, General Equipment, SOP Common
    seed, when = visit.study.seed, visit.when.strftime("%Y%m%d")
    key = derive_uid(*_keys(visit.study, visit.options)).removeprefix("2.25.")
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = f"Phantom^{_GIVEN_NAMES[seed % len(_GIVEN_NAMES)]}"
    ds.PatientID, ds.IssuerOfPatientID = f"PHANTOM-{key[:12]}", "PHANTOM"
    ds.PatientBirthDate = f"{1940 + seed % 60}0701"
    ds.PatientSex = _SEXES[seed % len(_SEXES)]
    ds.StudyInstanceUID = visit.uid("study")
    ds.StudyDescription, ds.StudyID = visit.description, "1"
    ds.AccessionNumber = visit.uid("accession").removeprefix("2.25.")[:12]
    ds.ReferringPhysicianName = ""
    for keyword in ("StudyDate", "SeriesDate", "ContentDate", "InstanceCreationDate"):
        setattr(ds, keyword, when)
    for keyword in ("StudyTime", "SeriesTime", "ContentTime", "InstanceCreationTime"):
        setattr(ds, keyword, "101500")
    ds.Manufacturer, ds.ManufacturerModelName = _MANUFACTURER, "Drawn phantom"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "1", "1"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, visit.uid(what, "instance")
    ds.SeriesInstanceUID = visit.uid(what, "series")
    ds.InstanceNumber = 1
    return ds


def _add_view(ds: Dataset, view: _View) -> None:
    # DX Anatomy Imaged, DX Positioning (PS3.3 C.8.11.2, C.8.11.5)
    ds.BodyPartExamined, ds.ImageLaterality = "CHEST", "U"
    ds.AnatomicRegionSequence = [code_item(codes.CHEST)]
    ds.PatientOrientation, ds.ViewPosition = list(view.orientation), view.position
    view_code = code_item(view.code)
    view_code.ViewModifierCodeSequence = []
    ds.ViewCodeSequence = [view_code]
    ds.PositionerType = ""


def _add_request(ds: Dataset, visit: _Visit) -> None:
    order = Dataset()
    order.RequestedProcedureID = order.ScheduledProcedureStepID = "1"
    order.RequestedProcedureDescription = visit.description
    if visit.label == "current" and visit.study.indication is not None:
        order.ReasonForTheRequestedProcedure = visit.study.indication[:64]
    ds.RequestAttributesSequence = [order]


def _add_pixels(ds: Dataset, image: PhantomImage, polarity: Polarity) -> None:
    # Image Pixel, DX Image, DX Detector, VOI LUT (PS3.3 C.7.6.3, C.8.11.3, C.8.11.4)
    rows, columns = image.shape
    inverse = polarity is Polarity.MONOCHROME1
    stored = _LARGEST - image if inverse else image
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.QualityControlImage, ds.BurnedInAnnotation = "YES", "NO"
    ds.AcquisitionContextSequence = []
    spacing = f"{FIELD_WIDTH / min(rows, columns):.4f}"
    ds.DetectorType, ds.ImagerPixelSpacing = "", [spacing, spacing]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, polarity.value
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = 1 if inverse else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    ds.LossyImageCompression = "00"
    ds.WindowCenter, ds.WindowWidth = "2048", "4096"
    ds.PixelData = np.ascontiguousarray(stored, "<u2").tobytes()


def _report(content: str, image: ReferencedInstance, visit: _Visit) -> PhantomFile:
    ds = _begin(visit, str(BasicTextSRStorage), "report")
    ds.Modality, ds.SeriesNumber = "SR", _REPORT_SERIES
    ds.SeriesDescription = "Phantom radiology report"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "VERIFIED"
    verifier = Dataset()
    verifier.VerifyingObserverName = _READER
    verifier.VerifyingOrganization = "Fictional Hospital"
    verifier.VerificationDateTime = f"{ds.ContentDate}{ds.ContentTime}"
    verifier.VerifyingObserverIdentificationCodeSequence = []
    ds.VerifyingObserverSequence = [verifier]
    ds.CurrentRequestedProcedureEvidenceSequence = hierarchy((image,))
    ds.update(_report_content(content))
    return _file(SlotName.PRIOR_REPORT, ds)


def _report_content(content: str) -> sr.ContainerContentItem:
    person = sr.ObserverContext(
        observer_type=sr.CodedConcept.from_code(codes.PERSON),
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
            name=_READER
        ),
    )
    return container(
        codes.DIAGNOSTIC_IMAGING_REPORT,
        [
            *sr.ObservationContext(observer_person_context=person),
            container(codes.FINDINGS, [text(codes.FINDING, content)]),
        ],
        template_id="2000",
    )


def _file(slot: SlotName, ds: Dataset) -> PhantomFile:
    instance = ReferencedInstance(
        study_instance_uid=str(ds.StudyInstanceUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        sop_class_uid=str(ds.SOPClassUID),
        sop_instance_uid=str(ds.SOPInstanceUID),
    )
    return PhantomFile(slot=slot, instance=instance, data=part10(ds))


def planted_boxes(study: PhantomStudy) -> tuple[PixelBox, ...]:
    """Return where the findings of the current frontal were planted."""
    boxes = (finding.box for finding in study.findings if finding.box is not None)
    return tuple(
        PixelBox(left=box[0], top=box[1], right=box[2], bottom=box[3]) for box in boxes
    )
