"""When a study is whole: the quiet period, and what the archive names."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.stages.completeness import Arrivals, CompletenessRule, Wait, Whole, judge

START = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
RULE = CompletenessRule(quiet_seconds=30, max_wait_seconds=600)

seconds = st.floats(min_value=0, max_value=5000).map(lambda s: round(s, 3))
arrival_times = st.lists(seconds, min_size=1, max_size=6)
counts = st.none() | st.integers(min_value=0, max_value=10)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def arrivals_at(*times: float) -> Arrivals:
    return Arrivals(
        first_at=after(min(times)), last_at=after(max(times)), count=len(times)
    )


@pytest.mark.parametrize("elapsed", [0.0, 27.0, 29.999])
def test_before_the_quiet_period_ends_it_waits(elapsed: float) -> None:
    verdict = judge(arrivals_at(0), RULE, None, after(elapsed))
    assert isinstance(verdict, Wait)
    assert verdict.until == after(30)


@pytest.mark.parametrize("elapsed", [30.0, 33.0, 90.0, 1500.0])
def test_after_the_quiet_period_it_is_whole(elapsed: float) -> None:
    assert isinstance(judge(arrivals_at(0), RULE, None, after(elapsed)), Whole)


def test_each_arrival_begins_the_quiet_period_anew() -> None:
    arrivals = arrivals_at(0, 20, 45)
    assert isinstance(judge(arrivals, RULE, None, after(60)), Wait)
    assert isinstance(judge(arrivals, RULE, None, after(75)), Whole)


def test_an_archive_that_names_more_makes_it_wait_longer() -> None:
    verdict = judge(arrivals_at(0), RULE, 2, after(31))
    assert isinstance(verdict, Wait)
    assert verdict.until == after(600)


def test_what_never_comes_is_not_awaited_for_ever() -> None:
    verdict = judge(arrivals_at(0, 10), RULE, 5, after(610))
    assert isinstance(verdict, Whole)
    assert "names 5" in verdict.reason
    assert "in vain" in verdict.reason


def test_a_satisfied_archive_does_not_shorten_the_quiet_period() -> None:
    assert isinstance(judge(arrivals_at(0, 1), RULE, 2, after(30)), Wait)


def test_the_reason_says_what_came_and_how_long_it_was_quiet() -> None:
    verdict = judge(arrivals_at(0, 14), RULE, None, after(44))
    assert verdict == Whole(reason="2 instances in 14 s, then quiet for 30 s")


@given(arrival_times, counts, seconds)
def test_the_archive_never_makes_it_whole_earlier(
    times: list[float], count: int | None, now: float
) -> None:
    alone = judge(arrivals_at(*times), RULE, None, after(now))
    asked = judge(arrivals_at(*times), RULE, count, after(now))
    if isinstance(alone, Wait):
        assert asked == alone


@given(arrival_times, counts, seconds, seconds)
def test_once_whole_it_stays_whole_while_nothing_comes(
    times: list[float], count: int | None, now: float, later: float
) -> None:
    arrivals = arrivals_at(*times)
    if isinstance(judge(arrivals, RULE, count, after(now)), Whole):
        assert isinstance(judge(arrivals, RULE, count, after(now + later)), Whole)


@given(arrival_times, counts, seconds)
def test_judged_again_at_the_named_time_it_goes_on(
    times: list[float], count: int | None, now: float
) -> None:
    """A wait ends: at most two judgements at the named times are needed."""
    arrivals, when = arrivals_at(*times), after(now)
    for _ in range(2):
        verdict = judge(arrivals, RULE, count, when)
        if isinstance(verdict, Wait):
            assert verdict.until > when
            when = verdict.until
    assert isinstance(judge(arrivals, RULE, count, when), Whole)


@given(st.permutations([0.0, 4.0, 31.0, 90.0]), counts, seconds)
def test_the_order_of_arrivals_does_not_matter(
    times: list[float], count: int | None, now: float
) -> None:
    in_order = judge(arrivals_at(*sorted(times)), RULE, count, after(now))
    assert judge(arrivals_at(*times), RULE, count, after(now)) == in_order


def test_a_limit_below_the_quiet_period_has_no_effect() -> None:
    rule = CompletenessRule(quiet_seconds=30, max_wait_seconds=10)
    assert isinstance(judge(arrivals_at(0), rule, 9, after(20)), Wait)
    assert isinstance(judge(arrivals_at(0), rule, 9, after(30)), Whole)


GAPS = [0.0, 1.0, 27.0, 33.0, 90.0, 1500.0]
"""Up to 0.9, 1.1, 3 and 50 times the quiet period."""


@settings(max_examples=500, deadline=None)
@given(st.permutations(GAPS), st.lists(st.integers(1, 2), min_size=7, max_size=7))
def test_in_whatever_order_images_come_it_is_whole_only_after_a_real_quiet(
    gaps: list[float], senders: list[int]
) -> None:
    """Who sent an image, and on which association, is no part of the rule."""
    now, come, wholes = 0.0, [0.0], 0
    for gap, _sender in zip([*gaps, 10_000.0], senders, strict=True):
        arrivals = arrivals_at(*come)
        just_before = judge(arrivals, RULE, None, after(now + min(gap, 29.999)))
        assert isinstance(just_before, Wait)
        wholes += isinstance(judge(arrivals, RULE, None, after(now + gap)), Whole)
        now += gap
        come.append(now)
    assert wholes == 4  # after 33, 90, 1500 and 10,000 s, in any order
