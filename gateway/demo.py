"""The first run: a phantom modality, a small archive and the gateway, on loopback.

Everything is real but the patient: the study enters by C-STORE, its prior is
found by C-FIND and fetched by C-GET, the phantom checkpoint reads it, and SR and
GSPS are stored in the archive, which commits to them. The picture at the end is
drawn from what the archive returned.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from config.load import Table as SettingsTable
from config.load import load_settings
from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.archive import Archive, open_archive
from dicom_io.evidence import Evidence, SlotName
from dicom_io.media import folder_sink
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.phantom import PhantomFile, phantom_study_files, planted_boxes
from dicom_io.pictures.pixels import render_image
from dicom_io.results.kinds import ResultKind
from dicom_io.results.picture import draw_findings
from dicom_io.results.read import ReadFinding, read_findings, read_sentences
from dicom_io.scu.retrieve import retrieve_study
from dicom_io.scu.send import store_instances
from gateway.documents import EVIDENCE
from gateway.errors import GatewayError, NotReady
from gateway.ledger import Document, ResultRecord, StudyRecord
from gateway.lifecycle import FINAL, WAITING_FOR_A_PERSON, State
from gateway.running.composition import open_site
from gateway.running.serve import Gateway
from gateway.site import Site
from model.phantom.generator import PhantomOptions, PhantomStudy, make_phantom

SEED = 2028
"""A study whose report needs every input: a finding that only the lateral shows,
and changes that only the prior tells."""
MARK = "maira-gateway-demo"
ARCHIVE_TITLE, MODALITY_TITLE = "DEMO_ARCHIVE", "DEMO_MODALITY"
DEADLINE_SECONDS = 120.0
ENDED = (*FINAL, *WAITING_FOR_A_PERSON)
CURRENT = (SlotName.CURRENT_FRONTAL, SlotName.CURRENT_LATERAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The folder of a demo and the phantom that plays in it."""

    folder: Path
    phantom: PhantomStudy
    files: tuple[PhantomFile, ...]

    @property
    def study_instance_uid(self) -> str:
        """UID of the study that the modality sends."""
        return self.files[0].instance.study_instance_uid

    def paths(self, *slots: SlotName) -> list[Path]:
        """Return where the files for these inputs lie."""
        return [
            self.folder / "modality" / f"{file.slot}.dcm"
            for file in self.files
            if file.slot in slots
        ]


def run_demo(folder: Path, console: Console, seed: int = SEED) -> int:
    """Run the whole way once; return the exit code of the process."""
    console.print("[bold]maira-gateway demo[/bold]: research only, a drawn patient\n")
    stage = _set_up(folder, seed)
    with (
        open_archive(folder / "archive", ARCHIVE_TITLE) as archive,
        Gateway(open_site(load_settings(None, _settings(folder, archive)))) as gateway,
    ):
        _fill_archive(stage, archive, console)
        _send(stage, gateway, console)
        study = _watch(stage, gateway.site, console)
        if study.state is not State.COMMITTED:
            console.print(f"[red]the study is {study.state}: {study.reason}[/red]")
            return 1
        _show(gateway.site, study, console)
        _draw(stage, gateway.site, study, console)
    return 0


def _clear(folder: Path) -> None:
    """Remove an earlier demo; raise NotReady for a folder that is somebody else's."""
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise NotReady(f"{folder} is not empty and not a demo's: choose another folder")
    for name in ("archive", "data", "modality", "returned"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text("Made by maira-gateway demo, which clears this folder.\n", "utf-8")


def _set_up(folder: Path, seed: int) -> Stage:
    """Clear an earlier demo and write the phantom's files."""
    _clear(folder)
    (folder / "modality").mkdir()
    phantom = make_phantom(
        seed,
        PhantomOptions(aspect=1.22, with_lateral=True, with_prior=True, normal=False),
    )
    stage = Stage(folder=folder, phantom=phantom, files=phantom_study_files(phantom))
    for file, path in zip(stage.files, stage.paths(*SlotName), strict=True):
        path.write_bytes(file.data)
    return stage


def _settings(folder: Path, archive: Archive) -> SettingsTable:
    return {
        "storage": {
            "folder": str(folder / "data"),
            "reserve_bytes": 0,
            "reserve_memory_bytes": 0,
        },
        "web": {"port": 0},
        "listener": {"host": "127.0.0.1", "port": 0},
        "completeness": {"quiet_seconds": 1.0},
        "peers": {
            "archive": {
                "title": ARCHIVE_TITLE,
                "host": "127.0.0.1",
                "port": archive.port,
            },
            "modality": {"title": MODALITY_TITLE, "host": "127.0.0.1", "port": 104},
        },
        "archive": {"peer": "archive"},
        "results": {"destinations": ["archive"]},
    }


def _fill_archive(stage: Stage, archive: Archive, console: Console) -> None:
    for path in stage.paths(SlotName.PRIOR_FRONTAL, SlotName.PRIOR_REPORT):
        archive.put(path)
    console.print("archive    holds the patient's prior film and its report")


def _send(stage: Stage, gateway: Gateway, console: Console) -> None:
    modality = LocalAE(title=AETitle(MODALITY_TITLE), host="127.0.0.1", port=0)
    remote = RemoteAE(
        name="gateway",
        title=gateway.site.local.title,
        host="127.0.0.1",
        port=gateway.port,
    )
    outcomes = store_instances(modality, remote, stage.paths(*CURRENT))
    for slot, outcome in zip(CURRENT, outcomes, strict=True):
        console.print(f"modality   C-STORE of {slot}: {outcome.verdict.value}")
        if not outcome.verdict.is_stored:
            raise GatewayError(f"the demo's study was not taken: {outcome.detail}")


def _watch(stage: Stage, site: Site, console: Console) -> StudyRecord:
    """Print each move as it happens; return the study where it came to rest."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    shown = 0
    with console.status("the gateway is at work"):
        while time.monotonic() < deadline:
            with site.ledger.reading() as rows:
                study = rows.study(stage.study_instance_uid)
                moves = rows.moves(study.id) if study else []
            for move in moves[shown:]:
                reason = f" ({move.reason})" if move.reason else ""
                console.print(f"gateway    {move.to_state}{reason}", highlight=False)
            shown = len(moves)
            if study is not None and study.state in ENDED:
                return study
            time.sleep(0.05)
    raise GatewayError(f"the demo did not end within {DEADLINE_SECONDS:.0f} s")


def _show(site: Site, study: StudyRecord, console: Console) -> None:
    """Print the inputs and the objects that the archive holds now."""
    with site.ledger.reading() as rows:
        body = rows.document(study.id, study.revision, Document.EVIDENCE)
        results = rows.results(study.id, study.revision)
        proofs = {d.committed_how for d in rows.deliveries(study.id, study.revision)}
    console.print(_slots(EVIDENCE.validate_json(body or "null")))
    objects = Table(title="in the archive now", title_justify="left")
    objects.add_column("object")
    objects.add_column("SOP Instance UID", overflow="fold")
    for result in results:
        objects.add_row(result.kind, result.sop_instance_uid)
    console.print(objects)
    console.print(f"proof      {', '.join(sorted(filter(None, proofs)))}")


def _slots(evidence: Evidence) -> Table:
    table = Table(title="what the model was given", title_justify="left")
    for heading in ("input", "filled", "why, or with what"):
        table.add_column(heading)
    for slot in evidence.slots:
        text = slot.value or slot.reason
        table.add_row(slot.name, "yes" if slot.filled else "no", text[:160])
    return table


def _draw(stage: Stage, site: Site, study: StudyRecord, console: Console) -> None:
    """Fetch the results from the archive and draw what they say."""
    archive = site.destinations[0]
    returned = stage.folder / "returned"
    retrieve_study(site.local, archive, study.study_instance_uid, folder_sink(returned))
    with site.ledger.reading() as rows:
        results = rows.results(study.id, study.revision)
    findings, sentences = _read_returned(returned, results)
    located = {finding.sentence for finding in findings}
    without_box = [sentence for sentence in sentences if sentence not in located]
    _print_report(sentences, findings, console)
    frontal = stage.paths(SlotName.CURRENT_FRONTAL)[0]
    picture = stage.folder / "frontal.png"
    picture.write_bytes(
        draw_findings(
            render_image(frontal, Rendering.VOI, DecodeLimits()),
            findings,
            truth=planted_boxes(stage.phantom),
            without_box=without_box,
            title="Phantom chest PA, read back from the archive",
        )
    )
    console.print(
        f"\n[bold]Look at {picture}[/bold]: solid boxes are drawn from the SR that "
        "the archive returned, dashed ones are where findings were planted.\n"
        f"The objects lie in {returned}; the ledger and the audit in "
        f"{stage.folder / 'data'}."
    )


def _read_returned(
    folder: Path, results: list[ResultRecord]
) -> tuple[tuple[ReadFinding, ...], tuple[str, ...]]:
    paths = {
        result.kind: folder / f"{result.sop_instance_uid}.dcm" for result in results
    }
    located = paths.get(ResultKind.FINDINGS_SR)
    findings = read_findings(located) if located else ()
    return findings, read_sentences(paths[ResultKind.NARRATIVE_SR])


def _print_report(
    sentences: tuple[str, ...], findings: tuple[ReadFinding, ...], console: Console
) -> None:
    console.print("\n[bold]the report, as the archive returned it[/bold]")
    for sentence in sentences:
        boxes = [finding.box for finding in findings if finding.sentence == sentence]
        console.print(f"  {sentence}", markup=False)
        for box in boxes:
            console.print(
                f"    columns {box.left:.0f}-{box.right:.0f}, "
                f"rows {box.top:.0f}-{box.bottom:.0f}"
            )
