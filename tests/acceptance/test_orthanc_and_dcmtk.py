"""Orthanc as the archive, DCMTK as the modality, the phantom checkpoint as engine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from benchmarks.rounds import free_port
from config.load import Table, merge
from dicom_io.coordinates import PixelBox
from dicom_io.product import PRODUCT_NAME
from dicom_io.results.read import read_findings
from gateway.ledger import Document, StudyRecord
from gateway.lifecycle import State
from tests.data.geometry import edges_in_image
from tests.data.peers import Orthanc, orthanc, run_peer
from tests.data.phantoms import Phantom, phantom_files
from tests.data.sites import Running, archive_peer, running_gateway, site_settings

pytestmark = [pytest.mark.peers, pytest.mark.slow]

SEED = 11


@dataclass(frozen=True, kw_only=True)
class Hospital:
    """A gateway beside an Orthanc that holds the patient's prior study."""

    gateway: Running
    archive: Orthanc
    phantom: Phantom
    folder: Path

    def send_current(self) -> None:
        port = str(self.gateway.gateway.port)
        options = ["-aet", "MODALITY", "-aec", "MAIRA_GW", "127.0.0.1", port]
        done = run_peer("storescu", *options, *self.phantom.current)
        assert done.returncode == 0, done.stderr

    def results(self) -> dict[str, Path]:
        """Fetch our objects from Orthanc, by SOP Class name."""
        found: dict[str, Path] = {}
        instances = self.archive.get("/instances")
        assert isinstance(instances, list)
        for identifier in instances:
            path = self.folder / f"{identifier}.dcm"
            path.write_bytes(self.archive.content(f"/instances/{identifier}/file"))
            ds = dcmread(path, stop_before_pixels=True)
            if ds.get("ManufacturerModelName") == PRODUCT_NAME:
                found[ds.SOPClassUID.name] = path
        return found

    def document(self, study: StudyRecord, name: Document) -> str:
        with self.gateway.site.ledger.reading() as rows:
            return rows.document(study.id, study.revision, name) or ""


@pytest.fixture(params=["c-get", "c-move"])
def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hospital]:
    phantom = phantom_files(tmp_path / "phantom", seed=SEED)
    port = free_port()
    with orthanc(tmp_path, {"MAIRA_GW": port}) as archive:
        address = ["-aec", archive.title, "127.0.0.1", str(archive.port)]
        assert run_peer("storescu", *address, *phantom.prior).returncode == 0
        here: Table = {
            "listener": {"port": port},
            "delivery": {"commitment_wait_seconds": 60.0},
        }
        peer = archive_peer(archive.title, archive.port, retrieval=request.param)
        settings = site_settings(tmp_path / "data", merge(peer, here))
        with running_gateway(settings) as gateway:
            yield Hospital(
                gateway=gateway, archive=archive, phantom=phantom, folder=tmp_path
            )


def test_findings_of_a_study_by_storescu_stand_in_orthanc_and_are_committed(
    hospital: Hospital,
) -> None:
    hospital.send_current()
    uid = hospital.phantom.study_instance_uid
    study = hospital.gateway.wait_for(uid, State.COMMITTED, State.PARKED)
    assert study.state is State.COMMITTED, study.reason
    how = {row.committed_how for row in hospital.gateway.deliveries(study)}
    assert how == {"storage commitment"}
    evidence = json.loads(hospital.document(study, Document.EVIDENCE))
    assert all(slot["filled"] for slot in evidence["slots"]), evidence["slots"]
    (report,) = json.loads(hospital.document(study, Document.REPORTS))
    results = hospital.results()
    assert set(results) == {
        "Comprehensive 3D SR Storage",
        "Enhanced SR Storage",
        "Grayscale Softcopy Presentation State Storage",
    }
    sentences = [phrase["text"] for phrase in report["phrases"]]
    told = run_peer("dsrdump", "+Pl", results["Enhanced SR Storage"]).stdout
    assert all(sentence in told for sentence in sentences)
    ds = dcmread(hospital.phantom.frontal)
    boxes = [box for phrase in report["phrases"] for box in phrase["boxes"]]
    found = read_findings(results["Comprehensive 3D SR Storage"])
    assert len(found) == len(boxes) > 0
    for finding, box in zip(found, boxes, strict=True):
        share = (box["x_min"], box["y_min"], box["x_max"], box["y_max"])
        side = report["provenance"]["crop_side"]
        expected = edges_in_image(share, ds.Rows, ds.Columns, side)
        assert _edges(finding.box) == pytest.approx(expected, abs=0.01)
    overlay = dcmread(results["Grayscale Softcopy Presentation State Storage"])
    assert _drawn(overlay) == [_edges(finding.box) for finding in found]


def _edges(box: PixelBox) -> list[float]:
    return [box.left, box.top, box.right, box.bottom]


def _drawn(overlay: Dataset) -> list[list[float]]:
    """Read the rectangles of the presentation state with plain pydicom."""
    shapes = [
        shape.GraphicData
        for annotation in overlay.GraphicAnnotationSequence
        for shape in annotation.get("GraphicObjectSequence", [])
    ]
    return [[min(s[::2]), min(s[1::2]), max(s[::2]), max(s[1::2])] for s in shapes]
