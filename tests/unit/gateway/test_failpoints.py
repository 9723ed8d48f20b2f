"""A process dies at the point that its environment names, and at no other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.failpoints import VARIABLE, pass_failpoint

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = (
    "from gateway.failpoints import pass_failpoint\n"
    "pass_failpoint('state:selected')\n"
    "print('alive')\n"
)


def run(kill_at: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, VARIABLE: kill_at, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_named_point_ends_the_process_at_once() -> None:
    done = run("state:selected")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


def test_another_point_is_passed() -> None:
    assert run("state:complete").stdout == "alive\n"


def test_without_the_variable_every_point_is_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    pass_failpoint("state:selected")
    pass_failpoint("")
