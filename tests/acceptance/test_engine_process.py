"""The phantom checkpoint in a child process that is killed while it reads."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.load import merge
from dicom_io.archive import Archive, open_archive
from dicom_io.scu.send import store_instances
from gateway.lifecycle import State
from model.engines.piped import Child
from model.engines.process import ProcessEngine
from tests.data.archives import own_objects
from tests.data.phantoms import Phantom, phantom_files
from tests.data.sites import (
    MODALITY,
    Running,
    archive_peer,
    running_gateway,
    site_settings,
    wait_until,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", "ARCHIVE") as opened:
        yield opened


@pytest.fixture
def gateway(tmp_path: Path, archive: Archive) -> Iterator[Running]:
    peers = archive_peer("ARCHIVE", archive.port)
    chosen = merge(peers, {"engine": {"kind": "process", "threads": 1}})
    with running_gateway(site_settings(tmp_path / "data", chosen)) as running:
        yield running


def engine_of(gateway: Running) -> ProcessEngine:
    assert isinstance(gateway.site.engine, ProcessEngine)
    return gateway.site.engine


def is_stored(gateway: Running, phantom: Phantom) -> bool:
    outcomes = store_instances(MODALITY, gateway.remote, phantom.current)
    return all(outcome.verdict.is_stored for outcome in outcomes)


def kill_reading(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Kill a child that was just asked, so many times; the list gets their numbers."""
    killed: list[int] = []
    send = Child.send

    def send_and_kill(child: Child, frame: bytes) -> None:
        send(child, frame)
        if len(killed) < times:
            os.kill(child.process_id, signal.SIGKILL)
            killed.append(child.process_id)

    monkeypatch.setattr(Child, "send", send_and_kill)
    return killed


def test_an_engine_killed_at_work_costs_no_study_and_no_sender_notices(
    tmp_path: Path,
    gateway: Running,
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = phantom_files(tmp_path / "1", seed=11, salt="1", with_prior=False)
    second = phantom_files(tmp_path / "2", seed=12, salt="2", with_prior=False)
    killed = kill_reading(monkeypatch, times=1)
    assert is_stored(gateway, first)
    wait_until(lambda: killed or None, 60, lambda: "nothing is read")
    assert is_stored(gateway, second)
    for phantom in (first, second):
        study = gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
        assert study.revision == 1
    assert engine_of(gateway).process_id not in killed
    objects = own_objects(archive)
    made = [(str(ds.StudyInstanceUID), str(ds.SOPClassUID)) for ds in objects]
    assert len(made) == len(set(made)) == 6


def test_a_study_that_kills_the_engine_is_parked_and_the_others_are_read(
    tmp_path: Path, gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = phantom_files(tmp_path / "1", seed=11, salt="1", with_prior=False)
    other = phantom_files(tmp_path / "2", seed=12, salt="2", with_prior=False)
    killed = kill_reading(monkeypatch, times=3)
    assert is_stored(gateway, poison)
    parked = gateway.wait_for(poison.study_instance_uid, State.PARKED, seconds=240)
    assert len(killed) == 3
    assert "killed by SIGKILL" in (parked.reason or "")
    assert is_stored(gateway, other)
    gateway.wait_for(other.study_instance_uid, State.COMMITTED)
