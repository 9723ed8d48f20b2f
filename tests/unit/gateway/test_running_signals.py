"""What the process hears when it is to stop, and says meanwhile."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, Timer, get_ident

import pytest

from gateway.running.signals import StopSignals


@pytest.fixture
def signals() -> Iterator[StopSignals]:
    held = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    yield StopSignals()
    for number, handler in held.items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(-1)


def test_the_first_asks_to_stop_and_the_second_not_to_wait(
    signals: StopSignals,
) -> None:
    assert not signals.is_stopping()
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.is_stopping()
    assert not signals.is_hurried()
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.is_hurried()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_signal_that_another_thread_was_given_is_heeded(
    signals: StopSignals,
) -> None:
    def give() -> None:
        signal.pthread_kill(get_ident(), signal.SIGTERM)

    giver = Timer(0.1, give)
    giver.start()
    signals.wait(lambda: True)
    giver.join()
    assert signals.is_stopping()


def test_a_signal_of_others_wakes_it_once(signals: StopSignals) -> None:
    held = signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    looks: list[bool] = []

    def alive() -> bool:
        looks.append(True)
        return True

    os.kill(os.getpid(), signal.SIGUSR1)
    asker = Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
    asker.start()
    signals.wait(alive)
    asker.join()
    signal.signal(signal.SIGUSR1, held)
    assert 1 <= len(looks) < 20


AT_EVERY_LINE = """
import itertools, os, signal, sys
from gateway.running import signals

signals.WAKE_SECONDS = 0.01

def ask_at(line):
    lines = itertools.count()
    def trace(frame, event, argument):
        if event == "line" and next(lines) == line:
            os.kill(os.getpid(), signal.SIGTERM)
        return trace
    return trace

for line in range(100):
    asked = signals.StopSignals()
    sys.settrace(ask_at(line))
    asked.wait(lambda: True)
    sys.settrace(None)
    assert asked.is_stopping() and not asked.is_hurried()
print("heard at each")
"""


def test_a_signal_is_heard_whatever_the_main_thread_does_just_then() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_EVERY_LINE],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "heard at each\n", done.stderr


@pytest.mark.parametrize("is_alive", [True, False])
def test_systemd_hears_of_start_life_and_stop(
    signals: StopSignals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_alive: bool,
) -> None:
    asked: list[bool] = []

    def alive() -> bool:
        asked.append(is_alive)
        if len(asked) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return is_alive

    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)

        def listen() -> None:
            while b"STOPPING=1" not in heard:
                heard.append(systemd.recv(100))

        thread = Thread(target=listen)
        thread.start()
        signals.wait(alive)
        thread.join(30)
    living = [b"WATCHDOG=1"] * (3 if is_alive else 0)
    assert heard == [b"READY=1", *living, b"STOPPING=1"]
