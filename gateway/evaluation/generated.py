"""Generated reports: a folder that `process` wrote, or this site's ledger."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from dicom_io.coordinates import ImageFrame, to_pixels
from dicom_io.evidence import Evidence
from gateway.audit import kinds
from gateway.documents import EVIDENCE, REPORTS
from gateway.evaluation.errors import BadSource
from gateway.evaluation.sources import (
    Absent,
    BoxFrame,
    GivenReport,
    Part,
    Reports,
    read_grounded,
    read_table,
    read_text,
    rectangle,
)
from gateway.ledger import Document, Ledger, StudyRecord
from gateway.lifecycle import State
from model.radfact.values import Rectangle, Sentence
from model.report import GroundedPhrase, GroundedReport, NormalizedBox, Task

FINISHED = (State.COMMITTED, State.STORED, State.KEPT)
PAGE = 500
"""Studies that are read from the ledger at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of one study: its reports and evidence as JSON."""

    study_id: str
    where: str
    reports: str | None
    evidence: str | None


def read_generated(path: Path, frame: BoxFrame) -> Reports:
    """Read what `process` wrote, or a CSV or JSON with generated reports."""
    if path.is_dir():
        return read_processed(path, frame)
    if path.suffix.casefold() == ".json":
        return read_grounded(path, Part.GENERATED, frame)
    return read_table(path, Part.GENERATED)


def read_processed(folder: Path, frame: BoxFrame) -> Reports:
    """Read what `process` wrote: a folder a study with reports.json.

    Boxes are given as shares of `frame`. Raises BadSource.
    """
    studies = sorted(path for path in folder.iterdir() if path.is_dir())
    if not studies:
        raise BadSource(f"{folder} holds no folder of a study, as `process` writes")
    return _gathered(str(folder), map(_from_disk, studies), frame)


def read_ledger(ledger: Ledger, frame: BoxFrame, reader: str, now: datetime) -> Reports:
    """Read the finished studies of this site; the audit says that `reader` did."""
    kept: list[Kept] = []
    offset = 0
    while page := _page(ledger, offset):
        kept.extend(page)
        offset += PAGE
    with ledger.writing() as rows:
        for one in kept:
            rows.append_audit(kinds.study_viewed(one.study_id, reader, now))
    return _gathered("the ledger", kept, frame)


def _page(ledger: Ledger, offset: int) -> list[Kept]:
    with ledger.reading() as rows:
        studies = rows.studies(states=FINISHED, limit=PAGE, offset=offset)

        def body(study: StudyRecord, name: Document) -> str | None:
            return rows.document(study.id, study.revision, name)

        return [
            Kept(
                study_id=study.study_instance_uid,
                where=f"study {study.study_instance_uid}",
                reports=body(study, Document.REPORTS),
                evidence=body(study, Document.EVIDENCE),
            )
            for study in studies
        ]


def _from_disk(folder: Path) -> Kept:
    bodies = {
        name: read_text(path) if (path := folder / f"{name}.json").exists() else None
        for name in ("reports", "evidence")
    }
    return Kept(study_id=folder.name, where=str(folder / "reports.json"), **bodies)


def _gathered(place: str, kept: Iterable[Kept], frame: BoxFrame) -> Reports:
    reports: dict[str, GivenReport] = {}
    absent: list[Absent] = []
    models: set[tuple[str, str]] = set()
    for one in kept:
        said = _findings(one)
        if said is None:
            reason = "no findings were generated"
            absent.append(Absent(study_id=one.study_id, reason=reason))
            continue
        reports[one.study_id] = _given(said, one, frame)
        provenance = said.provenance
        models.add((provenance.model_name, provenance.weights_digest))
    return Reports(
        place=place,
        reports=reports,
        absent=tuple(absent),
        frame=frame if any(_is_located(each) for each in reports.values()) else None,
        models=tuple(sorted(models)),
    )


def _is_located(report: GivenReport) -> bool:
    """Whether the model was asked for boxes, drawn or not."""
    return report.sentences is not None


def _findings(kept: Kept) -> GroundedReport | None:
    """Return the grounded findings, or else the plain ones."""
    if kept.reports is None:
        return None
    try:
        reports = REPORTS.validate_json(kept.reports)
    except ValidationError as error:
        raise BadSource(f"{kept.where} holds no reports of ours") from error
    by_task = {report.task: report for report in reports}
    return by_task.get(Task.GROUNDED_FINDINGS) or by_task.get(Task.FINDINGS)


def _given(said: GroundedReport, kept: Kept, frame: BoxFrame) -> GivenReport:
    if said.task is Task.FINDINGS:
        return GivenReport(text=" ".join(phrase.text for phrase in said.phrases))
    image = None
    if frame is BoxFrame.IMAGE and any(phrase.boxes for phrase in said.phrases):
        image = _evidence(kept).frame
    side = said.provenance.crop_side
    return GivenReport(sentences=tuple(_sentences(said.phrases, image, side)))


def _evidence(kept: Kept) -> Evidence:
    try:
        return EVIDENCE.validate_json(kept.evidence or "null")
    except ValidationError as error:
        place = kept.where.replace("reports.json", "evidence.json")
        raise BadSource(
            f"{place}: no evidence that says how boxes lie in the image"
        ) from error


def _sentences(
    phrases: Iterable[GroundedPhrase], image: ImageFrame | None, crop_side: int
) -> Iterator[Sentence]:
    """Yield what says something; `image` None leaves boxes in the crop."""
    for phrase in phrases:
        if phrase.text.strip():
            boxes = tuple(_rectangle(box, image, crop_side) for box in phrase.boxes)
            yield Sentence(text=phrase.text, boxes=boxes)


def _rectangle(
    box: NormalizedBox, image: ImageFrame | None, crop_side: int
) -> Rectangle:
    if image is None:
        numbers = (box.x_min, box.y_min, box.x_max, box.y_max)
    else:
        pixels = to_pixels(box, image, crop_side)
        numbers = (
            pixels.left / image.columns,
            pixels.top / image.rows,
            pixels.right / image.columns,
            pixels.bottom / image.rows,
        )
    return rectangle(numbers, "a generated box")
