"""The first run, as a newcomer sees it."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from config.load import Table, merge
from dicom_io.archive import Archive
from dicom_io.results.read import read_findings
from gateway import demo
from gateway.demo import MARK, run_demo
from gateway.errors import NotReady
from tests.data.archives import read_folder
from tests.data.sites import await_reports


@pytest.fixture
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the second image and the archive's report be late."""
    plain = demo._settings
    quiet: Table = {"completeness": {"quiet_seconds": 3.0}}

    def settings(folder: Path, archive: Archive) -> Table:
        return merge(plain(folder, archive), quiet)

    monkeypatch.setattr(demo, "_settings", settings)
    await_reports(monkeypatch)


@pytest.mark.usefixtures("_patience")
def test_the_demo_ends_with_boxes_drawn_from_what_the_archive_returned(
    tmp_path: Path,
) -> None:
    text = StringIO()
    folder = tmp_path / "demo"
    assert run_demo(folder, Console(file=text, width=120)) == 0
    shown = text.getvalue()
    for word in ("C-STORE", "committed", "prior_frontal", "storage commitment"):
        assert word in shown
    returned = read_folder(folder / "returned")
    reports = [ds for ds in returned if ds.SOPClassUID.name.startswith("Comprehensive")]
    (report,) = reports
    findings = read_findings(Path(str(report.filename)))
    assert len(findings) >= 2
    assert all(finding.sentence in shown for finding in findings)
    picture = np.asarray(Image.open(folder / "frontal.png"))
    assert picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    assert run_demo(folder, Console(file=StringIO())) == 0


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "data" / "keep.txt"
    kept.parent.mkdir()
    kept.write_text("mine", "utf-8")
    with pytest.raises(NotReady, match="not a demo's"):
        run_demo(tmp_path, Console(file=StringIO()))
    assert kept.read_text("utf-8") == "mine"
    assert not (tmp_path / MARK).exists()
