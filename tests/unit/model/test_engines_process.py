"""The engine as a process: it dies, hangs and lies, and the next one is started."""

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.engines.child import OPTIONS, warm_up_request
from model.engines.domain import declared_domain
from model.engines.piped import describe_end
from model.engines.process import ProcessEngine, Watch, hard_limit, local_command
from model.errors import (
    CheckpointError,
    EngineAway,
    EngineDied,
    EngineUnavailable,
    ModelError,
    RefusedRequest,
)
from model.maira2.configuration import read_config
from model.options import PHANTOM_CHECKPOINT, EngineOptions, TokenLimits
from model.report import ReportInputs, ReportRequest, Task
from tests.data.engine_child import child_command
from tests.data.engines import CannedEngine
from tests.data.sites import wait_until
from tests.data.tiny_maira2 import write_tiny

QUICK = Watch(start=30.0, silence=30.0, grace=0.3, first_pause=0.01, most_pause=0.05)
LOADING = replace(QUICK, start=300.0, silence=120.0)
"""For a child that loads torch."""

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)


def request(how: str | None = None, deadline: float | None = None) -> ReportRequest:
    return ReportRequest(
        inputs=ReportInputs(current_frontal=IMAGE, indication=how),
        tasks=(Task.GROUNDED_FINDINGS,),
        deadline_seconds=deadline,
    )


@contextmanager
def engine(start: str = "ready", watch: Watch = QUICK) -> Iterator[ProcessEngine]:
    opened = ProcessEngine(child_command(start), watch)
    try:
        yield opened
    finally:
        opened.close()


def ready(opened: ProcessEngine, not_one: int | None = None) -> int:
    """Wait until a child is ready that is not `not_one`; return its number."""

    def found() -> int | None:
        number = opened.process_id
        return number if number != not_one else None

    return wait_until(found, 60, lambda: opened._why)


def is_running(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text("ascii").rpartition(")")[2]
    except FileNotFoundError:
        return False
    return state.split()[0] != "Z"


def test_requests_are_answered_in_order_and_say_who_answered() -> None:
    phrase = ReportRequest(inputs=request().inputs, phrases=("the heart",))
    with engine() as opened:
        assert opened.identity == CannedEngine().identity
        assert opened.device == "cpu"
        answers = opened.generate([request(), phrase])
    assert answers == CannedEngine().generate([request(), phrase])


def test_several_threads_may_ask() -> None:
    with engine() as opened, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: opened.generate([request()]), range(40)))
    assert answers == [CannedEngine().generate([request()])] * 40


def test_what_the_engine_refuses_is_raised_here_and_the_child_lives() -> None:
    with engine() as opened:
        number = ready(opened)
        with pytest.raises(RefusedRequest, match="never"):
            opened.generate([request("refused")])
        assert opened.generate([request()])
        assert opened.process_id == number


def test_a_report_of_memory_that_ran_out_is_raised_as_it_was_told() -> None:
    with engine() as opened:
        with pytest.raises(EngineUnavailable, match="out of memory on cuda") as told:
            opened.generate([request("memory")])
        assert type(told.value) is EngineUnavailable
        assert opened.generate([request()])


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("killed", "killed by SIGKILL, probably because memory ran out"),
        ("exit", "ended with exit code 3"),
        ("garbage", "a message begins with"),
    ],
)
def test_an_end_at_work_is_told_and_the_next_child_answers(how: str, why: str) -> None:
    with engine() as opened:
        number = ready(opened)
        with pytest.raises(EngineDied, match=why):
            opened.generate([request(how)])
        ready(opened, number)
        assert opened.generate([request()])
        assert not is_running(number)


def test_a_child_that_overruns_the_deadline_is_killed() -> None:
    with engine() as opened:
        number = ready(opened)
        with pytest.raises(EngineDied, match=r"no answer within 0\.5 s"):
            opened.generate([request("hang", deadline=0.2)])
        ready(opened, number)
        assert not is_running(number)


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, whatever an earlier test made of it."""
    held = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, held)


def is_waiting(thread: int) -> bool:
    """Tell whether a thread is about to have what a future brings."""
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not Future.result.__code__:
        frame = frame.f_back
    return frame is not None


@pytest.mark.usefixtures("interrupts")
def test_the_answer_to_an_interrupted_question_goes_to_nobody() -> None:
    main = threading.main_thread().ident or 0

    def interrupt() -> None:
        # A signal between the question and the wait for its answer is lost.
        wait_until(lambda: is_waiting(main) or None, 60, lambda: "no question")
        signal.pthread_kill(main, signal.SIGINT)

    with engine() as opened, ThreadPoolExecutor(1) as other:
        number = ready(opened)
        interrupted = other.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            opened.generate([request("hang")])
        interrupted.result()
        assert ready(opened, number)
        assert opened.generate([request()]) == CannedEngine().generate([request()])


def test_a_child_that_cannot_listen_any_more_ends() -> None:
    deaf = (
        "import io, queue, threading\n"
        "from model.engines.child import _listen\n"
        "class Source(io.BytesIO):\n"
        "    def read(self, count):\n"
        "        raise MemoryError\n"
        "asks = queue.SimpleQueue()\n"
        "ears = threading.Thread(target=_listen, args=(Source(), asks))\n"
        "ears.start()\n"
        "ears.join()\n"
    )
    ended = subprocess.run([sys.executable, "-c", deaf], check=False, timeout=60)
    assert ended.returncode == 1


def test_a_child_that_gives_no_sign_of_life_is_killed() -> None:
    with engine() as opened:
        assert opened._child is not None
        opened._child._silence_seconds = 3.0  # from the next sign of life on
        opened.generate([request()])
        with pytest.raises(EngineDied, match="silent for 3 s"):
            opened.generate([request("hang")])


def test_a_child_that_dies_while_nobody_asks_is_started_again() -> None:
    with engine() as opened:
        number = ready(opened)
        os.kill(number, signal.SIGTERM)
        ready(opened, number)
        assert opened.generate([request()])


def test_while_there_is_no_child_nobody_is_blamed(tmp_path: Path) -> None:
    with engine(f"once:{tmp_path}") as opened:
        with pytest.raises(EngineDied):
            opened.generate([request("killed")])
        for asked in ([], [request()]):
            with pytest.raises(EngineAway, match="being started again"):
                opened.generate(asked)


def test_a_child_that_cannot_start_again_is_tried_again_and_again(
    tmp_path: Path,
) -> None:
    with engine(f"once:{tmp_path}") as opened:
        with pytest.raises(EngineDied):
            opened.generate([request("killed")])
        wait_until(
            lambda: len(list(tmp_path.iterdir())) > 3 or None, 30, lambda: opened._why
        )
        with pytest.raises(EngineAway, match="exit code 9"):
            opened.generate([])


def test_the_pause_doubles_up_to_its_limit_until_a_question_is_answered() -> None:
    with engine(watch=Watch(first_pause=1.0, most_pause=60.0)) as opened:
        pauses: list[float] = []
        for opened._ends in (1, 2, 3, 6, 7, 5000):
            pauses.append(opened._pause())
        assert pauses == [1.0, 2.0, 4.0, 32.0, 60.0, 60.0]
        opened.generate([request()])
        assert opened._ends == 0


@pytest.mark.parametrize(
    ("start", "kind", "why"),
    [
        ("no-checkpoint", CheckpointError, "config.json is missing"),
        ("exit", EngineUnavailable, "exit code 7"),
        ("killed", EngineUnavailable, "SIGKILL"),
        ("garbage", EngineUnavailable, "a message begins with"),
        ("early-answer", EngineUnavailable, "what only a gateway says"),
    ],
)
def test_a_first_child_that_does_not_get_ready_ends_the_start(
    start: str, kind: type[ModelError], why: str
) -> None:
    with pytest.raises(kind, match=why):
        ProcessEngine(child_command(start), QUICK)


def test_a_first_child_that_is_silent_ends_the_start() -> None:
    with pytest.raises(EngineUnavailable, match="silent for 2 s"):
        ProcessEngine(child_command("silent"), Watch(silence=2.0))


def test_a_command_that_is_none_ends_the_start() -> None:
    with pytest.raises(EngineUnavailable, match="cannot be started"):
        ProcessEngine(("/nonexistent/interpreter",), QUICK)


def test_another_engine_than_at_the_start_is_not_used(tmp_path: Path) -> None:
    options = EngineOptions(
        checkpoint=write_tiny(tmp_path / "model"),
        device="cpu",
        threads=1,
        token_limits=TokenLimits(findings=2),
    )
    opened = ProcessEngine(local_command(options), LOADING)
    try:
        write_tiny(tmp_path / "model", domain=None)
        os.kill(ready(opened), signal.SIGKILL)
        wait_until(lambda: "changed" in opened._why or None, 120, lambda: opened._why)
        with pytest.raises(EngineAway, match="restart the gateway"):
            opened.generate([])
    finally:
        opened.close()


def test_closing_ends_a_reading_and_blames_nobody() -> None:
    with engine() as opened, ThreadPoolExecutor(1) as pool:
        number = ready(opened)
        asked = pool.submit(opened.generate, [request("hang")])
        wait_until(lambda: opened._answer, 60, lambda: "not asked")
        opened.close()
        with pytest.raises(EngineAway, match="being stopped"):
            asked.result(60)
        assert not is_running(number)
        with pytest.raises(EngineAway):
            opened.generate([request()])


def test_closing_twice_is_closing_once() -> None:
    with engine() as opened:
        opened.close()
    assert not opened._thread.is_alive()


def test_no_thread_and_no_descriptor_is_left_behind() -> None:
    gc.collect()  # what other tests have left
    before = held()
    with engine() as opened:
        for _ in range(3):
            number = ready(opened)
            with pytest.raises(EngineDied):
                opened.generate([request("killed")])
            ready(opened, number)

    def is_as_before() -> bool:
        return all(now <= was for now, was in zip(held(), before, strict=True))

    wait_until(lambda: is_as_before() or None, 30, lambda: (before, held()))


def held() -> tuple[int, int]:
    """Count the threads and the descriptors of this process."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


PARENT = """
import sys, time
from model.engines.process import ProcessEngine, local_command
from model.engines.child import OPTIONS
options = OPTIONS.validate_json(sys.argv[1])
engine = ProcessEngine(local_command(options))
print(engine.process_id, "torch" in sys.modules, engine.identity.domain, flush=True)
time.sleep(600)
"""


def test_a_child_ends_with_its_parent_which_never_loads_torch(tmp_path: Path) -> None:
    options = EngineOptions(
        checkpoint=write_tiny(tmp_path),
        device="cpu",
        threads=1,
        token_limits=TokenLimits(findings=2),
    )
    command = [sys.executable, "-c", PARENT, OPTIONS.dump_json(options).decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        number, torch, domain = parent.stdout.readline().split()
        parent.kill()
    assert (torch, domain) == ("False", "phantom")
    wait_until(lambda: not is_running(int(number)) or None, 60, lambda: "an orphan")


def test_secrets_of_the_gateway_are_not_handed_to_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIRA_GATEWAY_LEDGER_URL", "postgresql://u:canary@host/db")
    with engine() as opened:
        number = ready(opened)
        assert b"canary" not in Path(f"/proc/{number}/environ").read_bytes()


@pytest.mark.parametrize(
    ("deadlines", "limit"),
    [([5.0], 7.0), ([5.0, 9.0], 11.0), ([5.0, None], None), ([None], None)],
)
def test_the_hard_limit_is_the_longest_deadline_and_the_grace(
    deadlines: list[float | None], limit: float | None
) -> None:
    assert hard_limit([request(deadline=d) for d in deadlines], 2.0) == limit


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "it ended with exit code 0"),
        (-9, "it was killed by SIGKILL, probably because memory ran out"),
        (-11, "it was killed by SIGSEGV"),
        (-signal.SIGRTMIN - 1, f"it was killed by signal {signal.SIGRTMIN + 1}"),
    ],
)
def test_an_end_is_described_by_its_code(code: int, words: str) -> None:
    assert describe_end(code) == words


def test_the_warm_up_is_cut_off_after_a_moment() -> None:
    asked = warm_up_request()
    assert asked.deadline_seconds == 1.0
    assert len(asked.questions) == 1


def test_options_are_read_from_the_command_line_as_they_were_written() -> None:
    options = EngineOptions(threads=3, token_limits=TokenLimits(findings=9))
    command = local_command(options)
    assert OPTIONS.validate_json(command[-1]) == options


@pytest.mark.parametrize("domain", ["phantom", None])
def test_what_a_checkpoint_declares_is_what_the_engine_takes_it_for(
    tmp_path: Path, domain: str | None
) -> None:
    folder = write_tiny(tmp_path, domain=domain)
    assert declared_domain(folder) is read_config(folder).domain
    assert declared_domain(PHANTOM_CHECKPOINT) is read_config(PHANTOM_CHECKPOINT).domain


@pytest.mark.parametrize("text", [None, "no json", "[]", '{"maira_gateway_domain": 1}'])
def test_a_checkpoint_that_declares_nothing_readable_is_refused(
    tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        declared_domain(tmp_path)
