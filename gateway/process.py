"""`process FILE…`: the same pipeline on files, no network."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config.settings import Settings
from dicom_io.errors import Unreadable
from dicom_io.media import deliver_file
from dicom_io.sink import NoRoom
from dicom_io.status import Status
from gateway.audit import kinds
from gateway.ledger import Document, StudyRecord
from gateway.lifecycle import WORKING, Event, State
from gateway.running.composition import close_site, open_site
from gateway.running.listening import sent_intake
from gateway.site import Site
from gateway.sources.priors import GivenFiles
from gateway.stages import pipeline
from gateway.stages.turn import Turns, take_turn
from model.engine import ReportEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessedStudy:
    """Where a study ended, why, and the files written for it."""

    study_instance_uid: str
    state: State
    reason: str | None
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOutcome:
    """The studies of the given files, and the files that were not taken."""

    studies: tuple[ProcessedStudy, ...]
    refused: tuple[tuple[Path, str], ...]


def process_files(
    settings: Settings,
    files: Sequence[Path],
    out: Path,
    engine: ReportEngine | None = None,
) -> ProcessOutcome:
    """Read the studies of `files` and write their results below `out`.

    An earlier study of the same patient among the files serves as the prior.
    Nothing is sent and nobody is asked. Each study gets a folder named by its UID
    with the result objects, `reports.json` and `evidence.json`.
    Raises as `open_site` does; a bad file is an entry of `refused`.
    """
    with tempfile.TemporaryDirectory(prefix="maira-gateway-") as folder:
        site = _offline(settings, Path(folder), engine)
        try:
            refused = _take(site, files)
            studies = tuple(_finish(site, study, out) for study in _complete(site))
        finally:
            close_site(site)
    return ProcessOutcome(studies=studies, refused=refused)


def _offline(settings: Settings, folder: Path, engine: ReportEngine | None) -> Site:
    """Open a site of its own in `folder` that knows no other node."""
    storage = settings.storage.model_copy(update={"folder": folder, "reserve_bytes": 0})
    ledger = settings.ledger.model_copy(update={"url": ""})
    work = settings.work.model_copy(update={"max_attempts": 1})
    apart = settings.model_copy(
        update={"storage": storage, "ledger": ledger, "work": work}
    )
    site = open_site(apart, engine)
    given = GivenFiles(ledger=site.ledger, spool=site.spool)
    return replace(site, priors=given, destinations=())


def _take(site: Site, files: Sequence[Path]) -> tuple[tuple[Path, str], ...]:
    intake = sent_intake(site)
    refused: list[tuple[Path, str]] = []
    for path in files:
        try:
            status = deliver_file(path, intake.receive, str(site.local.title))
        except (Unreadable, NoRoom, OSError) as error:
            refused.append((path, str(error)))
            continue
        if status is not Status.SUCCESS:
            refused.append((path, status.meaning))
    return tuple(refused)


def _complete(site: Site) -> list[StudyRecord]:
    """Call every study whole: what a person gave is all there is."""
    now, reason = site.clock(), "given as files"
    with site.ledger.writing() as rows:
        return [
            rows.move(
                study,
                Event.QUIET_PERIOD_ENDED,
                now,
                reason=reason,
                audit=[kinds.study_complete(study.study_instance_uid, reason, now)],
            )
            for study in rows.receiving()
        ]


def _finish(site: Site, study: StudyRecord, out: Path) -> ProcessedStudy:
    turns = Turns()
    while take_turn(site, pipeline.STAGES, WORKING, turns):
        pass
    with site.ledger.reading() as rows:
        ended = rows.study_by_id(study.id)
    return ProcessedStudy(
        study_instance_uid=ended.study_instance_uid,
        state=ended.state,
        reason=ended.reason,
        files=tuple(_write(site, ended, out / ended.study_instance_uid)),
    )


def _write(site: Site, study: StudyRecord, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with site.ledger.reading() as rows:
        results = rows.results(study.id, study.revision)
        bodies = {
            name: rows.document(study.id, study.revision, name)
            for name in (Document.REPORTS, Document.EVIDENCE)
        }
    for number, row in enumerate(results, 1):
        target = folder / f"{number}-{row.task}-{row.kind}.dcm"
        target.write_bytes(site.spool.path(row.file_name).read_bytes())
        written.append(target)
    for name, body in bodies.items():
        if body is not None:
            target = folder / f"{name}.json"
            target.write_text(body, "utf-8")
            written.append(target)
    return written
