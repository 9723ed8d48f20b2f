"""What is handed to Ray Serve, and what a copy does beside answering."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from model.engines.rayserve.asking import ALONE
from model.engines.rayserve.plan import Batching, Deployment, Proxies, Replicas
from model.engines.wire import Ask, Failed, Message, Ready, Reports, decode, encode
from model.errors import (
    CheckpointError,
    ConstantImage,
    EngineAway,
    EngineDied,
)
from model.options import EngineOptions
from model.report import GroundedReport, ReportInputs, ReportRequest, Task
from tests.data.engines import CannedEngine
from tests.data.ray_nodes import load_ray

if TYPE_CHECKING:
    from model.engines.rayserve.replica import Replica

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)
REQUEST = ReportRequest(
    inputs=ReportInputs(current_frontal=IMAGE), tasks=(Task.FINDINGS,)
)
PLAN = Deployment(
    cluster="auto",
    application="maira",
    options=EngineOptions(),
    proxies=Proxies(host="127.0.0.1", port=8000),
)

pytestmark = pytest.mark.peers


@pytest.fixture(autouse=True)
def _ray() -> None:
    load_ray()


@dataclass
class Posted:
    """A request as Serve hands it in."""

    frame: bytes
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: {ALONE: "1"})

    async def body(self) -> bytes:
        return self.frame


@dataclass
class Doing:
    """An engine that does what it is told when it is asked."""

    do: Callable[[], None]

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        self.do()
        return CannedEngine().generate(requests)


def replica(
    monkeypatch: pytest.MonkeyPatch, engine: object = None, digest: str = ""
) -> "Replica":
    from model.engines.rayserve import replica as module

    canned = CannedEngine()
    ready = Ready(identity=canned.identity, device="cpu")
    monkeypatch.setattr(module, "load_engine", lambda _: (engine or canned, ready))
    digest = digest or canned.identity.weights_digest
    return module.Replica(EngineOptions(), digest, Batching())


def answer(copy: "Replica", request: Posted) -> Message:
    whole = asyncio.run(copy(request))
    ready = encode(copy._ready)
    assert whole.startswith(ready)
    return decode(whole[len(ready) :])


def test_a_copy_says_who_it_is_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = replica(monkeypatch)
    said = answer(copy, Posted(encode(Ask(requests=(REQUEST, REQUEST)))))
    assert isinstance(said, Reports)
    assert list(said.reports) == CannedEngine().generate([REQUEST, REQUEST])
    assert asyncio.run(copy(Posted(b"", method="GET"))) == encode(copy._ready)
    copy.check_health()


def test_another_checkpoint_on_its_node_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(CheckpointError, match=f"deployed is {'e' * 64}"):
        replica(monkeypatch, digest="e" * 64)


@pytest.mark.parametrize(
    "frame",
    [b"", b"MGEW\x00\x02", encode(Reports(reports=()))],
    ids=["nothing", "other-version", "reports"],
)
def test_what_is_no_question_costs_no_study_an_attempt(
    monkeypatch: pytest.MonkeyPatch, frame: bytes
) -> None:
    said = answer(replica(monkeypatch), Posted(frame))
    assert isinstance(said, Failed)
    assert type(said.exception()) is EngineAway


def test_what_the_model_refuses_is_told_and_the_copy_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    black = replace(REQUEST, inputs=ReportInputs(current_frontal=IMAGE * 0))
    copy = replica(monkeypatch)
    said = answer(copy, Posted(encode(Ask(requests=(black,)))))
    assert isinstance(said, Failed)
    assert type(said.exception()) is ConstantImage
    copy.check_health()


def test_a_batch_that_fails_is_asked_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    black = replace(REQUEST, inputs=ReportInputs(current_frontal=IMAGE * 0))
    copy = replica(monkeypatch)
    first, second, third = asyncio.run(copy._read([REQUEST, black, REQUEST]))
    assert isinstance(second, ConstantImage)
    assert [first, third] == CannedEngine().generate([REQUEST, REQUEST])


def test_a_fault_that_nobody_expected_ends_the_copy_and_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise ValueError("Doe^Jane")

    copy = replica(monkeypatch, Doing(fail))
    said = answer(copy, Posted(encode(Ask(requests=(REQUEST,)))))
    assert said == Failed.of(EngineDied("the model failed: ValueError"))
    with pytest.raises(RuntimeError, match="ValueError"):
        copy.check_health()


def test_a_reading_that_overruns_its_deadline_by_far_is_called_a_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from model.engines.rayserve import replica as module

    monkeypatch.setattr(module, "GRACE_SECONDS", 0.0)
    begun, go = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go.wait(60)

    copy = replica(monkeypatch, Doing(hang))
    request = replace(REQUEST, deadline_seconds=0.001)
    thread = threading.Thread(target=lambda: copy._outcomes([request]))
    thread.start()
    assert begun.wait(60)
    threading.Event().wait(0.05)
    with pytest.raises(RuntimeError, match="hangs"):
        copy.check_health()
    go.set()
    thread.join()
    copy.check_health()


def test_a_batch_is_measured_in_tokens_and_takes_one_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = replica(monkeypatch)
    assert copy._size([REQUEST]) == 1  # on a CPU: one by one
    assert copy._size([REQUEST, REQUEST]) > 1
    copy._most = 5000
    assert 1000 < copy._size([REQUEST]) < copy._size([REQUEST, REQUEST]) < 5000


def deployed(replicas: Replicas) -> Any:  # noqa: ANN401 - Serve's own, without types
    from model.engines.rayserve import deploying

    plan = replace(PLAN, replicas=replicas)
    application = deploying._application(plan, "d" * 64)
    return application._bound_deployment


def test_as_many_copies_as_named_get_what_is_said() -> None:
    own = deployed(Replicas(least=3, most=3, gpus=0.5, cpus=2, studies=16, waiting=9))
    assert own.num_replicas == 3
    assert own.ray_actor_options == {"num_cpus": 2, "num_gpus": 0.5}
    assert (own.max_ongoing_requests, own.max_queued_requests) == (16, 9)
    config = own._deployment_config
    assert config.autoscaling_config is None
    assert config.graceful_shutdown_timeout_s == PLAN.drain_seconds
    assert config.max_surge_percent == 0


def test_between_least_and_most_serve_decides_by_the_queue() -> None:
    config = deployed(
        Replicas(least=1, most=4, target=3, upscale_seconds=5, surge_percent=50)
    )._deployment_config
    scaling = config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 4)
    assert (scaling.target_ongoing_requests, scaling.upscale_delay_s) == (3, 5)
    assert config.max_surge_percent == 50
