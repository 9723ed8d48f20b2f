"""The report of a prior study, read from its structured reports (PS3.3 A.35).

Only what a person wrote serves: a model that reads an AI's words as a
radiologist's would quote itself.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from pydicom.uid import UID

from dicom_io.contexts import REPORT_CLASSES
from dicom_io.elements import Attributes
from dicom_io.errors import UnreadableHeader
from dicom_io.evidence import ReferencedInstance, Rejection
from dicom_io.options import ReportRules, ReportSource
from dicom_io.parsing import read_file
from dicom_io.product import MANUFACTURER, PRODUCT_NAME
from dicom_io.reports.values import OutsideReport, PriorReport, ReportChoice
from dicom_io.values import (
    clean_text,
    clock,
    codes,
    day,
    items,
    meanings,
    one_line,
    text,
    uid,
)

MAX_REPORT_CHARACTERS = 3000
"""About 700 tokens: room enough for a long report beside three images."""

DEFAULT_RULES = ReportRules()

_MEASUREMENT_REPORT = ("126000", "DCM")
_DEVICE_OBSERVER = ("121007", "DCM")
_ALGORITHM_CONCEPTS = frozenset({("111001", "DCM"), ("111003", "DCM")})
"""Algorithm Name and Algorithm Version (TID 4019)."""
_NOT_CLINICAL = frozenset({"RESEARCH", "SERVICE"})
"""Content Qualification (0018,9004)."""
_SECTIONS = {
    "findings": frozenset({"121070", "121071", "59776-5", "18782-3"}),
    "impression": frozenset({"121072", "121073", "121076", "121077", "19005-8"}),
}
"""Concept names of the two sections: CID 7001, CID 7002, and LOINC."""
_SECTION_WORDS = {
    "findings": ("finding", "befund"),
    "impression": ("impression", "conclusion", "beurteilung"),
}
_OWN_NAMES = frozenset({PRODUCT_NAME, MANUFACTURER})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A text of the content tree and the section that it stands in."""

    section: str | None
    text: str


def find_prior_report(
    paths: Sequence[Path],
    outside: Sequence[OutsideReport] = (),
    rules: ReportRules = DEFAULT_RULES,
) -> ReportChoice:
    """Return the report among the files of one prior study.

    A document that another one names as its predecessor is replaced by that one
    (PS3.3 C.17.2.2). Verified documents come before others, then the latest. Of a
    document the findings are taken, or else the impression, or else all of its
    text. Never one of our own, and none that a device or an algorithm made.

    The caller has guarded the identity of each file and of each of `outside`.
    """
    _ = outside, rules
    documents = list(_documents(paths))
    replaced = {named for ds in documents for named in _predecessors(ds)}
    found: list[tuple[tuple[bool, date, time, str], PriorReport]] = []
    rejected: list[Rejection] = []
    for ds in documents:
        refusal = _refuse(ds, replaced)
        report = None if refusal else _report(ds)
        if report is None:
            reason = refusal or "no text in it"
            rejected.append(Rejection(what=uid(ds, "SOPInstanceUID"), reason=reason))
        else:
            found.append((_rank(ds), report))
    best = max(found, key=lambda pair: pair[0], default=(None, None))[1]
    return ReportChoice(report=best, rejected=tuple(rejected))


def _documents(paths: Sequence[Path]) -> Iterator[Attributes]:
    for path in paths:
        ds = _read(path)
        if ds is not None and text(ds, "SOPClassUID") in REPORT_CLASSES:
            yield ds


def _predecessors(ds: Attributes) -> Iterator[str]:
    """Yield the SOP Instance UIDs of the documents that this one replaces."""
    for study in items(ds, "PredecessorDocumentsSequence"):
        for series in items(study, "ReferencedSeriesSequence"):
            for item in items(series, "ReferencedSOPSequence"):
                named = text(item, "ReferencedSOPInstanceUID")
                if named is not None and named != text(ds, "SOPInstanceUID"):
                    yield named


def _read(path: Path) -> Attributes | None:
    try:
        return read_file(path).attributes
    except UnreadableHeader as error:
        _log.warning("a file of the prior study is not read: %s", error)
        return None


def _refuse(ds: Attributes, replaced: Collection[str]) -> str | None:
    """Return why a document does not serve, or None."""
    if text(ds, "SOPInstanceUID") in replaced:
        return "a later document of the study replaces it"
    equipment = (ds, *items(ds, "ContributingEquipmentSequence"))
    names = {
        text(holder, keyword)
        for holder in equipment
        for keyword in ("Manufacturer", "ManufacturerModelName")
    }
    if names & _OWN_NAMES:
        return "written by this gateway"
    if text(ds, "ContentQualification") in _NOT_CLINICAL:
        return "its content is qualified as not clinical"
    if _MEASUREMENT_REPORT in codes(ds, "ConceptNameCodeSequence"):
        return "it holds measurements, not a report"
    return _refuse_author(ds)


def _refuse_author(ds: Attributes) -> str | None:
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


def _report(ds: Attributes) -> PriorReport | None:
    lines = tuple(_lines(ds, None))
    for section in (*_SECTIONS, None):
        chosen = [
            line.text for line in lines if section is None or line.section == section
        ]
        joined = one_line(" ".join(chosen), MAX_REPORT_CHARACTERS)
        if joined is not None:
            return PriorReport(
                text=joined,
                source=ReportSource.SR,
                document=uid(ds, "SOPInstanceUID"),
                section=section or "whole",
                instance=_reference(ds),
                reason=f"{section or 'whole text'} of the prior's {_class_name(ds)}",
            )
    return None


def _lines(holder: Attributes, section: str | None) -> Iterator[_Line]:
    """Yield the texts of the tree, in order; context about the observer left out."""
    for item in items(holder, "ContentSequence"):
        if text(item, "RelationshipType") not in ("CONTAINS", "INFERRED FROM", None):
            continue
        within = _section_of(item) or section
        value = clean_text(item, "TextValue", MAX_REPORT_CHARACTERS)
        if text(item, "ValueType") == "TEXT" and value is not None:
            yield _Line(section=within, text=value)
        yield from _lines(item, within)


def _section_of(item: Attributes) -> str | None:
    named = {value for value, _ in codes(item, "ConceptNameCodeSequence")}
    words = (meanings(item, "ConceptNameCodeSequence") or "").casefold()
    for section, known in _SECTIONS.items():
        if named & known or any(word in words for word in _SECTION_WORDS[section]):
            return section
    return None


def _class_name(ds: Attributes) -> str:
    return UID(uid(ds, "SOPClassUID")).name.removesuffix(" Storage")


def _rank(ds: Attributes) -> tuple[bool, date, time, str]:
    return (
        text(ds, "VerificationFlag") == "VERIFIED",
        day(ds, "ContentDate") or date.min,
        clock(ds, "ContentTime") or time.min,
        uid(ds, "SOPInstanceUID"),
    )


def _reference(ds: Attributes) -> ReferencedInstance:
    return ReferencedInstance(
        study_instance_uid=uid(ds, "StudyInstanceUID"),
        series_instance_uid=uid(ds, "SeriesInstanceUID"),
        sop_class_uid=uid(ds, "SOPClassUID"),
        sop_instance_uid=uid(ds, "SOPInstanceUID"),
    )
