"""The capture: boxes and sentences drawn into a picture that every viewer shows.

Colour Secondary Capture (PS3.3 A.8.1). It has no Pixel Spacing: nothing can be
measured in it by mistake.
"""

from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_io import codes
from dicom_io.coordinates import orient, to_upright
from dicom_io.elements import Attributes
from dicom_io.errors import NotEncodable
from dicom_io.evidence import Evidence
from dicom_io.product import RESEARCH_NOTICE
from dicom_io.results.identity import identify
from dicom_io.results.kinds import ResultKind
from dicom_io.results.material import Material
from dicom_io.results.modules import begin, code_item, moment, reference
from dicom_io.results.picture import Drawing, Entry, draw
from dicom_io.results.pixel_shape import pixel_shape
from dicom_io.results.source import copy_optional
from dicom_io.results.wording import NOTHING_SAID, asked_phrase, caveats, notice
from model.report import GreyImage, Task

DERIVATION = (
    "First window or VOI LUT applied, turned upright, scaled; boxes and sentences "
    f"of a model drawn in. {RESEARCH_NOTICE}."
)
_TITLES = {
    Task.FINDINGS: "Findings written by a model",
    Task.GROUNDED_FINDINGS: "Findings located by a model",
    Task.PHRASE_GROUNDING: "A phrase located by a model",
}
_LOSSY = (
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


def capture(material: Material, image: GreyImage) -> Dataset:
    """Return the Secondary Capture of a report, with or without boxes.

    image : the frontal image, (rows, columns) uint8, 0 = black, as stored and in
        the greys in which it is shown to people. Raises NotEncodable as
        `drawing_of` does.
    """
    identity = identify(ResultKind.CAPTURE, material.report, material.context)
    ds = begin(material, SecondaryCaptureImageStorage, identity)
    # for what it is not: an image of a modality that a later step would read
    ds.Modality = "OT"
    ds.BodyPartExamined = "CHEST"
    ds.ConversionType = "WSD"
    ds.ContentDate, ds.ContentTime = moment(material)
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = moment(material)
    _add_general_image(ds, material)
    _add_source(ds, material.evidence)
    _add_pixels(ds, drawing_of(material, image))
    return ds


def drawing_of(material: Material, image: GreyImage) -> Drawing:
    """Return what the picture shows: the film upright, as radiographs are hung.

    Raises NotEncodable where the image is of another size than the frontal image was
    when it was read.
    """
    report, frame = material.report, material.evidence.frame
    if image.shape != (frame.rows, frame.columns):
        raise NotEncodable(
            f"the frontal image has {image.shape[0]} x {image.shape[1]} pixels, the "
            f"report is about {frame.rows} x {frame.columns}"
        )
    located = report.task is not Task.FINDINGS
    entries = tuple(
        Entry(
            number=finding.number,
            sentence=finding.sentence,
            boxes=tuple(to_upright(tracked.box, frame) for tracked in finding.boxes),
        )
        for finding in material.findings
        if located and finding.boxes
    )
    drawn = {entry.number for entry in entries}
    others = tuple(f.sentence for f in material.findings if f.number not in drawn)
    asked = asked_phrase(report)
    return Drawing(
        image=orient(image, frame.orientation),
        entries=entries,
        without_box=others if material.findings else (NOTHING_SAID,),
        title=_TITLES[report.task],
        heading=(notice(report), *((asked,) if asked else ())),
        remarks=caveats(report, material.findings),
        pixel_ratio=pixel_ratio(material.header, turned=frame.orientation.transpose),
    )


def _add_general_image(ds: Dataset, material: Material) -> None:
    # PS3.3 C.7.6.1. Once lossy, always lossy (C.7.6.1.1.5); no Patient Orientation:
    # a picture with a panel of text has none
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.PatientOrientation = ""
    ds.BurnedInAnnotation = "YES"
    ds.ImageComments = notice(material.report)
    copy_optional(material.header, ds, _LOSSY)


def _add_source(ds: Dataset, evidence: Evidence) -> None:
    # General Reference, PS3.3 C.12.4
    source = reference(evidence.frontal)
    source.PurposeOfReferenceCodeSequence = [code_item(codes.SOURCE_IMAGE)]
    ds.SourceImageSequence = [source]
    ds.DerivationDescription = DERIVATION


def _add_pixels(ds: Dataset, drawing: Drawing) -> None:
    # Image Pixel, PS3.3 C.7.6.3: red, green, blue of each pixel in turn
    picture = draw(drawing)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, "RGB"
    ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = picture.height, picture.width
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    values = picture.tobytes()
    # an even number of bytes (PS3.5 8.1.1)
    ds.add_new("PixelData", "OB", values + bytes(len(values) % 2))


def pixel_ratio(header: Attributes, *, turned: bool) -> float:
    """Return the height of an upright pixel divided by its width."""
    shape = pixel_shape(header)
    down, across = shape.spacing or (float(shape.ratio[0]), float(shape.ratio[1]))
    return across / down if turned else down / across
