"""Intervals over studies."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.radfact.bootstrap import bootstrap
from model.radfact.values import Measures


def studies(*precisions: float) -> list[Measures]:
    return [
        Measures(logical_precision=each, logical_recall=each) for each in precisions
    ]


def test_the_same_seed_gives_the_same_intervals() -> None:
    found = [bootstrap(studies(0.1, 0.5, 0.9), 50, seed) for seed in (3, 3, 4)]
    assert repr(found[0]) == repr(found[1])
    assert repr(found[0]) != repr(found[2])


def test_equal_studies_have_no_spread() -> None:
    spread = bootstrap(studies(0.25, 0.25, 0.25), 20, 0)["logical_precision"]
    assert (spread.low, spread.median, spread.high) == (0.25, 0.25, 0.25)
    assert spread.stderr == 0.0


def test_two_studies_of_zero_and_one_spread_over_all_means() -> None:
    # Means are 0, 1/2, 1 with probability 1/4, 1/2, 1/4: the standard error is
    # sqrt(1/8) and the quartiles of many samples stand near 0 and 1.
    spread = bootstrap(studies(0.0, 1.0), 4000, 0)["logical_precision"]
    assert (spread.low, spread.median, spread.high) == (0.0, 0.5, 1.0)
    assert spread.mean == pytest.approx(0.5, abs=0.03)
    assert spread.stderr == pytest.approx(0.125**0.5, abs=0.02)


def test_f1_is_that_of_the_means_in_each_sample() -> None:
    measures = [Measures(logical_precision=1.0, logical_recall=0.5)]
    assert bootstrap(measures, 5, 0)["logical_f1"].median == pytest.approx(2 / 3)


def test_a_measure_that_no_study_has_is_missing() -> None:
    assert isnan(bootstrap(studies(1.0), 5, 0)["spatial_precision"].median)


def test_no_studies_or_no_samples_give_nothing() -> None:
    assert bootstrap([], 10, 0) == {}
    assert bootstrap(studies(1.0), 0, 0) == {}


@given(st.lists(st.floats(0.0, 1.0) | st.just(float("nan")), min_size=1, max_size=6))
def test_an_interval_lies_within_the_values(values: list[float]) -> None:
    spread = bootstrap(studies(*values), 10, 1)["logical_precision"]
    known = [value for value in values if not isnan(value)]
    if not known:
        assert isnan(spread.mean)
    elif not isnan(spread.low):
        assert min(known) - 1e-9 <= spread.low <= spread.high <= max(known) + 1e-9
