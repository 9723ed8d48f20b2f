"""Reference reports in the layouts of public collections that a site may hold.

Only the findings are taken, as in the paper's evaluation; a report without that
section is absent, with this reason. The collections are gated or large and are not
part of this project: the layouts are those of their descriptions.
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree as ET

from gateway.evaluation.errors import BadSource
from gateway.evaluation.received import read_documents
from gateway.evaluation.sources import (
    Absent,
    BoxFrame,
    GivenReport,
    Part,
    Reports,
    collect,
    entry_id,
    field,
    read_entries,
    read_grounded,
    read_rows,
    read_table,
    read_text,
    read_texts,
    rectangle,
)
from model.radfact.values import Report, Sentence

_NO_FINDINGS = "the report has no findings section"
_HEADING = re.compile(r"^[ \t]*([A-Z][A-Z0-9 /,&()\-]{2,40}):", re.MULTILINE)
_STUDY_FILE = re.compile(r"s\d+\.txt")


class Layout(StrEnum):
    """How reference reports lie on disk."""

    TEXTS = "texts"
    """A folder with <study>.txt."""
    TABLE = "table"
    """A CSV with study_id (or example_id) and text (or target)."""
    RADFACT = "radfact"
    """The grounded JSON of RadFact's own tool."""
    MIMIC_CXR = "mimic-cxr"
    PADCHEST_GR = "padchest-gr"
    IU_XRAY = "iu-xray"
    DICOM = "dicom"
    """A folder with structured reports as DICOM files."""


def read_mimic_cxr(folder: Path) -> Reports:
    """Read files/pNN/pNNNNNNNN/sNNNNNNNN.txt; a study is named sNNNNNNNN."""
    files = sorted(
        path for path in folder.rglob("s*.txt") if _STUDY_FILE.fullmatch(path.name)
    )
    if not files:
        raise BadSource(f"{folder} holds no report named like s50414267.txt")
    return _sections(
        folder, ((str(path), path.stem, findings_of(read_text(path))) for path in files)
    )


def findings_of(text: str) -> str | None:
    """Return the text below the heading FINDINGS, up to the next; None: no such."""
    headings = list(_HEADING.finditer(text))
    for number, heading in enumerate(headings):
        if heading[1].startswith("FINDINGS"):
            ends = headings[number + 1 : number + 2]
            found = text[heading.end() : ends[0].start() if ends else None].strip()
            return found or None
    return None


def read_padchest_gr(path: Path) -> Reports:
    """Read the grounded reports of PadChest-GR: English sentences, boxes of the image.

    Boxes are shares of the image: x_min, y_min, x_max, y_max.
    """
    found = (
        (where, entry_id(entry, ("StudyID",), where), _padchest(entry, where))
        for where, entry in read_entries(path)
    )
    return Reports(place=str(path), reports=collect(found), frame=BoxFrame.IMAGE)


def read_iu_xray(path: Path) -> Reports:
    """Read the Indiana University collection: a folder of XML, or the CSV.

    A study is named by its uId (CXR1), in the CSV by `uid` (1).
    """
    if path.is_dir():
        files = sorted(path.rglob("*.xml"))
        if not files:
            raise BadSource(f"{path} holds no .xml file")
        return _sections(path, map(_read_xml, files))
    rows = read_rows(path, ("uid",), ("findings",))
    return _sections(
        path, ((where, study, text.strip() or None) for where, study, text in rows)
    )


def guess_layout(path: Path) -> Layout:
    """Return the plain form that a path has by its kind."""
    if path.is_dir():
        return Layout.TEXTS
    return Layout.RADFACT if path.suffix.casefold() == ".json" else Layout.TABLE


def box_frame(layout: Layout, stated: BoxFrame) -> BoxFrame:
    """Return the frame in which the boxes of references are.

    `stated` tells it where the layout does not. Without boxes there is nothing to
    convert to, and generated boxes stay where they are.
    """
    match layout:
        case Layout.PADCHEST_GR:
            return BoxFrame.IMAGE
        case Layout.RADFACT:
            return stated
        case _:
            return BoxFrame.CROP


def read_references(path: Path, layout: Layout, frame: BoxFrame) -> Reports:
    """Read reference reports of a layout; raises BadSource."""
    match layout:
        case Layout.TABLE:
            return read_table(path, Part.REFERENCE)
        case Layout.RADFACT:
            return read_grounded(path, Part.REFERENCE, frame)
        case _:
            return _READERS[layout](path)


_READERS: dict[Layout, Callable[[Path], Reports]] = {
    Layout.TEXTS: read_texts,
    Layout.MIMIC_CXR: read_mimic_cxr,
    Layout.PADCHEST_GR: read_padchest_gr,
    Layout.IU_XRAY: read_iu_xray,
    Layout.DICOM: read_documents,
}


def _sections(place: Path, found: Iterator[tuple[str, str, str | None]]) -> Reports:
    """Sort reports with findings from those without."""
    absent: list[Absent] = []

    def present() -> Iterator[tuple[str, str, GivenReport]]:
        for where, study, text in found:
            if text is None:
                absent.append(Absent(study_id=study, reason=_NO_FINDINGS))
            else:
                yield where, study, GivenReport(text=text)

    reports = collect(present())
    return Reports(place=str(place), reports=reports, absent=tuple(absent))


def _padchest(entry: dict[str, object], where: str) -> GivenReport:
    findings = field(entry, "findings", list, where)
    sentences: Report = tuple(
        _padchest_sentence(finding, where) for finding in findings
    )
    return GivenReport(sentences=sentences)


def _padchest_sentence(finding: object, where: str) -> Sentence:
    text = field(finding, "sentence_en", str, where)
    boxes = finding.get("boxes") or [] if isinstance(finding, dict) else []
    if not isinstance(boxes, list) or not all(isinstance(b, list) for b in boxes):
        raise BadSource(f"{where}: 'boxes' is no list of boxes")
    return Sentence(text=text, boxes=tuple(rectangle(box, where) for box in boxes))


def _read_xml(path: Path) -> tuple[str, str, str | None]:
    text = read_text(path)
    if "<!ENTITY" in text:
        raise BadSource(f"{path}: a report that declares entities is not read")
    try:
        root = ET.fromstring(text.encode())  # noqa: S314 - entities are refused above
    except ET.ParseError as error:
        raise BadSource(f"{path}, line {error.position[0]}: no XML") from error
    except (LookupError, ValueError) as error:
        raise BadSource(f"{path} declares an encoding that is not read") from error
    named = root.find(".//uId")
    study = named.get("id", "") if named is not None else ""
    if not study:
        raise BadSource(f"{path}: no uId names the study")
    section = root.find(".//AbstractText[@Label='FINDINGS']")
    found = "".join(section.itertext()).strip() if section is not None else ""
    return str(path), study, found or None
