"""Recurring jobs run once, however many schedulers live and however they end."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import LedgerFailure
from gateway.ledger import Ledger
from gateway.running.job_leases import IsOver, JobLeases
from gateway.running.timekeeping import SteadyClock, follow, resume
from tests.data.ledgers import NOW, url_of
from tests.data.stages import SetClock

LEASE = 60.0
NAMES = ["purge", "seal"]


@dataclass
class Hosts:
    """The one wall clock of all, and the seconds that go by on each host."""

    wall: SetClock = field(default_factory=SetClock)
    seconds: float = 0.0

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall.add(seconds=seconds)


class Scheduler:
    """A process: its ledger, its clock, its leases, and what it did."""

    def __init__(self, name: str, hosts: Hosts, url: str) -> None:
        self.ledger = Ledger.open(url)
        self.clock = SteadyClock(hosts.wall, lambda: hosts.seconds)
        self.leases = JobLeases(name, LEASE, lambda: hosts.seconds)
        resume(self.ledger, self.clock)

    def renew(self) -> set[str]:
        return self.leases.renew(self.ledger, self.clock, NAMES)

    def does(self, name: str = "purge") -> bool:
        return self.leases.do(name, lambda _: None)

    def follow(self) -> bool:
        return follow(self.ledger, self.clock, lambda _: None)


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


@pytest.fixture
def pair(hosts: Hosts, tmp_path: Path) -> Iterator[tuple[Scheduler, Scheduler]]:
    url = url_of(tmp_path)
    first, second = Scheduler("one", hosts, url), Scheduler("two", hosts, url)
    yield first, second
    first.ledger.close()
    second.ledger.close()


Pair = tuple[Scheduler, Scheduler]


def test_of_two_schedulers_one_does_each_job(pair: Pair, hosts: Hosts) -> None:
    first, second = pair
    assert first.renew() == {*NAMES}
    for _ in range(10):
        assert second.renew() == set()
        assert first.does()
        assert not second.does()
        hosts.pass_by(LEASE / 4)
        first.renew()


def test_a_job_of_a_killed_holder_is_taken_over_and_not_before(
    pair: Pair, hosts: Hosts
) -> None:
    first, second = pair
    first.renew()
    hosts.pass_by(LEASE - 1)
    assert second.renew() == set()
    assert not first.does()  # it could not say that it lives, and stopped by itself
    hosts.pass_by(1)
    assert second.renew() == {*NAMES}
    assert second.does()
    assert first.renew() == set()


def test_a_job_that_is_given_back_is_taken_at_once(pair: Pair) -> None:
    first, second = pair
    first.renew()
    first.leases.give_back(first.ledger, first.clock)
    assert not first.does()
    assert second.renew() == {*NAMES}


def test_a_slow_job_is_nobody_elses_while_its_holder_lives(
    pair: Pair, hosts: Hosts
) -> None:
    first, second = pair
    first.renew()
    begun, end, told = threading.Event(), threading.Event(), list[bool]()

    def slow(is_over: IsOver) -> None:
        begun.set()
        end.wait(30)
        told.append(is_over())

    worker = threading.Thread(target=first.leases.do, args=("purge", slow))
    worker.start()
    assert begun.wait(30)
    for _ in range(20):
        hosts.pass_by(LEASE / 4)
        first.renew()
        assert second.renew() == set()
    end.set()
    worker.join(30)
    assert told == [False]


def test_a_slow_job_that_outlives_its_lease_is_told_before_another_begins(
    pair: Pair, hosts: Hosts
) -> None:
    """Its process is frozen, or cannot reach the ledger: nobody renews."""
    first, second = pair
    first.renew()
    order: list[str] = []

    def slow(is_over: IsOver) -> None:
        for second_of_job in range(100):
            if is_over():
                order.append(f"first is told after {second_of_job} s")
                return
            hosts.pass_by(1)
            if second.renew():
                order.append("second takes over")

    first.leases.do("purge", slow)
    while not second.renew():
        hosts.pass_by(1)
    order.append("second takes over")
    assert order == ["first is told after 54 s", "second takes over"]


def test_a_renewal_that_fails_leaves_what_is_held_until_it_runs_out(
    pair: Pair, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = pair
    first.renew()

    def away() -> None:
        raise LedgerFailure("the server is away")

    monkeypatch.setattr(first.ledger, "writing", away)
    hosts.pass_by(30)
    with pytest.raises(LedgerFailure):
        first.renew()
    assert first.does()
    hosts.pass_by(30)
    assert not first.does()


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_step_of_the_clock_neither_ends_nor_prolongs_a_lease(
    pair: Pair, hosts: Hosts, hours: int
) -> None:
    first, second = pair
    first.renew()
    hosts.pass_by(10)
    hosts.wall.now += timedelta(hours=hours)
    assert first.follow()
    assert second.follow()
    assert first.does()
    assert second.renew() == set()
    hosts.pass_by(49)
    assert second.renew() == set()
    hosts.pass_by(2)
    assert second.renew() == {*NAMES}
    with first.ledger.reading() as rows:
        (purge, _) = rows.jobs()
    assert purge.until == NOW + timedelta(hours=hours, seconds=61 + LEASE)


def test_a_step_that_all_notice_moves_the_times_once(pair: Pair, hosts: Hosts) -> None:
    first, second = pair
    first.renew()
    for hours in (1, -24, 3):
        hosts.wall.now += timedelta(hours=hours)
        first.follow()
        second.follow()
        assert first.clock() == second.clock() == hosts.wall()
    with first.ledger.reading() as rows:
        (purge, _) = rows.jobs()
    assert purge.until == NOW + timedelta(hours=-20, seconds=LEASE)


def test_a_step_that_one_measures_as_none_is_not_moved_back(
    pair: Pair, hosts: Hosts
) -> None:
    first, second = pair
    first.renew()
    hosts.wall.now += timedelta(seconds=1.95)
    assert not second.follow()
    hosts.wall.now += timedelta(seconds=0.1)
    assert first.follow()
    for _ in range(3):
        assert not second.follow()
        assert not first.follow()
    hosts.wall.now += timedelta(hours=1)
    assert second.follow()
    assert first.follow()
    with first.ledger.reading() as rows:
        (purge, _) = rows.jobs()
    moved = purge.until - NOW - timedelta(seconds=LEASE)
    assert moved.total_seconds() == pytest.approx(3602.05, abs=0.11)
