"""Who wrote a document: what a device or an algorithm wrote never serves."""

import re
from collections.abc import Iterator

from dicom_io.elements import Attributes
from dicom_io.product import MANUFACTURER, PRODUCT_NAME
from dicom_io.values import codes, items, text

_MEASUREMENT_REPORT = ("126000", "DCM")
_DEVICE_OBSERVER = ("121007", "DCM")
_ALGORITHM_CONCEPTS = frozenset({("111001", "DCM"), ("111003", "DCM")})
"""Algorithm Name and Algorithm Version (TID 4019)."""
_NOT_CLINICAL = frozenset({"RESEARCH", "SERVICE"})
"""Content Qualification (0018,9004)."""
_OWN_NAMES = frozenset({PRODUCT_NAME, MANUFACTURER})
_NAMES_OF_EQUIPMENT = ("Manufacturer", "ManufacturerModelName")
_AI_WORDS = re.compile(
    r"\b(?:AI|CAD|artificial intelligence|deep learning|neural network)\b",
    re.IGNORECASE,
)


def refuse_author(ds: Attributes) -> str | None:
    """Return why no person is the author of a document, or None."""
    equipment = (ds, *items(ds, "ContributingEquipmentSequence"))
    names = {
        text(holder, keyword) or ""
        for holder in equipment
        for keyword in _NAMES_OF_EQUIPMENT
    }
    if names & _OWN_NAMES:
        return "written by this gateway"
    if any(_AI_WORDS.search(name) for name in names):
        return "its equipment is named as artificial intelligence"
    if text(ds, "ContentQualification") in _NOT_CLINICAL:
        return "its content is qualified as not clinical"
    if _MEASUREMENT_REPORT in codes(ds, "ConceptNameCodeSequence"):
        return "it holds measurements, not a report"
    return _refuse_observer(ds)


def _refuse_observer(ds: Attributes) -> str | None:
    for item in _walk(ds):
        if _ALGORITHM_CONCEPTS & set(codes(item, "ConceptNameCodeSequence")):
            return "an algorithm wrote it"
        if _DEVICE_OBSERVER in codes(item, "ConceptCodeSequence"):
            return "a device observed it, not a person"
    return None


def _walk(holder: Attributes) -> Iterator[Attributes]:
    """Yield all content items; the parser bounds how deep they nest."""
    for item in items(holder, "ContentSequence"):
        yield item
        yield from _walk(item)
