"""How values are worded."""

from datetime import timedelta

import pytest

from gateway.ledger import DeliveryState
from gateway.lifecycle import State
from gateway.web.wording import (
    age,
    breaker_tone,
    counted,
    delivery_tone,
    near,
    size,
    tone,
)
from tests.data.ledgers import NOW


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=-3), "under 1 min"),
        (timedelta(seconds=59), "under 1 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47, minutes=59), "47 h"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_an_age_is_told_in_the_unit_that_tells(span: timedelta, words: str) -> None:
    assert age(span) == words


@pytest.mark.parametrize(
    ("back", "words"),
    [
        (timedelta(minutes=1), "10:29:00"),
        (timedelta(days=1), "03-01 10:30"),
        (timedelta(days=365), "2025-03-02"),
    ],
)
def test_a_time_leaves_out_what_it_shares_with_now(back: timedelta, words: str) -> None:
    assert near(NOW - back, NOW) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (20 << 30, "20 GiB")],
)
def test_bytes_are_told_in_a_unit(count: int, words: str) -> None:
    assert size(count) == words


def test_a_count_that_stopped_says_so() -> None:
    assert [counted(999), counted(1000)] == ["999", "1000+"]


def test_whatever_stands_somewhere_has_a_tone() -> None:
    assert all(tone(state).startswith("tone-") for state in State)
    assert all(delivery_tone(state).startswith("tone-") for state in DeliveryState)
    assert tone(State.PARKED) != tone(State.HELD)
    assert breaker_tone("silent") == "tone-bad"
