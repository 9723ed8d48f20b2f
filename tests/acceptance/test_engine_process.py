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


def is_idle(gateway: Running) -> bool:
    return engine_of(gateway)._answer is None


def kill_reading(gateway: Running) -> int:
    """Kill the child in the middle of a reading; return its number."""
    engine = engine_of(gateway)
    wait_until(lambda: engine._answer, 60, lambda: "nothing is read")
    number = engine.process_id
    assert number is not None
    os.kill(number, signal.SIGKILL)
    return number


def test_an_engine_killed_at_work_costs_no_study_and_no_sender_notices(
    tmp_path: Path, gateway: Running, archive: Archive
) -> None:
    first = phantom_files(tmp_path / "1", seed=11, salt="1", with_prior=False)
    second = phantom_files(tmp_path / "2", seed=12, salt="2", with_prior=False)
    assert is_stored(gateway, first)
    killed = kill_reading(gateway)
    assert is_stored(gateway, second)
    for phantom in (first, second):
        study = gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
        assert study.revision == 1
    assert engine_of(gateway).process_id != killed
    objects = own_objects(archive)
    made = [(str(ds.StudyInstanceUID), str(ds.SOPClassUID)) for ds in objects]
    assert len(made) == len(set(made)) == 6


def test_a_study_that_kills_the_engine_is_parked_and_the_others_are_read(
    tmp_path: Path, gateway: Running
) -> None:
    poison = phantom_files(tmp_path / "1", seed=11, salt="1", with_prior=False)
    other = phantom_files(tmp_path / "2", seed=12, salt="2", with_prior=False)
    assert is_stored(gateway, poison)
    for _ in range(3):
        kill_reading(gateway)
        wait_until(lambda: is_idle(gateway) or None, 10, lambda: "not noticed")
    parked = gateway.wait_for(poison.study_instance_uid, State.PARKED)
    assert "killed by SIGKILL" in (parked.reason or "")
    assert is_stored(gateway, other)
    gateway.wait_for(other.study_instance_uid, State.COMMITTED)
