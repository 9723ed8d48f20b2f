"""The content tree of a structured report -> its sections (PS3.3 A.35)."""

from collections.abc import Iterator

from dicom_io.elements import Attributes
from dicom_io.reports.values import ReportSections
from dicom_io.values import clean_text, codes, items, meanings, text

_MAX_CHARACTERS = 100_000
_SECTIONS = {
    "findings": frozenset({"121070", "121071", "59776-5", "18782-3"}),
    "impression": frozenset({"121072", "121073", "121076", "121077", "19005-8"}),
}
"""Concept names of the two sections: CID 7001, CID 7002, and LOINC."""
_SECTION_WORDS = {
    "findings": (
        *("finding", "befund", "résultat", "constatation", "hallazgo"),
        *("reperti", "referto", "bevinding", "achado"),
    ),
    "impression": (
        *("impression", "conclusi", "beurteilung", "zusammenfassung", "synthèse"),
        *("impresión", "conclusão"),
    ),
}
_LANGUAGE = ("121049", "DCM")
"""Language of Content Item and Descendants (TID 1204)."""


def stated_language(ds: Attributes) -> str | None:
    """Return the language that the root states (RFC 5646), None: it does not."""
    for item in items(ds, "ContentSequence"):
        if _LANGUAGE in codes(item, "ConceptNameCodeSequence"):
            return next((v for v, _ in codes(item, "ConceptCodeSequence")), None)
    return None


def read_sections(ds: Attributes) -> ReportSections:
    """Return the texts of the tree, in order; the observer's context left out."""
    lines = tuple(_lines(ds, None))
    return ReportSections(
        whole=" ".join(words for _, words in lines),
        findings=_joined(lines, "findings"),
        impression=_joined(lines, "impression"),
    )


def _joined(lines: tuple[tuple[str | None, str], ...], section: str) -> str | None:
    return " ".join(words for within, words in lines if within == section) or None


def _lines(holder: Attributes, section: str | None) -> Iterator[tuple[str | None, str]]:
    for item in items(holder, "ContentSequence"):
        if text(item, "RelationshipType") not in ("CONTAINS", "INFERRED FROM", None):
            continue
        within = _section_of(item) or section
        value = clean_text(item, "TextValue", _MAX_CHARACTERS)
        if text(item, "ValueType") == "TEXT" and value is not None:
            yield within, value
        yield from _lines(item, within)


def _section_of(item: Attributes) -> str | None:
    named = {value for value, _ in codes(item, "ConceptNameCodeSequence")}
    words = (meanings(item, "ConceptNameCodeSequence") or "").casefold()
    for section, known in _SECTIONS.items():
        if named & known or any(word in words for word in _SECTION_WORDS[section]):
            return section
    return None
