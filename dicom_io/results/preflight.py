"""The last look at result objects before anything is sent; pure.

Reads the finished files with pydicom alone, apart from what wrote them, and says
what an archive or a viewer would stumble over. An object with a problem never
leaves: its study is parked with the reason.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_io.errors import NotEncodable
from dicom_io.evidence import Evidence, ReferencedInstance
from dicom_io.product import RESEARCH_NOTICE
from dicom_io.results.kinds import ResultKind
from dicom_io.results.values import EncodedInstance, ResultContext

_PRESENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate")
"""Type 2: there, though maybe empty (PS3.5 7.4.3)."""
_FILLED = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "ContributingEquipmentSequence",
)
_MARKS = {
    "ContentQualification": "RESEARCH",
    "VerificationFlag": "UNVERIFIED",
    "PreliminaryFlag": "PRELIMINARY",
}
_SR_KINDS = frozenset(
    {
        ResultKind.FINDINGS_SR,
        ResultKind.FINDINGS_SR_2D,
        ResultKind.NARRATIVE_SR,
        ResultKind.WITHDRAWAL_SR,
    }
)
_LOCATED = frozenset(
    {ResultKind.FINDINGS_SR, ResultKind.FINDINGS_SR_2D, ResultKind.GSPS}
)
_EVIDENCE = (
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
)
_REFERENCED = "ReferencedSOPInstanceUID"
_CLOSED_BOX = 5
"""Points of a rectangle whose first point is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """An object as it was read back, with the texts of its tree and its overlay.

    `elements` are all of it by tag, at any depth; `tree` those below its content.
    """

    kind: ResultKind
    ds: Dataset
    elements: "_Elements"
    tree: "_Elements"
    words: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of one object: what is wrong with it, and what concerns others.

    references : SOP Instance UIDs that it names. outlines : its boxes by tracking UID,
    as (column, row) pairs.
    """

    kind: ResultKind
    problems: tuple[str, ...]
    sop_instance_uid: str
    series_instance_uid: str
    references: frozenset[str]
    outlines: Mapping[str, Sequence[float]]


def demand_sound(
    looks: Sequence[Look],
    evidence: Evidence,
    context: ResultContext,
    withdrawn: Iterable[ReferencedInstance] = (),
) -> None:
    """Raise NotEncodable unless all objects of a report may leave, taken together."""
    named = (*context.predecessors, *withdrawn)
    known = [instance.sop_instance_uid for instance in named]
    problems = problems_among(looks, evidence, known)
    if problems:
        raise NotEncodable("; ".join(problems))


def check_objects(
    objects: Sequence[EncodedInstance], evidence: Evidence, known: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return what is wrong with the objects of one report; empty: they may leave.

    known : SOP Instance UIDs, beside those of the evidence and of the objects, that
        a reference may name: predecessors, withdrawn results.

    Each problem is one line that names the kind of object and, where one is
    concerned, the attribute or UID; never a patient's name.
    """
    return problems_among([look_at(one, evidence) for one in objects], evidence, known)


def look_at(encoded: EncodedInstance, evidence: Evidence) -> Look:
    """Read one object back and look at it, apart from the others of its report."""
    one = _read_back(encoded)
    checks: tuple[Callable[[_Object], Iterator[str]], ...] = (
        _attributes,
        _marks,
        _uids,
        _texts,
        lambda one: _of_study(one, evidence),
        _unlisted,
        lambda one: _coordinates(one, evidence),
    )
    return Look(
        kind=one.kind,
        problems=tuple(problem for check in checks for problem in check(one)),
        sop_instance_uid=str(one.ds.get("SOPInstanceUID")),
        series_instance_uid=str(one.ds.get("SeriesInstanceUID")),
        references=frozenset(map(str, _values(one.elements, _REFERENCED))),
        outlines=_outlines(one) if one.kind in _LOCATED else {},
    )


def problems_among(
    looks: Sequence[Look], evidence: Evidence, known: Iterable[str]
) -> tuple[str, ...]:
    """Return the problems of each object, and those of the objects among each other."""
    resolvable = {*_read_instances(evidence), *known}
    resolvable |= {one.sop_instance_uid for one in looks}
    alone = [
        f"{one.kind}: {problem}"
        for one in looks
        for problem in (*one.problems, *_unresolved(one, resolvable))
    ]
    return (*alone, *_apart(looks), *_agreement(looks))


def _read_back(one: EncodedInstance) -> _Object:
    ds = dcmread(BytesIO(one.data))
    elements = _by_tag([ds])
    return _Object(
        kind=one.kind,
        ds=ds,
        elements=elements,
        tree=_by_tag(ds.get("ContentSequence", ())),
        words=tuple(_words(elements)),
        labels=tuple(_labels(elements)),
    )


def _attributes(one: _Object) -> Iterator[str]:
    for keyword in _FILLED:
        if not one.ds.get(keyword):
            yield f"{keyword} has no value"
    for keyword in _PRESENT:
        if keyword not in one.ds:
            yield f"{keyword} is missing"


def _marks(one: _Object) -> Iterator[str]:
    """Look for what says that this is research and verified by nobody."""
    asked = _MARKS if one.kind in _SR_KINDS else {"ContentQualification": "RESEARCH"}
    for keyword, wanted in asked.items():
        if one.ds.get(keyword) != wanted:
            yield f"{keyword} is not {wanted}"
    if "RESEARCH" not in str(one.ds.get("SeriesDescription", "")):
        yield "SeriesDescription does not say RESEARCH"
    if one.kind is not ResultKind.CAPTURE and not _says_research(one):
        yield "no text says that it is for research only"


def _says_research(one: _Object) -> bool:
    said = RESEARCH_NOTICE.lower()
    return any(said in text.lower() for text in (*one.words, *one.labels))


def _uids(one: _Object) -> Iterator[str]:
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        uid = UID(str(one.ds.get(keyword, "")))
        if not uid.is_valid:
            yield f"{keyword} {uid[:64]!r} is no UID"


def _texts(one: _Object) -> Iterator[str]:
    """Look for texts that are empty, in the tree and in the overlay."""
    for content in (*one.words, *one.labels):
        if not content.strip():
            yield "a text is empty"
    if one.kind in _SR_KINDS and not one.words:
        yield "the document has no text"


def _of_study(one: _Object, evidence: Evidence) -> Iterator[str]:
    if one.ds.get("StudyInstanceUID") != evidence.frontal.study_instance_uid:
        yield "StudyInstanceUID is not that of the image"


def _unresolved(one: Look, resolvable: set[str]) -> Iterator[str]:
    for uid in sorted(one.references - resolvable):
        yield f"refers to {uid}, which was neither read nor made"


def _unlisted(one: _Object) -> Iterator[str]:
    if one.kind in _SR_KINDS:
        tree = {str(uid) for uid in _values(one.tree, _REFERENCED)}
        for uid in sorted(tree - _evidence_of(one.ds)):
            yield f"{uid} stands in the tree and not among the evidence"


def _coordinates(one: _Object, evidence: Evidence) -> Iterator[str]:
    """Look for outlines that are no rectangle inside the image (PS3.3 C.18.6.1.1)."""
    frame = evidence.frame
    for points in _outlines(one).values():
        columns, rows = points[0::2], points[1::2]
        if not all(map(math.isfinite, points)):
            yield "a coordinate is not a number"
        elif len(points) != 2 * _CLOSED_BOX or points[:2] != points[-2:]:
            yield "an outline is not closed"
        elif min(points) < 0 or max(columns) > frame.columns or max(rows) > frame.rows:
            yield "an outline leaves the image"
        elif min(columns) == max(columns) or min(rows) == max(rows):
            yield "an outline has no area"


def _apart(looks: Sequence[Look]) -> Iterator[str]:
    """Each object is one, in a series of its own."""
    shared = {
        "SOPInstanceUID": {one.sop_instance_uid for one in looks},
        "SeriesInstanceUID": {one.series_instance_uid for one in looks},
    }
    for keyword, uids in shared.items():
        if len(uids) < len(looks):
            yield f"two objects share their {keyword}"


def _agreement(looks: Sequence[Look]) -> Iterator[str]:
    """SR and presentation state draw the same boxes under the same tracking UIDs."""
    located = [one for one in looks if one.kind in _LOCATED]
    for one in located[1:]:
        if one.outlines != located[0].outlines:
            yield f"{one.kind} and {located[0].kind} differ in their boxes"


def _outlines(one: _Object) -> dict[str, list[float]]:
    """Return the outlines by their tracking UID, as (column, row) pairs."""
    if one.kind is ResultKind.GSPS:
        return {
            str(item.get("TrackingUID", "")): [
                float(number) for number in item.GraphicData
            ]
            for item in _items(one.elements, "GraphicObjectSequence")
        }
    return {
        _tracking_uid(group): [float(number) for number in region.GraphicData]
        for group in _items(one.elements, "ContentSequence")
        for region in group.get("ContentSequence", ())
        if region.get("ValueType") == "SCOORD"
    }


def _tracking_uid(group: Dataset) -> str:
    return next((str(c.UID) for c in group.ContentSequence if "UID" in c), "")


def _words(elements: "_Elements") -> Iterator[str]:
    for item in _items(elements, "ContentSequence"):
        if item.get("ValueType") == "TEXT":
            yield str(item.get("TextValue", ""))


def _labels(elements: "_Elements") -> Iterator[str]:
    for item in _items(elements, "TextObjectSequence"):
        yield str(item.get("UnformattedTextValue", ""))


def _evidence_of(ds: Dataset) -> set[str]:
    return {
        str(uid)
        for keyword in _EVIDENCE
        for uid in _values(_by_tag(ds.get(keyword, ())), _REFERENCED)
    }


_Elements = Mapping[int, Sequence[Dataset]]


def _by_tag(items: Iterable[Dataset]) -> _Elements:
    """Sort data sets by the tags that they have, those of their items included.

    Once for each object, and of the values the items of sequences alone: to convert
    what nobody looks at would be half of what the last look costs.
    """
    found: defaultdict[int, list[Dataset]] = defaultdict(list)
    waiting = list(items)[::-1]
    while waiting:
        inner: list[Dataset] = []
        ds = waiting.pop()
        for element in ds.values():
            found[element.tag].append(ds)
            if element.VR == "SQ":
                inner += ds[element.tag].value
        waiting += inner[::-1]
    return found


def _items(elements: _Elements, keyword: str) -> Iterator[Dataset]:
    """Yield the items of every sequence of this name."""
    for sequence in _values(elements, keyword):
        if isinstance(sequence, Sequence):
            yield from sequence


def _values(elements: _Elements, keyword: str) -> Iterator[object]:
    """Yield the values of an attribute."""
    tag = tag_for_keyword(keyword) or 0
    for ds in elements.get(tag, ()):
        yield ds[tag].value


def _read_instances(evidence: Evidence) -> Iterator[str]:
    others = (evidence.lateral, evidence.prior_report)
    read = [evidence.frontal, *evidence.prior_images]
    for instance in (*read, *(other for other in others if other is not None)):
        yield instance.sop_instance_uid
