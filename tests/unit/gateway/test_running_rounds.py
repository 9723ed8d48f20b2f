"""Recurring jobs: roused, never twice at once, never stopped by a failure."""

import queue
import threading
import time
from collections.abc import Iterator

import pytest

from gateway.running.rounds import Rounds

NEVER = 10_000.0
SOON = 30.0


@pytest.fixture
def rounds() -> Iterator[Rounds]:
    made = Rounds()
    yield made
    made.stop()


def test_a_round_comes_again_and_again(rounds: Rounds) -> None:
    came = threading.Semaphore(0)
    rounds.every(0.001, "job", came.release)
    rounds.start()
    assert all(came.acquire(timeout=SOON) for _ in range(5))


def test_a_job_that_fails_comes_again(rounds: Rounds) -> None:
    came = threading.Semaphore(0)

    def fail() -> None:
        came.release()
        raise OSError("the disk said no")

    rounds.every(0.001, "job", fail)
    rounds.start()
    assert all(came.acquire(timeout=SOON) for _ in range(3))


def test_a_roused_job_does_not_wait_for_its_interval(rounds: Rounds) -> None:
    came = threading.Event()
    rounds.every(NEVER, "job", came.set)
    rounds.start()
    rounds.rouse("job")
    assert came.wait(SOON)


def test_a_roused_job_is_never_early(rounds: Rounds) -> None:
    came = queue.Queue[float]()
    rounds.every(NEVER, "job", lambda: came.put(time.monotonic()))
    rounds.start()
    for thousandths in range(1, 21):
        due = time.monotonic() + thousandths / 1000
        rounds.rouse("job", seconds=due - time.monotonic())
        assert came.get(timeout=SOON) >= due - 1e-6


def test_to_rouse_for_later_puts_nothing_off(rounds: Rounds) -> None:
    came = threading.Event()
    rounds.every(0.01, "job", came.set)
    rounds.start()
    rounds.rouse("job", seconds=NEVER)
    assert came.wait(SOON)


def test_a_job_roused_at_work_begins_once_more_when_it_has_ended(
    rounds: Rounds,
) -> None:
    begun, end = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        end.acquire(timeout=SOON)

    rounds.every(NEVER, "job", work)
    rounds.start()
    for _ in range(10):
        rounds.rouse("job")
    assert begun.acquire(timeout=SOON)
    for _ in range(10):
        rounds.rouse("job")
    assert not begun.acquire(blocking=False)
    end.release()
    assert begun.acquire(timeout=SOON)
    end.release()
    rounds.stop()
    assert not begun.acquire(blocking=False)


def test_a_stop_waits_for_the_round_that_is_under_way(rounds: Rounds) -> None:
    begun, ended = threading.Event(), threading.Event()
    go_on = threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(SOON)
        ended.set()

    rounds.every(NEVER, "job", work)
    rounds.start()
    rounds.rouse("job")
    assert begun.wait(SOON)
    threading.Timer(0.05, go_on.set).start()
    rounds.stop()
    assert ended.is_set()


def test_what_never_started_can_be_stopped(rounds: Rounds) -> None:
    rounds.every(NEVER, "job", lambda: None)
    rounds.stop()


def test_a_moment_that_was_named_is_kept_though_a_round_comes_before_it(
    rounds: Rounds,
) -> None:
    came = threading.Semaphore(0)
    rounds.every(NEVER, "job", came.release)
    rounds.start()
    rounds.rouse("job", seconds=0.2)
    rounds.rouse("job")
    assert all(came.acquire(timeout=SOON) for _ in range(2))
