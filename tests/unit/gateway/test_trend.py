"""A sample tells what happened since the one before, and the oldest make room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger import Ledger, Sample
from gateway.lifecycle import Event, State
from gateway.trend import MOST_SAMPLES, Room, sample
from tests.data.ledgers import at, given_study, url_of

ROOM = Room(disk=lambda: 5 << 30, memory=lambda: 1 << 30)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path))
    yield ledger
    ledger.close()


def samples(ledger: Ledger) -> list[Sample]:
    with ledger.reading() as rows:
        return rows.samples(MOST_SAMPLES)


def test_steps_are_counted_between_two_samples(ledger: Ledger) -> None:
    given_study(ledger, "1.2.1", State.KEPT)
    sample(ledger, ROOM, at(0))
    given_study(ledger, "1.2.2", State.KEPT)
    given_study(ledger, "1.2.3", State.PARKED)
    given_study(ledger, "1.2.4", State.DECLINED)
    sample(ledger, ROOM, at(60))
    sample(ledger, ROOM, at(120))
    first, second, third = samples(ledger)
    assert (first.received, first.reported, first.ended, first.parked) == (0, 0, 0, 0)
    # Three studies came; one was read and kept, one declined, one parked.
    counts = second.received, second.reported, second.ended, second.parked
    assert counts == (3, 1, 2, 1)
    assert (third.received, third.waiting, third.working) == (0, 1, 0)
    assert (second.disk_free, second.memory_free) == (5 << 30, 1 << 30)


def test_a_report_that_is_released_is_counted_once(ledger: Ledger) -> None:
    study = given_study(ledger, state=State.SELECTED)
    sample(ledger, ROOM, at(0))
    with ledger.writing() as rows:
        for event in (Event.PRIOR_SETTLED, Event.REPORT_HELD, Event.RELEASED):
            study = rows.move(study, event, at(1))
    sample(ledger, ROOM, at(60))
    assert samples(ledger)[-1].reported == 1


def test_a_day_of_samples_is_kept(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.trend.MOST_SAMPLES", 3)
    for minute in range(5):
        sample(ledger, ROOM, at(60 * minute))
    assert [each.at for each in samples(ledger)] == [at(120), at(180), at(240)]


def test_another_process_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    first, second = (Ledger.open(url_of(tmp_path)) for _ in range(2))
    sample(first, ROOM, at(0))
    given_study(first, "1.2.1", State.KEPT)
    assert sample(second, ROOM, at(60)).received == 1
    assert sample(first, ROOM, at(120)).received == 0
    first.close()
    second.close()
