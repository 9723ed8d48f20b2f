"""The plug-in in a real vLLM: what it answers is what the local engine answers.

VLLM_PYTHON names the interpreter of an environment that has vLLM, and ours beside it
(docs/scale.md). Without one it is skipped: vLLM pins other libraries than we do.
"""

import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import pytest

from benchmarks.rounds import free_port
from gateway.lifecycle import State
from model.engines.local import LocalEngine
from model.engines.vllmserve.asking import VllmEngine
from model.engines.vllmserve.plan import VllmPlace
from model.errors import EngineAway
from model.maira2.snapshot import weights_digest
from model.options import PHANTOM_CHECKPOINT, Domain, EngineOptions, TokenLimits
from model.phantom.asking import held_out
from model.phantom.text import inputs_of
from model.report import GroundedReport, ReportRequest, Task
from tests.data.first_study import FirstStudy, read_once_there

PYTHON = os.environ.get("VLLM_PYTHON", "")
ROOT = Path(__file__).parents[2]
START_SECONDS = 600.0
ON_A_CPU = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not PYTHON, reason="VLLM_PYTHON names no Python with vLLM"),
]


@pytest.fixture(scope="module")
def local() -> LocalEngine:
    return LocalEngine(EngineOptions(threads=1))


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server with the phantom checkpoint, and what a gateway did before it came."""

    engine: VllmEngine
    process: subprocess.Popen[bytes]
    first: FirstStudy


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("vllm"), free_port()
    address = f"http://127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(_start(port, folder))
        _await(address, started[0], folder / "log")

    try:
        first = read_once_there(
            folder,
            {"engine": {"kind": "vllm"}, "vllm": {"servers": [address]}},
            start,
        )
        place = VllmPlace(
            servers=(address,), domain=Domain.PHANTOM, token_limits=TokenLimits()
        )
        yield Served(engine=VllmEngine(place), process=started[0], first=first)
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start(port: int, folder: Path) -> subprocess.Popen[bytes]:
    options = ["--host", "127.0.0.1", "--port", str(port)]
    command = [PYTHON, "-m", "model.engines.vllmserve.serving", str(PHANTOM_CHECKPOINT)]
    command += ["--dtype", "float32", "--", *options, "--enforce-eager"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **ON_A_CPU, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text("utf-8")[-4000:]
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    pytest.fail(log.read_text("utf-8")[-4000:])


def questions(count: int) -> list[ReportRequest]:
    return [
        ReportRequest(
            inputs=inputs_of(study),
            tasks=(Task.GROUNDED_FINDINGS, Task.FINDINGS),
            phrases=("nodule in the left lung",),
        )
        for study in held_out(4, count)
    ]


def essence(reports: tuple[GroundedReport, ...]) -> list[tuple[object, ...]]:
    return [
        (
            *(report.task, report.text, report.phrases, report.flags),
            *(report.provenance.prompt_tokens, report.provenance.new_tokens),
            *(report.provenance.image_digests, report.provenance.crop_side),
            report.provenance.weights_digest,
        )
        for report in reports
    ]


def test_a_study_waits_while_no_server_is_there_and_is_read_then(
    served: Served,
) -> None:
    first = served.first
    assert "Connection refused" in first.waiting
    assert not first.was_ready
    assert (first.state, first.objects) == (State.COMMITTED, 3)
    assert first.digest == weights_digest(PHANTOM_CHECKPOINT)


def test_a_real_server_answers_as_the_local_engine_alone_and_together(
    served: Served, local: LocalEngine
) -> None:
    asked = questions(6)
    expected = [essence(reports) for reports in local.generate(asked)]
    assert [essence(each) for each in served.engine.generate(asked)] == expected

    found: dict[int, list[tuple[object, ...]]] = {}

    def ask(number: int) -> None:
        (reports,) = served.engine.generate([asked[number]])
        found[number] = essence(reports)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(asked))] == expected


def test_a_server_that_was_killed_is_away(served: Served) -> None:
    os.killpg(served.process.pid, signal.SIGKILL)
    served.process.wait()
    with pytest.raises(EngineAway, match="cannot be reached"):
        served.engine.generate(questions(1))
