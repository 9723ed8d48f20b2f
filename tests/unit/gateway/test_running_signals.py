"""What the process hears when it is to stop, and says meanwhile."""

import os
import signal
import socket
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


def test_the_first_asks_to_stop_and_the_second_not_to_wait(
    signals: StopSignals,
) -> None:
    assert not signals.stop.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.stop.is_set()
    assert not signals.hurry.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.hurry.is_set()
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
    assert signals.stop.is_set()


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
            signals.stop.set()
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
