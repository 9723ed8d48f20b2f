"""`serve --role` as a site runs it: processes of their own, by the command line."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.data.commands import call
from tests.data.ledgers import skip_on_postgresql
from tests.data.peers import until
from tests.data.served import line_of, serving
from tests.data.sites import toml_of, wait_until


@pytest.fixture
def config(tmp_path: Path) -> Path:
    skip_on_postgresql()  # one machine, one file
    path = tmp_path / "site.toml"
    path.write_text(toml_of(tmp_path / "data", {"health": {"port": 0}}), "utf-8")
    return path


def playing(
    config: Path, roles: str, told: Path
) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run `serve` as systemd does, which listens on the socket `told`."""
    environment = {"PATH": "", "NOTIFY_SOCKET": str(told)}
    return serving(config, "--role", roles, environment=environment)


@contextmanager
def hearing(told: Path) -> Iterator[Sequence[bytes]]:
    """Listen on the socket `told` as systemd does, at once to each; yields what came.

    Few messages have room in it: what nobody hears in time would not be said.
    """
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(told))

        def hear() -> None:
            while said := systemd.recv(100):
                heard.append(said)

        thread = Thread(target=hear)
        thread.start()
        try:
            yield heard
        finally:
            systemd.sendto(b"", str(told))
            thread.join()


def wait_for_ready(heard: Sequence[bytes], count: int) -> None:
    """Wait until so many are ready; the first says that it lives before the last is."""
    until(lambda: heard.count(b"READY=1") >= count, 120, f"{count} are ready")
    assert {*heard} <= {b"READY=1", b"WATCHDOG=1"}


def findings_of(port: str) -> set[str] | None:
    """Return what a process looks at that is ready; None: it is not yet."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=60) as answer:
            return set(json.load(answer)["findings"])
    except HTTPError as error:
        error.close()
        return None


def test_each_process_has_what_its_roles_need_and_no_more(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = tmp_path / "told"
    with ExitStack() as opened:
        heard = opened.enter_context(hearing(told))
        listener = opened.enter_context(playing(config, "listener", told))
        others = opened.enter_context(playing(config, "scheduler,web", told))
        assert line_of(listener).startswith("MAIRA_GW listens on port ")
        said, _, port = line_of(listener).rpartition(" ")
        assert said == "listener: health is on port"
        assert line_of(others).startswith("Nobody administers it: ")
        found = wait_until(lambda: findings_of(port), 60, lambda: "it is not ready")
        assert found == {"listener", "ledger", "disk"}
        wait_for_ready(heard, 2)
        for process in (listener, others):
            maps = Path(f"/proc/{process.pid}/maps").read_text()
            assert "libtorch" not in maps
        code, out, _ = call(
            monkeypatch, capsys, "--config", config, "processes", "--json"
        )
        assert code == 0
        assert {each["pid"]: each["roles"] for each in json.loads(out)} == {
            listener.pid: "listener",
            others.pid: "scheduler,web",
        }
        for process in (listener, others):
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
    code, out, _ = call(monkeypatch, capsys, "--config", config, "processes")
    assert code == 0
    assert "scheduler" not in out


def test_a_word_that_is_no_role_is_refused(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--config", config, "serve", "--role", "listener,janitor")
    code, _, err = call(monkeypatch, capsys, *words)
    assert code == 2
    assert "'janitor' is no role" in err
