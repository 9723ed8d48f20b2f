"""The children are real processes; `tests.data.children` is what they run."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pytest

from dicom_io.child import run_child
from tests.data.processes import is_gone, wait_until

CHILD = "tests.data.children"

SECONDS = 20.0
ROOT = Path(__file__).parent.parent.parent.parent


def ask(*arguments: str, seconds: float = SECONDS) -> object:
    done = run_child(CHILD, arguments, seconds)
    assert done.returncode == 0
    return json.loads(done.stdout)


def surroundings() -> dict[str, object]:
    found = ask("surroundings")
    assert isinstance(found, dict)
    return found


def number(found: dict[str, object], name: str) -> int:
    value = found[name]
    assert isinstance(value, int)
    return value


def test_the_answer_is_what_the_child_writes() -> None:
    assert ask("answer", "one", "zwei ü") == ["one", "zwei ü"]


def test_each_call_is_a_process_of_its_own_of_one_server() -> None:
    first, second = surroundings(), surroundings()
    assert first["pid"] != second["pid"]
    assert first["server"] == second["server"] != os.getpid()


def test_a_child_costs_much_less_than_an_interpreter() -> None:
    ask("answer")
    seconds = []
    for _ in range(20):
        begun = time.monotonic()
        ask("answer")
        seconds.append(time.monotonic() - begun)
    # The middle one: an interpreter is slow each time, a core that is shared at times.
    assert median(seconds) < 0.1


def test_a_child_has_no_descriptor_variable_or_thread_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", "x")
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "open").open("w"):
        found = surroundings()
    # The fourth is the folder of descriptors itself, while it is listed.
    assert found["descriptors"] == ["0", "1", "2", "3"]
    assert found["threads"] == 1
    assert found["folder"] == str(tmp_path)
    environment = found["environment"]
    assert isinstance(environment, list)
    assert set(environment) <= {
        "GLIBC_TUNABLES",
        "LC_CTYPE",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
    }


def test_a_crash_ends_the_child_and_nothing_else() -> None:
    server = surroundings()["server"]
    done = run_child(CHILD, ["crash"], SECONDS)
    assert done.returncode == -signal.SIGSEGV
    assert done.stdout == b"half an answ"
    assert surroundings()["server"] == server


def test_an_exception_is_an_exit_code() -> None:
    assert run_child(CHILD, ["fail"], SECONDS).returncode == 1


def test_memory_is_limited_in_the_child_alone() -> None:
    assert ask("eat", "400") == "limited"
    assert ask("eat", "10") == "eaten"


def test_processor_time_is_limited() -> None:
    done = run_child(CHILD, ["burn"], SECONDS)
    assert done.returncode in (-signal.SIGKILL, -signal.SIGXCPU)


def test_an_answer_cannot_be_larger_than_the_memory_of_the_child() -> None:
    done = run_child(CHILD, ["pour", "300"], SECONDS)
    assert done.returncode != 0
    assert len(done.stdout) <= 256 << 20


def test_a_child_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    ask("answer")
    mark = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        run_child(CHILD, ["wait", str(mark)], 3.0)
    wait_until(lambda: is_gone(int(mark.read_text())))
    assert ask("answer") == []


def test_a_server_killed_between_two_calls_is_replaced() -> None:
    server = number(surroundings(), "server")
    os.kill(server, signal.SIGKILL)
    assert surroundings()["server"] != server


def test_a_server_killed_during_a_call_takes_its_child_with_it(tmp_path: Path) -> None:
    server = number(surroundings(), "server")
    mark = tmp_path / "pid"
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(run_child, CHILD, ["wait", str(mark)], 60.0)
        wait_until(mark.exists)
        first = int(mark.read_text())
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: is_gone(first))
        # A second server does the work once more, which has no end either.
        wait_until(lambda: int(mark.read_text()) != first)
        os.kill(int(mark.read_text()), signal.SIGKILL)
        assert call.result().returncode == -signal.SIGKILL


def test_many_callers_at_once_get_each_its_answer() -> None:
    def many(caller: int) -> bool:
        return all(
            ask("answer", f"{caller} {i}") == [f"{caller} {i}"] for i in range(20)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(many, range(8)))


def test_one_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(run_child, CHILD, ["wait", str(mark)], 60.0)
        wait_until(mark.exists)
        assert ask("answer", "x") == ["x"]
        assert not call.done()
        os.kill(int(mark.read_text()), signal.SIGKILL)
        assert call.result().returncode == -signal.SIGKILL


def test_a_module_that_cannot_be_imported_is_an_error_of_the_system() -> None:
    with pytest.raises(ChildProcessError, match=r"tests\.data\.no_such"):
        run_child("tests.data.no_such", [], SECONDS)


def test_a_forked_caller_has_a_server_of_its_own() -> None:
    server = surroundings()["server"]
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, str(surroundings()["server"]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        theirs = int(stream.read())
    os.waitpid(pid, 0)
    assert theirs != server
    assert surroundings()["server"] == server
    wait_until(lambda: is_gone(theirs))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_caller_is_killed(
    number: signal.Signals, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    call = f"run_child({CHILD!r}, ['wait', {str(mark)!r}], 60)"
    with subprocess.Popen(
        [sys.executable, "-c", f"from dicom_io.child import run_child; {call}"],
        cwd=ROOT,
    ) as caller:
        wait_until(mark.exists)
        child = int(mark.read_text())
        stat = Path(f"/proc/{child}/stat").read_text()
        server = int(stat.rpartition(")")[2].split()[1])
        caller.send_signal(number)
        caller.wait()
    wait_until(lambda: is_gone(child) and is_gone(server))


def test_a_caller_that_ends_leaves_no_server() -> None:
    code = (
        "from dicom_io.child import run_child; import sys;"
        f"sys.stdout.buffer.write(run_child({CHILD!r}, ['surroundings'], 20).stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert is_gone(json.loads(done.stdout)["server"])
