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
from pathlib import Path
from urllib.error import URLError

import pytest

from benchmarks.rounds import free_port
from model.engines.local import LocalEngine
from model.engines.vllmserve.asking import VllmEngine
from model.engines.vllmserve.plan import VllmPlace
from model.errors import EngineAway
from model.options import PHANTOM_CHECKPOINT, Domain, EngineOptions, TokenLimits
from model.phantom.asking import held_out
from model.phantom.text import inputs_of
from model.report import GroundedReport, ReportRequest, Task

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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[VllmEngine, subprocess.Popen[bytes]]]:
    """Serve the phantom checkpoint; yields an engine that asks it, and the process."""
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port)]
    command = [PYTHON, "-m", "model.engines.vllmserve.serving", str(PHANTOM_CHECKPOINT)]
    command += ["--dtype", "float32", "--", *options, "--enforce-eager"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, **ON_A_CPU, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _await(address, process, tmp_path / "log")
        place = VllmPlace(
            servers=(address,), domain=Domain.PHANTOM, token_limits=TokenLimits()
        )
        yield VllmEngine(place), process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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


def test_a_real_server_answers_as_the_local_engine_and_may_die(
    server: tuple[VllmEngine, subprocess.Popen[bytes]], local: LocalEngine
) -> None:
    engine, process = server
    asked = questions(6)
    expected = [essence(reports) for reports in local.generate(asked)]
    assert [essence(reports) for reports in engine.generate(asked)] == expected

    found: dict[int, list[tuple[object, ...]]] = {}

    def ask(number: int) -> None:
        (reports,) = engine.generate([asked[number]])
        found[number] = essence(reports)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(asked))] == expected

    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(EngineAway, match="cannot be reached"):
        engine.generate(asked[:1])
