"""What is said of the gateway's health, and that no lie is told."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from fastapi import FastAPI

from gateway.errors import GatewayError, NotReady
from gateway.running.composition import open_site
from gateway.running.serve import Gateway
from gateway.watching.health import Beats, Question, engine_finding
from gateway.web.serving import PortOptions, WebPort
from model.engines.process import ProcessEngine
from model.engines.rayserve.asking import RayEngine
from model.engines.rayserve.plan import ServePlace
from model.engines.vllmserve.asking import VllmEngine
from model.engines.vllmserve.plan import VllmPlace
from model.options import Domain, TokenLimits
from tests.data.engine_child import child_command
from tests.data.engines import CannedEngine
from tests.data.serve_proxy import APPLICATION, fake_proxy
from tests.data.sites import Running, running_gateway, site_settings, wait_until
from tests.data.vllm_server import fake_vllm

if TYPE_CHECKING:
    from config.load import Table


def asked(port: int, page: str) -> tuple[int, dict[str, dict[str, object]]]:
    """Return the status and the findings of a page."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/{page}", timeout=30) as answer:
            return answer.status, json.load(answer)["findings"]
    except HTTPError as error:
        with error:
            return error.code, json.load(error)["findings"]


def failing(port: int, page: str = "ready") -> set[str]:
    """Return the names of the findings that do not hold."""
    status, findings = asked(port, page)
    names = {name for name, found in findings.items() if not found["ok"]}
    assert (status == 200) == (not names)
    return names


def wait_for_failing(port: int, *names: str) -> None:
    """Wait until these findings of readiness alone do not hold.

    A ledger that is slow to answer is one of them for a while.
    """
    wait_until(
        lambda: failing(port) == {*names} or None, 30, lambda: asked(port, "ready")
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    settings = site_settings(tmp_path / "data")
    with running_gateway(settings, CannedEngine()) as gateway:
        yield gateway


def test_a_gateway_at_work_is_alive_and_ready(running: Running) -> None:
    port = running.gateway.web_port
    assert asked(port, "live")[1].keys() == {"listener", "workers"}
    wait_for_failing(port)
    assert asked(port, "ready")[1].keys() == {
        "listener",
        "workers",
        "ledger",
        "disk",
        "engine",
        "scheduler",
    }


def test_a_locked_ledger_is_not_ready_and_yet_alive(running: Running) -> None:
    path = running.site.settings.ledger_path
    assert path is not None
    with closing(sqlite3.connect(path, 60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert failing(running.gateway.web_port) == {"ledger"}
        assert failing(running.gateway.web_port, "live") == set()
        other.execute("ROLLBACK")
    wait_for_failing(running.gateway.web_port)


def test_a_disk_under_its_reserve_is_not_ready(tmp_path: Path) -> None:
    full: Table = {"storage": {"reserve_bytes": 1 << 60}}
    settings = site_settings(tmp_path / "data", full)
    with running_gateway(settings, CannedEngine()) as gateway:
        wait_for_failing(gateway.gateway.web_port, "disk")


def test_a_listener_that_does_not_come_round_is_neither_alive_nor_ready(
    running: Running,
) -> None:
    assert running.gateway._listening is not None
    listener = running.gateway._listening.listener
    assert listener is not None
    listener._server.stop()
    listener._threads[0].join()
    port = running.gateway.web_port
    assert failing(port, "live") == {"listener"}
    wait_for_failing(port, "listener")


def test_workers_that_nobody_wakes_are_neither_alive_nor_ready(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.gateway._rounds.stop()
    monkeypatch.setattr("gateway.watching.health._IDLE_SECONDS", 0.0)
    port = running.gateway.web_port
    assert failing(port, "live") == {"workers"}
    wait_for_failing(port, "workers")


def test_an_engine_whose_process_is_gone_is_not_ready() -> None:
    engine = ProcessEngine(child_command())
    try:
        assert engine_finding(engine).ok
        engine._ready = False
        assert not engine_finding(engine).ok
    finally:
        engine.close()


def test_a_gateway_that_stops_says_so_until_it_has_stopped(tmp_path: Path) -> None:
    gateway = Gateway(open_site(site_settings(tmp_path / "data"), CannedEngine()))
    with gateway:
        port = gateway.web_port
        gateway._stopping.set()
        wait_for_failing(port, "stopping")
        assert failing(port, "live") == set()
    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5)


def test_another_page_is_not_found(running: Running) -> None:
    url = f"http://127.0.0.1:{running.gateway.web_port}/health/other"
    with pytest.raises(HTTPError, match="404") as found:
        urlopen(url, timeout=30)
    found.value.close()


def options(port: int) -> PortOptions:
    return PortOptions(host="127.0.0.1", port=port, connections=8)


def test_a_taken_port_ends_the_start() -> None:
    port = WebPort(FastAPI(), options(0))
    try:
        with pytest.raises(NotReady, match=r"web\.port"):
            WebPort(FastAPI(), options(port.port))
    finally:
        port.close()


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_that_is_idle_too_long_or_at_work_too_long_is_told() -> None:
    clock = _Clock()
    beats = Beats(3600.0, clock)
    beats.add("send-0")
    with beats.at_work("read-0") as moved:
        clock.now = 29.0
        assert beats.finding().ok
        clock.now = 31.0
        assert beats.finding().detail == "no movement of send-0 for 31 s"
        beats.add("send-0")
        clock.now = 3601.0
        beats.add("send-0")
        assert beats.finding().detail == "no movement of read-0 for 3601 s"
        moved()
        assert beats.finding().ok
    clock.now = 3632.0
    assert not beats.finding().ok


def test_who_is_roused_is_the_first_that_is_idle_or_else_the_first() -> None:
    beats, names = Beats(3600.0), ("send-0", "send-1")
    assert beats.first_idle(names) == "send-0"
    with beats.at_work("send-0"):
        assert beats.first_idle(names) == "send-1"
        with beats.at_work("send-1"):
            assert beats.first_idle(names) == "send-0"


def test_a_question_without_an_answer_is_not_asked_twice() -> None:
    let_go, asked_count = threading.Event(), []

    def ask() -> str:
        asked_count.append(1)
        let_go.wait(30)
        return "written"

    question = Question("ledger", ask)
    try:
        late = [question.finding(0.01) for _ in range(3)]
        assert {each.detail for each in late} == {"no answer within 0.01 s"}
        assert not any(each.ok for each in late)
        let_go.set()
        assert question.finding(30).ok
        assert len(asked_count) == 1
    finally:
        question.close()


def test_a_question_that_fails_says_why() -> None:
    def ask() -> str:
        raise GatewayError("the ledger failed: disk I/O error")

    question = Question("ledger", ask)
    found = question.finding()
    question.close()
    assert (found.ok, found.detail) == (False, "the ledger failed: disk I/O error")


@pytest.fixture
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever knows the model be slow to say so."""
    for name in ("_PROXY_SECONDS", "_SERVER_SECONDS"):
        monkeypatch.setattr(f"gateway.watching.health.{name}", 30.0)


@pytest.mark.usefixtures("_patience")
def test_an_engine_behind_ray_serve_is_ready_while_a_proxy_knows_it() -> None:
    with fake_proxy() as proxy:
        place = ServePlace(
            proxies=(proxy.address,), application=APPLICATION, domain=Domain.PHANTOM
        )
        engine = RayEngine(place)
        assert engine_finding(engine).ok
        proxy.routes = {}
        found = engine_finding(engine)
    assert not found.ok
    assert "has no application" in found.detail


@pytest.mark.usefixtures("_patience")
def test_an_engine_behind_vllm_is_ready_while_a_server_serves_the_model() -> None:
    with fake_vllm() as server:
        place = VllmPlace(
            servers=(server.address,),
            domain=Domain.RADIOGRAPH,
            token_limits=TokenLimits(),
        )
        engine = VllmEngine(place)
        found = engine_finding(engine)
        assert (found.ok, found.detail) == (True, "behind vLLM")
        server.names = ["another"]
        found = engine_finding(engine)
    assert not found.ok
    assert "0 models under a name of ours" in found.detail
