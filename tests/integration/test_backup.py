"""The back-up of docs/operations.md, and what a restored older ledger means."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dicom_io.status import Status
from gateway.lifecycle import State
from gateway.running.starting import reconcile
from tests.data.films import film_dataset, write_film
from tests.data.stages import Bench, bench_at

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def commands() -> str:
    """Return the script of the page, between its fences."""
    found = re.search(r"```python\n(# back-up.*?)```", PAGE.read_text("utf-8"), re.S)
    assert found is not None
    return found[1]


def back_up(bench: Bench, target: Path) -> None:
    """Run the page's own script beside the open ledger, then copy the spool."""
    data = bench.folder / "data"
    target.mkdir()
    subprocess.run(
        [
            sys.executable,
            "-c",
            commands(),
            data / "ledger.sqlite",
            target / "ledger.sqlite",
        ],
        check=True,
    )
    shutil.copytree(data / "spool", target / "spool")


def restore(backup: Path, folder: Path) -> None:
    shutil.copytree(backup, folder / "data")


def states(bench: Bench) -> tuple[State, list[str]]:
    study = bench.study()
    with bench.site.ledger.reading() as rows:
        results = rows.results(study.id, study.revision)
    return study.state, [each.sop_instance_uid for each in results]


def test_a_restored_back_up_goes_on_where_it_was_and_makes_the_same_objects(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Taken while the ledger is open; what came later is told and not lost."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with bench_at(first) as bench:
        bench.reach(State.REPORTED)
        ledger_alone = tmp_path / "backup"
        back_up(bench, ledger_alone)
        later = film_dataset(StudyInstanceUID="1.2.77", SOPInstanceUID="1.2.77.1")
        sent = bench.send(write_film(first / "later.dcm", later))
        assert sent is Status.SUCCESS
        shutil.rmtree(ledger_alone / "spool")
        shutil.copytree(first / "data" / "spool", ledger_alone / "spool")
        while bench.turn():
            pass
        expected = states(bench)
    restore(ledger_alone, second)
    with bench_at(second) as bench:
        bench.clock.add(seconds=120)  # no earlier than the back-up
        reconcile(bench.site)
        assert "1 files of the spool have no row" in caplog.text
        assert "not in the spool" not in caplog.text
        assert bench.study().state is State.REPORTED
        while bench.turn():
            pass
        assert states(bench) == expected
