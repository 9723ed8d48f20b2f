"""Kills at named points and at random moments: nothing lost, nothing twice.

`make failpoints` and `make kill-storm` are the same at full length.
"""

import os
import signal
from pathlib import Path

import pytest

from dicom_io.archive import open_archive
from gateway.failpoints import FAILPOINTS, VARIABLE, passed
from gateway.lifecycle import State
from tests.data.engines import CannedEngine
from tests.data.sites import await_reports, running_gateway, site_settings
from tests.faults import nursery, points, scene, storm
from tests.faults.nursery import Nursery, Stuck
from tests.faults.sender import Sender

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


PARTS = 4
"""Sites on which every point is tried once, all of them together."""
EVERY = [*FAILPOINTS, "results:after-rename@2"]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_every_named_point_loses_nothing_and_repeats_nothing(
    children: Nursery, tmp_path: Path, part: int
) -> None:
    tried = EVERY[part::PARTS]
    tally = points.run_points(children, tmp_path, tried)
    studies = len(set(tried) - set(points.PURGE))
    assert tally.faults == ()
    assert tally.studies >= studies
    assert tally.results == 3 * tally.studies


def test_ten_kills_at_random_lose_nothing_and_repeat_nothing(
    children: Nursery, tmp_path: Path
) -> None:
    found = storm.run_round(children, tmp_path, kills=10, seed="suite")
    assert found.tally.faults == ()
    assert found.tally.acknowledged > 0
    assert found.tally.results == 3 * found.tally.studies > 0


def test_every_point_of_the_table_is_passed_by_a_study_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"purge:removed@{1 << 40}")
    await_reports(monkeypatch)
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        scene.put_prior(archive, 1)
        overrides = scene.site_overrides(archive, audit=scene.SIGNING)
        settings = site_settings(tmp_path / "data", overrides)
        with running_gateway(settings, CannedEngine()) as gateway:
            with Sender(gateway.gateway.port) as sender:
                assert sender.store(scene.film(1)) == 0
            gateway.wait_for(scene.study_uid(1), State.COMMITTED)
            nursery._purge(gateway.site)
    assert [name for name in FAILPOINTS if not passed().get(name)] == []


def test_a_gateway_that_does_not_end_is_killed_and_said(
    children: Nursery, tmp_path: Path
) -> None:
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        child = children.start(tmp_path / "data", scene.site_overrides(archive))
        with pytest.raises(Stuck, match="had not ended"):
            child.wait(0.1)
    assert child.status == -signal.SIGKILL


def test_a_full_run_has_every_point_and_a_sweep_over_the_transactions() -> None:
    named = points.every_point()
    assert set(FAILPOINTS) < set(named)
    assert "ledger:before-commit@39" in named
    assert os.environ.get(VARIABLE, "") == ""
