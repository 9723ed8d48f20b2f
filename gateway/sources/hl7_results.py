"""Observation reports of HL7 v2 (ORU^R01, chapter 7) -> reports as values; pure."""

from collections.abc import Mapping

from dicom_io.options import ReportSource
from dicom_io.reports.values import OutsideReport
from dicom_io.uid import is_uid
from gateway.errors import UnreadableMessage
from gateway.sources.hl7_values import (
    accession_number,
    joined,
    moment,
    patient_of,
    sender_of,
    short,
)
from gateway.sources.segments import Message, Segment

Results = tuple[tuple[OutsideReport, ...], tuple[str, ...]]
"""Reports to keep, and the documents of those that were withdrawn."""


_FINAL = frozenset("FCA")
_WITHDRAWN = frozenset("DWX")
"""OBR-25 (table 0123) and OBX-11 (table 0085); every other one is preliminary."""


def read_results(message: Message) -> Results:
    """Read the observation reports of an ORU^R01 (chapter 7.3.1).

    Raises UnreadableMessage where nothing of it can be kept.
    """
    reports: list[OutsideReport] = []
    dropped: list[str] = []
    for group in message.groups("OBR"):
        document = _document(group[0])
        status = _status(group)
        text = _text(group)
        if status in _WITHDRAWN:
            dropped.append(document)
        elif text:
            reports.append(_report(message, group, document, text))
    if not reports and not dropped:
        raise UnreadableMessage("no OBX holds text")
    return tuple(reports), tuple(dropped)


def _report(
    message: Message, group: tuple[Segment, ...], document: str, text: str
) -> OutsideReport:
    request, study = group[0], _study_uid(message, group)
    accession = accession_number(message, group[0])
    if accession is None and study is None:
        raise UnreadableMessage("neither accession number nor study UID")
    return OutsideReport(
        source=ReportSource.HL7,
        document=document,
        patient=patient_of(message),
        accession_number=accession,
        study_instance_uid=study,
        text=text,
        is_final=_status(group) in _FINAL,
        written_at=moment(request, 22) or moment(request, 7),
        written_by_device=_is_by_device(group),
        language=short(message.header.component(19, 1)) or None,
        sender=sender_of(message.header),
    )


def _document(request: Segment) -> str:
    """Name a report by its filler order number (OBR-3), or else the placer's."""
    for field in (3, 2, 18):
        named = joined(request, field)
        if named:
            return named
    raise UnreadableMessage("OBR has no order number")


def _status(group: tuple[Segment, ...]) -> str:
    """Return OBR-25, or where it is empty the weakest OBX-11 of the group.

    Without both the report counts as preliminary.
    """
    stated = group[0].component(25, 1).upper()
    observed = [s.component(11, 1).upper() for s in _texts(group)]
    if stated:
        return stated
    if observed and all(each in _WITHDRAWN for each in observed):
        return observed[0]
    kept = [each for each in observed if each not in _WITHDRAWN]
    return "F" if kept and all(each in _FINAL for each in kept) else "P"


_TEXT_TYPES = frozenset({"TX", "FT", "ST"})


def _texts(group: tuple[Segment, ...]) -> list[Segment]:
    """Return the observations in words: text, and not the study's name."""
    return [
        each
        for each in group
        if each.name == "OBX"
        and each.component(2, 1).upper() in _TEXT_TYPES
        and each.component(3, 1) not in _UID_CODES
    ]


def _text(group: tuple[Segment, ...]) -> str:
    """Return the words in their order, a heading where OBX-3 changes to one."""
    lines: list[str] = []
    heading: str | None = None
    for each in _texts(group):
        if each.component(11, 1).upper() in _WITHDRAWN:
            continue
        said = each.text(5).strip()
        heading, changed = _heading(each), heading
        if said and heading and heading != changed:
            lines.append(f"{heading.upper()}:")
        lines += [said] if said else []
    return "\n".join(lines)


_HEADINGS: Mapping[str, str] = {
    "GDT": "Findings",
    "IMP": "Impression",
    "REC": "Recommendation",
    "18782-3": "Findings",
    "59776-5": "Findings",
    "19005-8": "Impression",
    "18785-6": "Indication",
    "18779-9": "Comparison",
    "55111-9": "Technique",
}
"""OBX-3: suffixes of chapter 7.2.4, and LOINC."""


def _heading(observation: Segment) -> str | None:
    """Return the section that OBX-3 names: by suffix, by code, or in words."""
    whole = observation.whole_component(3, 1)
    suffix = whole.rpartition(observation.marks.subcomponent)[2].upper()
    named = _HEADINGS.get(suffix)
    words = observation.component(3, 2).casefold()
    return named or next((n for n in _SECTION_WORDS if n.casefold() == words), None)


_SECTION_WORDS = (
    "Findings",
    "Impression",
    "Indication",
    "Technique",
    "Comparison",
    "Recommendation",
)

_UID_CODES = frozenset({"113014", "110180"})
"""Study Instance UID: DCM codes that IHE and vendors send in OBX-3."""


def _study_uid(message: Message, group: tuple[Segment, ...]) -> str | None:
    """Return the study's UID: OBX with its code, IPC-3, or ZDS-1 (IHE RAD-4).

    In a message about several studies only what follows a request is about it.
    """
    near = group if message.is_about_several else message.segments
    stated = [
        each.component(5, 1)
        for each in group
        if each.name == "OBX" and each.component(3, 1) in _UID_CODES
    ]
    stated += [each.component(3, 1) for each in near if each.name == "IPC"]
    stated += [each.component(1, 1) for each in near if each.name == "ZDS"]
    return next((uid for uid in stated if uid and is_uid(uid)), None)


def _is_by_device(group: tuple[Segment, ...]) -> bool:
    """Whether software wrote it: a device and no person is named.

    OBX-18 names equipment, OBR-32 and OBX-16 people. A single observation that has
    equipment and no person makes the whole report one of a device: it is then not
    given to the model, which is the safe side.
    """
    person = group[0].component(32, 1) or group[0].component(32, 2)
    return not person and any(
        each.component(18, 1) and not each.component(16, 1) for each in _texts(group)
    )
