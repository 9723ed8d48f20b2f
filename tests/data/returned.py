"""Findings as an archive returned them, read by highdicom and not by our reader."""

from collections.abc import Iterator
from dataclasses import dataclass

from highdicom.sr import MeasurementReport, srread
from pydicom import FileDataset
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, EnhancedSRStorage

from dicom_io.coordinates import PixelBox

FINDINGS = Code("59776-5", "LN", "Findings")
FINDING = Code("121071", "DCM", "Finding")
COMMENT = Code("121106", "DCM", "Comment")


@dataclass(frozen=True, kw_only=True)
class Returned:
    """A sentence; `box` in pixels of the image with that UID. None: without a place."""

    sentence: str
    box: PixelBox | None = None
    referenced_sop_instance_uid: str | None = None


def returned_findings(documents: list[FileDataset]) -> list[Returned]:
    """Return the findings of one study: boxes, then sentences without a box.

    Boxes stand in the Comprehensive 3D SR, all sentences in the Enhanced SR.
    """
    boxed: list[Returned] = []
    told: list[str] = []
    for ds in documents:
        if ds.SOPClassUID == Comprehensive3DSRStorage:
            boxed.extend(_regions(ds))
        if ds.SOPClassUID == EnhancedSRStorage:
            told.extend(_sentences(ds))
    located = {each.sentence for each in boxed}
    return [*boxed, *(Returned(sentence=each) for each in told if each not in located)]


def _regions(ds: FileDataset) -> Iterator[Returned]:
    content = srread(str(ds.filename)).content
    assert isinstance(content, MeasurementReport)
    for group in content.get_planar_roi_measurement_groups():
        region = group.roi
        assert region is not None
        columns, rows = region.value[:, 0].tolist(), region.value[:, 1].tolist()
        image = region.ContentSequence[0].ReferencedSOPSequence[0]
        (comment,) = _named(group[0], COMMENT)
        yield Returned(
            sentence=str(comment.TextValue),
            box=PixelBox(
                left=min(columns), top=min(rows), right=max(columns), bottom=max(rows)
            ),
            referenced_sop_instance_uid=str(image.ReferencedSOPInstanceUID),
        )


def _sentences(ds: FileDataset) -> Iterator[str]:
    (heading,) = _named(srread(str(ds.filename)), FINDINGS)
    return (str(item.TextValue) for item in _named(heading, FINDING))


def _named(item: Dataset, name: Code) -> list[Dataset]:
    wanted = name.value, name.scheme_designator
    return [
        child
        for child in item.ContentSequence
        for concept in child.ConceptNameCodeSequence
        if (concept.CodeValue, concept.CodingSchemeDesignator) == wanted
    ]
