"""SIGKILL of `serve` with its own engine, restart after restart: one result set."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from dicom_io.ae import AETitle, RemoteAE
from dicom_io.archive import open_archive
from dicom_io.scu.send import store_instances
from gateway.failpoints import VARIABLE
from gateway.ledger import Ledger, StudyRecord
from gateway.lifecycle import State
from tests.data.archives import own_objects
from tests.data.phantoms import Phantom, phantom_files
from tests.data.served import line_of, serving
from tests.data.sites import (
    MODALITY,
    archive_peer,
    site_settings,
    toml_of,
    wait_until,
)

pytestmark = pytest.mark.slow

KILLED_AT = ["gathered:moved"]
"""Before the engine is asked; tests/faults has every point without it."""


def killed_at(point: str | None) -> dict[str, str]:
    """Return the environment of a gateway that dies at a point, or nowhere."""
    environment = dict(os.environ)
    environment.pop(VARIABLE, None)
    return environment if point is None else {**environment, VARIABLE: point}


def port_of(process: subprocess.Popen[str]) -> int:
    """Read the line that `serve` prints once its port is open."""
    return int(line_of(process).rpartition(" ")[2])


def send(port: int, phantom: Phantom) -> bool:
    remote = RemoteAE(
        name="gateway", title=AETitle("MAIRA_GW"), host="127.0.0.1", port=port
    )
    outcomes = store_instances(MODALITY, remote, phantom.current)
    return all(outcome.verdict.is_stored for outcome in outcomes)


def study_of(folder: Path, phantom: Phantom) -> StudyRecord | None:
    opened = Ledger.open(site_settings(folder).ledger_url)
    try:
        with opened.reading() as rows:
            return rows.study(phantom.study_instance_uid)
    finally:
        opened.close()


def test_a_gateway_that_is_killed_again_and_again_finishes_the_study_once(
    tmp_path: Path,
) -> None:
    phantom = phantom_files(tmp_path / "phantom", seed=11)
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        for path in phantom.prior:
            archive.put(path)
        config = tmp_path / "site.toml"
        peer = archive_peer("ARCHIVE", archive.port)
        config.write_text(toml_of(tmp_path / "data", peer), "utf-8")
        for point in KILLED_AT:
            with serving(config, environment=killed_at(point)) as killed:
                send(port_of(killed), phantom)
                assert killed.wait(timeout=240) == -signal.SIGKILL
        with serving(config, environment=killed_at(None)) as restarted:
            port = port_of(restarted)
            wait_until(lambda: send(port, phantom) or None, 60, lambda: "not stored")
            study = wait_until(
                lambda: committed(tmp_path / "data", phantom),
                240,
                lambda: study_of(tmp_path / "data", phantom),
            )
        assert study.revision == 1
        classes = [str(ds.SOPClassUID) for ds in own_objects(archive)]
        assert len(classes) == len(set(classes)) == 3


def committed(folder: Path, phantom: Phantom) -> StudyRecord | None:
    study = study_of(folder, phantom)
    return study if study and study.state is State.COMMITTED else None
