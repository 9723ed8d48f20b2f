"""A sample tells what happened since the one before, and the oldest make room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger import Ledger
from gateway.lifecycle import Event, State
from gateway.trend import MOST_SAMPLES, Room, Trend
from tests.data.ledgers import at, given_study, url_of

ROOM = Room(disk=lambda: 5 << 30, memory=lambda: 1 << 30)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path))
    yield ledger
    ledger.close()


def test_steps_are_counted_between_two_samples(ledger: Ledger) -> None:
    trend = Trend()
    given_study(ledger, "1.2.1", State.KEPT)
    trend.sample(ledger, ROOM, at(0))
    given_study(ledger, "1.2.2", State.KEPT)
    given_study(ledger, "1.2.3", State.PARKED)
    given_study(ledger, "1.2.4", State.DECLINED)
    trend.sample(ledger, ROOM, at(60))
    trend.sample(ledger, ROOM, at(120))
    first, second, third = trend.samples()
    assert (first.received, first.reported, first.ended, first.parked) == (0, 0, 0, 0)
    # Three studies came; one was read and kept, one declined, one parked.
    counts = second.received, second.reported, second.ended, second.parked
    assert counts == (3, 1, 2, 1)
    assert (third.received, third.waiting, third.working) == (0, 1, 0)
    assert (second.disk_free, second.memory_free) == (5 << 30, 1 << 30)


def test_a_report_that_is_released_is_counted_once(ledger: Ledger) -> None:
    trend, study = Trend(), given_study(ledger, state=State.SELECTED)
    trend.sample(ledger, ROOM, at(0))
    with ledger.writing() as rows:
        for event in (Event.PRIOR_SETTLED, Event.REPORT_HELD, Event.RELEASED):
            study = rows.move(study, event, at(1))
    trend.sample(ledger, ROOM, at(60))
    assert trend.samples()[-1].reported == 1


def test_a_day_of_samples_is_kept(ledger: Ledger) -> None:
    trend = Trend()
    trend.sample(ledger, ROOM, at(0))
    (one,) = trend.samples()
    trend._samples.extend([one] * MOST_SAMPLES)
    trend.sample(ledger, ROOM, at(60))
    assert len(trend.samples()) == MOST_SAMPLES
    assert trend.samples()[-1].at == at(60)
