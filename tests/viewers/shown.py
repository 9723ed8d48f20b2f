"""Studies sent through a running gateway, and what its ledger says of each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from pydicom import dcmread
from pydicom.uid import generate_uid

from config.load import Table, merge
from dicom_io.phantom import Polarity
from dicom_io.results.kinds import ResultKind
from dicom_io.scu.send import store_instances
from gateway.ledger import Document, ResultRecord, StudyRecord
from gateway.lifecycle import State
from model.engine import ReportEngine
from model.options import Domain
from model.report import GroundedPhrase, NormalizedBox
from tests.data.engines import CannedEngine
from tests.data.films import real_film
from tests.data.geometry import edges_in_image
from tests.data.phantoms import phantom_files
from tests.data.sites import (
    MODALITY,
    Running,
    archive_peer,
    running_gateway,
    site_settings,
)
from viewer.stand import LOOPBACK, Stand


def _row_of(number: int, column: int) -> NormalizedBox:
    top, left = 0.045 + 0.09 * number, 0.105 + 0.4 * column
    return NormalizedBox(
        x_min=left, y_min=top, x_max=left + 0.15 + 0.01 * number, y_max=top + 0.06
    )


NONE = (
    GroundedPhrase(text="The lungs are clear."),
    GroundedPhrase(text="No pleural effusion or pneumothorax."),
)
MANY = (
    *(
        GroundedPhrase(
            text=f"Nodule number {number} of a many-box study.",
            boxes=(_row_of(number, 0), _row_of(number, 1)),
        )
        for number in range(10)
    ),
    GroundedPhrase(text="No pneumothorax."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A box that belongs in the picture: left, top, right, bottom in pixels."""

    sentence: str
    edges: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A committed study.

    spacing : (row, column) in mm of a pixel of the frontal; 1 where it has none or 0.
    is_drawn : OHIF draws it; a frontal whose spacing is 0 it draws hardly ever.
    objects : what the archive returned, by kind of result.
    """

    study_instance_uid: str
    frontal_uid: str
    spacing: tuple[float, float]
    boxes: tuple[Drawn, ...]
    sentences: tuple[str, ...]
    objects: dict[str, Path]
    is_drawn: bool = True

    def series_number(self, kind: ResultKind) -> int:
        """Return the Series Number under which a viewer lists the object."""
        return int(dcmread(self.objects[kind]).SeriesNumber)


def send_all(stand: Stand, folder: Path) -> dict[str, Shown]:
    """Send every study, each through a gateway with the engine it needs."""
    first = phantom_files(folder / "m2", seed=11)
    inverse = phantom_files(folder / "m1", seed=12, polarity=Polarity.MONOCHROME1)
    many = phantom_files(folder / "many", seed=13, with_prior=False)
    none = phantom_files(folder / "none", seed=14, with_prior=False)
    film = real_film("dicom/RG1_J2KI.dcm")
    bare = _without_spacing(film, folder / "bare.dcm")
    plan: dict[str, tuple[ReportEngine | None, list[Path]]] = {
        "phantom": (None, first.current),
        "monochrome1": (None, inverse.current),
        "many": (CannedEngine(domain=Domain.PHANTOM, phrases=MANY), many.current),
        "none": (CannedEngine(domain=Domain.PHANTOM, phrases=NONE), none.current),
        "film": (CannedEngine(), [bare]),
        "film-spacing-0": (CannedEngine(), [film]),
    }
    store(stand, [*first.prior, *inverse.prior])
    return {
        name: _sent(stand, folder / f"site-{name}", files, engine)
        for name, (engine, files) in plan.items()
    }


def store(stand: Stand, paths: Sequence[Path]) -> None:
    """Put files into Orthanc by its REST interface."""
    for path in paths:
        urlopen(Request(_rest(stand, "instances"), data=path.read_bytes()), timeout=30)


def _without_spacing(film: Path, path: Path) -> Path:
    """Copy a film as a study of its own without its Pixel Spacing of 0\\0."""
    ds = dcmread(film)
    del ds.PixelSpacing
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.save_as(path)
    return path


def _sent(
    stand: Stand, folder: Path, files: Sequence[Path], engine: ReportEngine | None
) -> Shown:
    here: Table = {"listener": {"port": stand.ports.gateway}}
    peer = archive_peer("VIEWER", stand.ports.orthanc_dicom)
    settings = site_settings(folder, merge(peer, here))
    uid = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    # the modality's own way to the archive
    store(stand, files)
    with running_gateway(settings, engine) as gateway:
        outcomes = store_instances(MODALITY, gateway.remote, files)
        assert all(outcome.verdict.is_stored for outcome in outcomes)
        study = gateway.wait_for(uid, State.COMMITTED, State.PARKED, State.DECLINED)
        assert study.state is State.COMMITTED, study.reason
        return _shown(stand, gateway, study, files[0])


def _shown(stand: Stand, gateway: Running, study: StudyRecord, frontal: Path) -> Shown:
    with gateway.site.ledger.reading() as rows:
        body = rows.document(study.id, study.revision, Document.REPORTS)
        results = rows.results(study.id, study.revision)
    (report,) = json.loads(body or "[]")
    ds = dcmread(frontal, stop_before_pixels=True)
    rows_, columns = int(ds.Rows), int(ds.Columns)
    side = report["provenance"]["crop_side"]
    spacing = ds.get("PixelSpacing") or ds.get("ImagerPixelSpacing") or (1.0, 1.0)
    return Shown(
        study_instance_uid=study.study_instance_uid,
        frontal_uid=str(ds.SOPInstanceUID),
        spacing=(float(spacing[0]) or 1.0, float(spacing[1]) or 1.0),
        boxes=tuple(
            Drawn(sentence=phrase["text"], edges=_edges(box, rows_, columns, side))
            for phrase in report["phrases"]
            for box in phrase["boxes"]
        ),
        sentences=tuple(phrase["text"] for phrase in report["phrases"]),
        objects=_returned(stand, results, gateway.site.settings.storage.folder),
        is_drawn=all(float(each) for each in spacing),
    )


def _edges(
    box: dict[str, float], rows: int, columns: int, side: int
) -> tuple[float, float, float, float]:
    share = (box["x_min"], box["y_min"], box["x_max"], box["y_max"])
    left, top, right, bottom = edges_in_image(share, rows, columns, side)
    return left, top, right, bottom


def _returned(
    stand: Stand, results: Sequence[ResultRecord], folder: Path
) -> dict[str, Path]:
    """Fetch our objects from Orthanc."""
    found = {}
    for result in results:
        uid = result.sop_instance_uid
        asked = Request(_rest(stand, "tools/lookup"), data=uid.encode())
        (held,) = json.load(urlopen(asked, timeout=30))
        path = Path(folder) / f"returned-{result.kind}.dcm"
        held_at = _rest(stand, f"instances/{held['ID']}/file")
        path.write_bytes(urlopen(held_at, timeout=30).read())
        found[result.kind] = path
    return found


def _rest(stand: Stand, path: str) -> str:
    return f"http://{LOOPBACK}:{stand.ports.orthanc_http}/{path}"
