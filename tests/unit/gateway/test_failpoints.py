"""A process dies at the point that its environment names, and at no other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import NotReady
from gateway.failpoints import VARIABLE, demand_known_failpoint, pass_failpoint

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = (
    "from gateway.failpoints import pass_failpoint\n"
    "pass_failpoint('selected:moved')\n"
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
    done = run("selected:moved")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


def test_another_point_is_passed() -> None:
    assert run("complete:moved").stdout == "alive\n"


def test_without_the_variable_every_point_is_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    pass_failpoint("selected:moved")


def test_the_n_th_passing_may_be_meant() -> None:
    assert run("selected:moved@2").stdout == "alive\n"
    assert run("selected:moved@1").returncode == -signal.SIGKILL


def test_a_name_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        pass_failpoint("nowhere:near")


@pytest.mark.parametrize("named", ["nowhere", "send:before@0", "send:before@x", "@1"])
def test_a_start_with_an_unknown_point_in_the_environment_is_refused(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, named)
    with pytest.raises(NotReady, match="names no failpoint"):
        demand_known_failpoint()


@pytest.mark.parametrize("named", ["send:before", "send:before@3", ""])
def test_a_known_point_or_none_lets_the_gateway_start(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, named)
    demand_known_failpoint()
