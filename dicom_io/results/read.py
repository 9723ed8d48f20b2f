"""Findings and sentences read back from our structured reports.

Plain pydicom, apart from what wrote them, so that a reader sees what an archive
returned. Documents of other makers are read as far as they have the same form.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sr.coding import Code

from dicom_io import codes
from dicom_io.coordinates import PixelBox
from dicom_io.errors import UnreadableHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFinding:
    """One box of a findings SR.

    sentence : whole, without its number; identifier : "Finding 2 box 1/2".
    box : the bounds of the region, in pixels of the referenced image.
    """

    identifier: str
    sentence: str
    tracking_uid: str
    box: PixelBox
    referenced_sop_instance_uid: str


def read_findings(source: Path | bytes) -> tuple[ReadFinding, ...]:
    """Return the boxes of a findings SR (TID 1500), in its order.

    Raises UnreadableHeader when `source` is not such a document.
    """
    root = _document(source)
    return tuple(
        finding
        for measurements in _named(root, codes.IMAGING_MEASUREMENTS)
        for group in _children(measurements)
        if (finding := _finding(group)) is not None
    )


def read_sentences(source: Path | bytes) -> tuple[str, ...]:
    """Return the sentences of a narrative SR (TID 2000), in its order.

    Raises UnreadableHeader when `source` is not an SR document.
    """
    return tuple(
        str(item.TextValue)
        for heading in _named(_document(source), codes.FINDINGS)
        for item in _named(heading, codes.FINDING)
        if item.get("ValueType") == "TEXT"
    )


def _document(source: Path | bytes) -> Dataset:
    try:
        ds = dcmread(BytesIO(source) if isinstance(source, bytes) else source)
    except (InvalidDicomError, OSError, ValueError, KeyError, EOFError) as error:
        raise UnreadableHeader(f"the report cannot be read: {error}") from error
    if ds.get("ValueType") != "CONTAINER":
        raise UnreadableHeader("the data set is not a structured report")
    return ds


def _finding(group: Dataset) -> ReadFinding | None:
    region = next((i for i in _children(group) if i.get("ValueType") == "SCOORD"), None)
    image = next(iter(_children(region)), None) if region else None
    if region is None or image is None:
        return None
    comment = next(_named(group, codes.COMMENT), None)
    identifier = next(_named(group, codes.TRACKING_IDENTIFIER), None)
    tracking = next(_named(group, codes.TRACKING_UNIQUE_IDENTIFIER), None)
    return ReadFinding(
        identifier=str(identifier.TextValue) if identifier else "",
        sentence=str(comment.TextValue) if comment else "",
        tracking_uid=str(tracking.UID) if tracking else "",
        box=_bounds(region),
        referenced_sop_instance_uid=str(
            image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        ),
    )


def _bounds(region: Dataset) -> PixelBox:
    points = [float(number) for number in region.GraphicData]
    columns, rows = points[0::2], points[1::2]
    return PixelBox(
        left=min(columns), top=min(rows), right=max(columns), bottom=max(rows)
    )


def _children(item: Dataset) -> tuple[Dataset, ...]:
    return tuple(item.get("ContentSequence") or ())


def _named(item: Dataset, name: Code) -> Iterator[Dataset]:
    for child in _children(item):
        concept = next(iter(child.get("ConceptNameCodeSequence") or ()), Dataset())
        found = (concept.get("CodeValue"), concept.get("CodingSchemeDesignator"))
        if found == (name.value, name.scheme_designator):
            yield child
