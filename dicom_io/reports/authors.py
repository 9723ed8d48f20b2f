"""Who wrote a document: what a device or an algorithm wrote never serves."""

import re
from collections.abc import Iterator

from dicom_io.elements import Attributes
from dicom_io.product import MANUFACTURER, PRODUCT_NAME
from dicom_io.values import codes, find, items, meanings, text

_MEASUREMENT_REPORT = ("126000", "DCM")
_DEVICE_OBSERVER = ("121007", "DCM")
_ALGORITHM_CONCEPTS = frozenset({("111001", "DCM"), ("111003", "DCM")})
"""Algorithm Name and Algorithm Version (TID 4019)."""
_NOT_CLINICAL = frozenset({"RESEARCH", "SERVICE"})
"""Content Qualification (0018,9004)."""
_OWN_NAMES = frozenset({PRODUCT_NAME, MANUFACTURER})
_NAMES_OF_EQUIPMENT = ("Manufacturer", "ManufacturerModelName")
_SAID_OF_EQUIPMENT = (*_NAMES_OF_EQUIPMENT, "ContributionDescription")
_AI_WORDS = re.compile(
    r"\b(?:AI|CAD)\b|[.-]ai\b"
    r"|(?i:\b(?:artificial intelligence|(?:deep|machine) learning|neural network"
    r"|algorithm)\b)"
)
"""Small letters alone are no sign: "ai" is a word in other languages."""
_MAKING = frozenset({("109100", "DCM"), ("109102", "DCM")})
"""Synthesizing and Processing Equipment (CID 7005): IHE AIR 6.5.3.1 names the
algorithm behind a result by the latter. Those that acquire, digitize, import, modify
or de-identify pass a document on."""
_ALGORITHM_KEYWORDS = (
    "AlgorithmFamilyCodeSequence",
    "AlgorithmNameCodeSequence",
    "AlgorithmName",
)
"""Algorithm Identification Macro (PS3.3 10.16)."""


def refuse_author(ds: Attributes) -> str | None:
    """Return why no person is the author of a document, or None."""
    return (
        _refuse_equipment(ds)
        or _refuse_content(ds)
        or _refuse_author(ds)
        or _refuse_observer(ds)
    )


def _refuse_equipment(ds: Attributes) -> str | None:
    contributing = items(ds, "ContributingEquipmentSequence")
    said = [
        text(holder, keyword) or ""
        for holder in (ds, *contributing)
        for keyword in _SAID_OF_EQUIPMENT
    ]
    purposes = [meanings(e, "PurposeOfReferenceCodeSequence") for e in contributing]
    if _OWN_NAMES & set(said):
        return "written by this gateway"
    if any(_AI_WORDS.search(each or "") for each in (*said, *purposes)):
        return "its equipment is named as artificial intelligence"
    if any(_MAKING & set(_purposes(each)) for each in contributing):
        return "equipment that processes or synthesizes made it"
    return None


def _purposes(equipment: Attributes) -> tuple[tuple[str, str], ...]:
    return codes(equipment, "PurposeOfReferenceCodeSequence")


def _refuse_content(ds: Attributes) -> str | None:
    if text(ds, "ContentQualification") in _NOT_CLINICAL:
        return "its content is qualified as not clinical"
    if _MEASUREMENT_REPORT in codes(ds, "ConceptNameCodeSequence"):
        return "it holds measurements, not a report"
    holders = (ds, *items(ds, "ContributingEquipmentSequence"))
    if any(find(each, k) is not None for each in holders for k in _ALGORITHM_KEYWORDS):
        return "an algorithm wrote it"
    return None


def _refuse_author(ds: Attributes) -> str | None:
    """Look at the Author Observer Sequence: a person among the authors suffices."""
    kinds = {text(each, "ObserverType") for each in items(ds, "AuthorObserverSequence")}
    return "a device is its author" if "DEV" in kinds and "PSN" not in kinds else None


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
