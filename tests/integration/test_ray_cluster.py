"""The model behind Ray Serve, in a real cluster of several nodes on this machine.

Replicas and nodes are killed and added under load. `make ray-storm` does it longer:
FAULTS= faults, in an order that SEED= gives.
"""

import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import engine_calls
from config.load import Table
from gateway.lifecycle import State
from model.engines.local import LocalEngine
from model.errors import ConstantImage, EngineAway
from model.maira2.snapshot import weights_digest
from model.options import PHANTOM_CHECKPOINT, EngineOptions
from model.phantom.asking import held_out
from model.phantom.text import inputs_of
from model.report import (
    FlagKind,
    GroundedReport,
    ReportRequest,
    Task,
)
from tests.data.asking import Askers
from tests.data.first_study import FirstStudy, read_once_there
from tests.data.ray_nodes import Nodes, require_ray, running_nodes
from tests.data.ray_site import COPIES, RaySite, ray_site
from tests.data.sites import wait_until

if TYPE_CHECKING:
    from model.engine import ReportEngine

FAULTS = int(os.environ.get("FAULTS", "0"))
SEED = int(os.environ.get("SEED", "1"))
FAULT_SECONDS = 240.0
pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.timeout(1500 + FAULTS * FAULT_SECONDS),
]
SCALING = {
    "target_studies": 1.0,
    "upscale_seconds": 1.0,
    "downscale_seconds": 2.0,
}
WHOLE = replace(EngineOptions(), checkpoint=PHANTOM_CHECKPOINT, device="cpu", threads=1)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster with the model in it, and how it came to be."""

    nodes: Nodes
    site: RaySite
    said: str
    first: FirstStudy


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for the module: nothing of it is left when its tests are over."""
    require_ray()
    folder = tmp_path_factory.mktemp("ray")
    with running_nodes(1) as nodes:
        site = ray_site(folder / "site", nodes)
        said: list[str] = []
        first = read_once_there(folder, _of(site), lambda: said.append(site.deploy()))
        yield Cluster(nodes=nodes, site=site, said=said[0], first=first)


def _of(site: RaySite) -> Table:
    return {key: site.chosen[key] for key in ("engine", "ray")}


def questions(count: int) -> list[ReportRequest]:
    return [
        ReportRequest(
            inputs=inputs_of(study),
            tasks=(Task.GROUNDED_FINDINGS,),
            phrases=("the heart is enlarged",),
        )
        for study in held_out(9, count)
    ]


def other_checkpoint(folder: Path) -> Path:
    """Copy the checkpoint, with the same answers under another digest."""
    shutil.copytree(PHANTOM_CHECKPOINT, folder)
    config = folder / "config.json"
    config.write_text(config.read_text("utf-8") + "\n", "utf-8")
    return folder


def words(report: GroundedReport) -> GroundedReport:
    """Return a report without the times it took, and without what follows from them.

    How many guesses were read along is such: they are given up where they cost time.
    """
    own = report.provenance
    settings = tuple(pair for pair in own.settings if pair[0] != "guesses")
    own = replace(own, seconds=0.0, phases=(), settings=settings)
    return replace(report, provenance=own)


def test_a_study_waits_while_nothing_is_deployed_and_is_read_then(
    cluster: Cluster,
) -> None:
    first = cluster.first
    assert "Connection refused" in first.waiting
    assert not first.was_ready
    assert (first.state, first.objects) == (State.COMMITTED, 3)
    assert first.digest == weights_digest(PHANTOM_CHECKPOINT)
    assert "maira is RUNNING: 2 RUNNING" in cluster.said


def test_reports_are_those_of_the_local_engine_to_the_last_bit(
    cluster: Cluster,
) -> None:
    asked = questions(3)
    local = LocalEngine(WHOLE)
    served = cluster.site.engine()
    expected = [tuple(map(words, each)) for each in local.generate(asked)]
    assert [tuple(map(words, served.generate([one])[0])) for one in asked] == expected
    assert [tuple(map(words, each)) for each in served.generate(asked)] == expected
    assert served.identity == local.identity


def test_calls_of_both_engines_are_measured_in_turn(cluster: Cluster) -> None:
    engines: dict[str, ReportEngine] = {
        "local": LocalEngine(WHOLE),
        "ray": cluster.site.engine(),
    }
    calls = engine_calls.measure(engines, engine_calls.questions(2, 0))
    assert [len(own) for own in calls.values()] == [2, 2]
    (milliseconds, share) = engine_calls.targets(calls)
    assert milliseconds.reached == pytest.approx(600 * share.reached)
    assert len(engine_calls.figures(calls, "phantom")) == 4


def test_deadlines_and_refusals_are_those_of_the_local_engine(cluster: Cluster) -> None:
    served, (one,) = cluster.site.engine(), questions(1)
    ((report, *_),) = served.generate([replace(one, deadline_seconds=0.001)])
    assert FlagKind.DEADLINE in {flag.kind for flag in report.flags}
    black = replace(one.inputs, current_frontal=one.inputs.current_frontal * 0)
    with pytest.raises(ConstantImage, match="all pixels of current_frontal are 0"):
        served.generate([one, replace(one, inputs=black)])
    assert served.generate([one])


@pytest.mark.skipif(
    not FAULTS, reason="two more deployments take minutes: make ray-storm does them"
)
def test_a_copy_comes_with_the_queue_and_goes_without_it(cluster: Cluster) -> None:
    nodes, site = cluster.nodes, cluster.site
    site.change({"ray": {"least_replicas": 1, **SCALING}})
    site.deploy()
    copies(nodes, 1)
    asked = [replace(one, phrases=()) for one in questions(4)]
    with Askers(site.engine(), asked, threads=6) as load:
        copies(nodes, COPIES)
        load.wait_for(FAULT_SECONDS, lambda new: len(new) >= 4)
    copies(nodes, 1)
    assert load.wrong == []
    assert load.deaths.total() == 0, "a question was lost with the copy that went"
    site.change({"ray": {"least_replicas": COPIES}})
    site.deploy()
    copies(nodes, COPIES)


def copies(nodes: Nodes, count: int) -> None:
    """Wait until the model is loaded so many times."""
    wait_until(
        lambda: len(nodes.replicas()) == count or None, FAULT_SECONDS, nodes.replicas
    )


def test_whatever_dies_under_load_every_question_is_answered_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    nodes, site = cluster.nodes, cluster.site
    asked = questions(4)
    expected = [said.text for (said, _) in LocalEngine(WHOLE).generate(asked)]
    asked = [replace(one, phrases=()) for one in asked]
    other = other_checkpoint(tmp_path / "other")
    with Askers(site.engine(), asked) as load:
        lose_a_replica_and_a_node(nodes, load)
        roll_out(site, other, load)
        storm(nodes, load)
    assert load.wrong == []
    assert sorted(number for number, *_ in load.answers) == [*range(load.begun)]
    assert {(number % 4, said.text) for number, said, _ in load.answers} == set(
        enumerate(expected)
    )
    digests = [author.weights_digest for *_, author in load.answers]
    old, new = weights_digest(PHANTOM_CHECKPOINT), weights_digest(other)
    assert {*digests} == {old, new}
    assert digests[-4:] == [new] * 4
    assert all(
        s.provenance.weights_digest == a.weights_digest for _, s, a in load.answers
    )


def lose_a_replica_and_a_node(nodes: Nodes, load: Askers) -> None:
    """Kill one of two replicas, add a node, kill the one that has all replicas."""
    load.wait_for(FAULT_SECONDS, lambda new: len(new) >= 2)
    (first,) = nodes.known
    os.kill(nodes.replicas()[0], signal.SIGKILL)
    load.wait_for(FAULT_SECONDS, lambda new: len(new) >= 2)
    nodes.add()
    load.wait_for(FAULT_SECONDS, lambda new: len(new) >= 2)
    nodes.kill(first)
    load.wait_for(FAULT_SECONDS, lambda new: len(new) >= 4)


def roll_out(site: RaySite, checkpoint: Path, load: Askers) -> None:
    """Have other weights take the place of those that answer; nothing is lost."""
    deaths = load.deaths.total()
    site.change(
        {"engine": {"checkpoint": str(checkpoint)}, "ray": {"surge_percent": 100}}
    )
    site.deploy()
    load.wait_for(FAULT_SECONDS, lambda new: len(new) >= 4)
    assert load.deaths.total() == deaths, "a question was lost in the roll-out"


def storm(nodes: Nodes, load: Askers) -> None:
    """Do as many faults more as `make ray-storm` asks for."""
    chance = random.Random(SEED)  # noqa: S311 - faults, no secrets
    for number in range(FAULTS):
        what = chance.choice(["replica", "replica", "add", "kill", "stop"])
        match what:
            case "replica" | "stop":
                replicas = nodes.replicas()
                kind = signal.SIGKILL if what == "replica" else signal.SIGSTOP
                if replicas:
                    os.kill(chance.choice(replicas), kind)
            case "kill" if len(nodes.known) > 1:
                nodes.kill(chance.choice(nodes.known))
            case _:
                nodes.add()
        load.wait_for(FAULT_SECONDS, lambda new: len(new) >= 5)
        sys.stdout.write(f"{number + 1} {what}: {load.told()}\n")


def test_what_is_removed_is_away_and_can_be_removed_once(cluster: Cluster) -> None:
    assert cluster.site.verb("engine", "remove") == (
        0,
        "The application maira is gone.\n",
    )
    # Serve's proxy hears of the removal a moment later: until then nobody reads there.
    with pytest.raises(EngineAway, match=r"has no application|or there is none"):
        cluster.site.engine().generate([])
    code, said = cluster.site.verb("engine", "status")
    assert (code, said) == (1, "There is no such application.\n")
