"""The presentation state: the boxes as an overlay on the frontal image.

Grayscale Softcopy Presentation State (PS3.3 A.33.1). A viewer that applies it
ignores the image's own photometric interpretation, window and modality LUT
(PS3.4 N.2), so the state repeats them.
"""

import sys

import numpy as np
from highdicom.color import CIELabColor
from highdicom.pr import GraphicLayer, GraphicObject, TextObject
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from dicom_io.elements import Attributes
from dicom_io.product import PRODUCT_NAME, RESEARCH_NOTICE
from dicom_io.results.identity import identify
from dicom_io.results.kinds import ResultKind
from dicom_io.results.labels import NOTICE_AREA, Label, place_labels
from dicom_io.results.material import Material
from dicom_io.results.modules import begin, moment, reference
from dicom_io.results.pixel_shape import pixel_shape
from dicom_io.results.placement import TrackedBox, corners
from dicom_io.results.source import (
    copy_optional,
    decimals,
    first_lut,
    numbers,
    value,
)
from dicom_io.values import integer

LAYER = "MAIRA2"
_GREEN = CIELabColor(87.0, -86.0, 83.0)
_MODALITY_LUT = ("RescaleIntercept", "RescaleSlope", "RescaleType")
_SHUTTER = (
    "ShutterShape",
    "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge",
    "CenterOfCircularShutter",
    "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter",
)


def gsps(material: Material) -> Dataset:
    """Return the presentation state of a report with at least one box.

    Raises NotEncodable.
    """
    identity = identify(ResultKind.GSPS, material.report, material.context)
    ds = begin(material, GrayscaleSoftcopyPresentationStateStorage, identity)
    ds.Modality = "PR"
    # only chest films get here. Their own word for it may be no defined term
    # (THORAX), and then Laterality (0020,0060) is asked for (PS3.3 C.7.3.1)
    ds.BodyPartExamined = "CHEST"
    _add_identification(ds, material)
    _add_relationship(ds, material)
    _add_grey_pipeline(ds, material.header)
    _add_displayed_area(ds, material)
    _add_annotations(ds, material)
    return ds


def _add_identification(ds: Dataset, material: Material) -> None:
    # PS3.3 C.11.10
    ds.ContentLabel = LAYER
    ds.ContentDescription = "MAIRA-2 boxes, research only"
    ds.ContentCreatorName = f"{PRODUCT_NAME}^"
    ds.PresentationCreationDate, ds.PresentationCreationTime = moment(material)


def _add_relationship(ds: Dataset, material: Material) -> None:
    # PS3.3 C.11.11
    series = Dataset()
    series.SeriesInstanceUID = material.evidence.frontal.series_instance_uid
    series.ReferencedImageSequence = [reference(material.evidence.frontal)]
    ds.ReferencedSeriesSequence = [series]
    copy_optional(material.header, ds, _SHUTTER)
    if "ShutterShape" in ds:
        ds.ShutterPresentationValue = (
            integer(material.header, "ShutterPresentationValue") or 0
        )


def _add_grey_pipeline(ds: Dataset, header: Attributes) -> None:
    # Modality LUT (C.11.1), Softcopy VOI LUT (C.11.8), Softcopy Presentation LUT
    # (C.11.6): INVERSE is what keeps a MONOCHROME1 film from being shown inverted
    table = first_lut(header, "ModalityLUTSequence")
    if table is not None:
        ds.ModalityLUTSequence = [table]
    elif value(header, "RescaleSlope"):
        copy_optional(header, ds, _MODALITY_LUT)
        ds.setdefault("RescaleIntercept", "0")
        ds.setdefault("RescaleType", "US")
    voi = _first_voi(header)
    if voi is not None:
        ds.SoftcopyVOILUTSequence = [voi]
    inverse = value(header, "PhotometricInterpretation") == "MONOCHROME1"
    ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"


def _first_voi(header: Attributes) -> Dataset | None:
    # A state shows one picture, so of several windows or tables the first is taken
    # (DCMTK refuses a state with more); the window wins, as in what people are shown
    voi = Dataset()
    centre, width = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if centre and width and width[0] >= _narrowest(header):
        voi.WindowCenter, voi.WindowWidth = decimals((centre[0], width[0]))
        copy_optional(header, voi, ("VOILUTFunction",))
        return voi
    table = first_lut(header, "VOILUTSequence")
    if table is None:
        return None
    voi.VOILUTSequence = [table]
    return voi


def _narrowest(header: Attributes) -> float:
    # PS3.3 C.11.2.1.2.1: a linear window has at least one value; C.11.2.1.3: the
    # others need a width above zero
    other = value(header, "VOILUTFunction") in ("LINEAR_EXACT", "SIGMOID")
    return sys.float_info.min if other else 1.0


def _add_displayed_area(ds: Dataset, material: Material) -> None:
    # PS3.3 C.10.4: pixel numbers, the only pair that counts from 1
    frame = material.evidence.frame
    area = Dataset()
    area.ReferencedImageSequence = [reference(material.evidence.frontal)]
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [frame.columns, frame.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    _add_pixel_shape(area, material.header)
    ds.DisplayedAreaSelectionSequence = [area]


def _add_pixel_shape(area: Dataset, header: Attributes) -> None:
    shape = pixel_shape(header)
    if shape.spacing is not None:
        area.PresentationPixelSpacing = decimals(shape.spacing)
    else:
        area.PresentationPixelAspectRatio = list(shape.ratio)


def _add_annotations(ds: Dataset, material: Material) -> None:
    # PS3.3 C.10.5 and C.10.7
    labels = place_labels(material.findings, material.evidence.frame)
    annotation = Dataset()
    annotation.ReferencedImageSequence = [reference(material.evidence.frontal)]
    annotation.GraphicLayer = LAYER
    annotation.GraphicObjectSequence = [_outline(label.tracked) for label in labels]
    annotation.TextObjectSequence = [
        *map(_label, labels),
        TextObject(RESEARCH_NOTICE.upper(), "DISPLAY", bounding_box=NOTICE_AREA),
    ]
    ds.GraphicAnnotationSequence = [annotation]
    ds.GraphicLayerSequence = [
        GraphicLayer(
            LAYER,
            order=1,
            description="MAIRA-2 boxes, research only",
            display_color=_GREEN,
        )
    ]


def _outline(tracked: TrackedBox) -> GraphicObject:
    return GraphicObject(
        "POLYLINE",
        np.array(corners(tracked.box)),
        "PIXEL",
        tracking_id=tracked.identifier,
        tracking_uid=tracked.tracking_uid,
    )


def _label(label: Label) -> TextObject:
    item = TextObject(
        str(label.finding.number),
        "PIXEL",
        bounding_box=label.area,
        anchor_point=label.anchor,
        text_justification="LEFT",
        tracking_id=label.tracked.identifier,
        tracking_uid=label.tracked.tracking_uid,
    )
    # highdicom refuses a backslash, which ST may hold (PS3.5 6.2)
    item.UnformattedTextValue = label.text
    return item
