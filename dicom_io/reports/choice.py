"""The report of a prior study, chosen among documents and messages.

Only what a person wrote serves: a model that reads an AI's words as a
radiologist's would quote itself.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from pydicom.uid import UID, EncapsulatedCDAStorage

from dicom_io.contexts import ENCAPSULATED_CLASSES, REPORT_CLASSES
from dicom_io.documents import read_documents
from dicom_io.elements import Attributes
from dicom_io.errors import UnreadableHeader
from dicom_io.evidence import ReferencedInstance, Rejection
from dicom_io.options import ReportRules, ReportSource
from dicom_io.reports.authors import refuse_author
from dicom_io.reports.encapsulated import extract_text
from dicom_io.reports.language import language_of
from dicom_io.reports.plain import cut_at_word, remove_placeholders, split_sections
from dicom_io.reports.structured import read_sections, stated_language
from dicom_io.reports.values import (
    OutsideReport,
    PriorReport,
    ReportChoice,
    ReportSections,
)
from dicom_io.values import clock, day, items, one_line, text, uid

MAX_REPORT_CHARACTERS = 3000
"""About 700 tokens: room enough for a long report beside three images."""

DEFAULT_RULES = ReportRules()

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A document that may serve; its text is read only when its turn comes."""

    source: ReportSource
    document: str
    is_final: bool
    written: str
    name: str
    refusal: str | None
    path: Path | None = None
    attributes: Attributes | None = None
    words: str = ""
    language: str | None = None


def find_prior_report(
    paths: Sequence[Path],
    outside: Sequence[OutsideReport] = (),
    rules: ReportRules = DEFAULT_RULES,
) -> ReportChoice:
    """Return the report of one prior study, among its files and what was delivered.

    A document that another one names as its predecessor is replaced by that one
    (PS3.3 C.17.2.2). The sources come in the order of `rules.sources`, verified
    documents before others, then the latest. Of a document the findings are taken,
    or else the impression, or else all of its text. Never one of our own, and none
    that a device or an algorithm made.

    The caller has guarded the identity of each file and of each of `outside`.
    """
    candidates = [*_of_files(paths), *(_of_message(each) for each in outside)]
    candidates.sort(key=lambda each: (each.is_final, each.written, each.document))
    candidates.reverse()
    order = {source: rank for rank, source in enumerate(rules.sources)}
    candidates.sort(key=lambda each: order.get(each.source, len(order)))
    best: PriorReport | None = None
    rejected: list[Rejection] = []
    for each in candidates:
        outcome = _outcome(each, best, rules)
        if isinstance(outcome, PriorReport):
            best = outcome
        else:
            rejected.append(Rejection(what=each.document, reason=outcome))
    return ReportChoice(report=best, rejected=tuple(rejected))


def _outcome(
    each: _Candidate, best: PriorReport | None, rules: ReportRules
) -> PriorReport | str:
    """Return the report, or why this one is not used."""
    if each.source not in rules.sources:
        return f"the site takes no report from {each.source.value}"
    if each.refusal is not None:
        return each.refusal
    if best is not None:
        return f"{best.document} comes before it"
    try:
        return _report(each, _sections(each), rules)
    except UnreadableHeader as error:
        return str(error)


def _sections(each: _Candidate) -> ReportSections:
    if each.attributes is not None and each.source is ReportSource.SR:
        return read_sections(each.attributes)
    words = each.words if each.path is None else extract_text(each.path)
    return split_sections(words)


def _report(
    each: _Candidate, sections: ReportSections, rules: ReportRules
) -> PriorReport | str:
    section, words = _preferred(sections)
    line = one_line(words, max(len(words), 1))
    if line is None:
        return "no text in it"
    cleaned = remove_placeholders(line)
    if not cleaned:
        return "most of its words are de-identification placeholders"
    taken = "whole text" if section == "whole" else section
    state = "verified" if each.is_final else "not verified"
    return PriorReport(
        text=cut_at_word(cleaned, rules.max_characters),
        source=each.source,
        document=each.document,
        section=section,
        instance=None if each.attributes is None else _reference(each.attributes),
        reason=f"{taken} of the prior's {each.name}; {state}",
        flags=_flags(language_of(sections.whole, each.language), rules),
    )


def _preferred(sections: ReportSections) -> tuple[str, str]:
    if sections.findings is not None:
        return "findings", sections.findings
    if sections.impression is not None:
        return "impression", sections.impression
    return "whole", sections.whole


def _flags(language: str | None, rules: ReportRules) -> tuple[str, ...]:
    if language is None or language == rules.language:
        return ()
    return (f"the prior report is in another language ({language})",)


def _of_message(report: OutsideReport) -> _Candidate:
    at = report.written_at
    known = at.astimezone(UTC) if at is not None and at.tzinfo is not None else at
    return _Candidate(
        source=report.source,
        document=report.document,
        is_final=report.is_final,
        written="" if known is None else known.replace(tzinfo=None).isoformat(),
        name=f"{report.source.value.upper()} report",
        refusal="a device wrote it" if report.written_by_device else None,
        words=report.text,
        language=report.language,
    )


def _of_files(paths: Sequence[Path]) -> Iterator[_Candidate]:
    known = (*REPORT_CLASSES, *ENCAPSULATED_CLASSES)
    documents = list(read_documents(paths, known))
    replaced = {named for _, ds in documents for named in _predecessors(ds)}
    for path, ds in documents:
        try:
            yield _of_document(path, ds, replaced)
        except UnreadableHeader as error:
            _log.warning("a document of the prior study is not used: %s", error)


def _of_document(path: Path, ds: Attributes, replaced: Collection[str]) -> _Candidate:
    reference = _reference(ds)
    refusal = refuse_author(ds)
    if reference.sop_instance_uid in replaced:
        refusal = "a later document of the study replaces it"
    return _Candidate(
        source=_source(reference.sop_class_uid),
        document=reference.sop_instance_uid,
        is_final=text(ds, "VerificationFlag") == "VERIFIED",
        written=datetime.combine(
            day(ds, "ContentDate") or date.min, clock(ds, "ContentTime") or time.min
        ).isoformat(),
        name=UID(reference.sop_class_uid).name.removesuffix(" Storage"),
        refusal=refusal,
        path=path,
        attributes=ds,
        language=stated_language(ds),
    )


def _source(sop_class_uid: str) -> ReportSource:
    if sop_class_uid in REPORT_CLASSES:
        return ReportSource.SR
    is_cda = sop_class_uid == EncapsulatedCDAStorage
    return ReportSource.CDA if is_cda else ReportSource.PDF


def _predecessors(ds: Attributes) -> Iterator[str]:
    """Yield the SOP Instance UIDs of the documents that this one replaces."""
    for study in items(ds, "PredecessorDocumentsSequence"):
        for series in items(study, "ReferencedSeriesSequence"):
            for item in items(series, "ReferencedSOPSequence"):
                named = text(item, "ReferencedSOPInstanceUID")
                if named is not None and named != text(ds, "SOPInstanceUID"):
                    yield named


def _reference(ds: Attributes) -> ReferencedInstance:
    return ReferencedInstance(
        study_instance_uid=uid(ds, "StudyInstanceUID"),
        series_instance_uid=uid(ds, "SeriesInstanceUID"),
        sop_class_uid=uid(ds, "SOPClassUID"),
        sop_instance_uid=uid(ds, "SOPInstanceUID"),
    )
