from collections.abc import Sequence

import pytest

from model.phantom.intervals import Figures, bootstrap, wilson


def _share(items: Sequence[int]) -> Figures:
    return {"share": sum(items) / len(items)}


def _of_ones(items: Sequence[int]) -> Figures:
    """None in every draw without a one, as a figure with nothing to judge is."""
    ones = [item for item in items if item]
    return {"mean": sum(ones) / len(ones) if ones else None}


def test_wilsons_interval_of_nothing_in_ten() -> None:
    # z = 1.96: upper bound z^2 / (n + z^2) = 3.8416 / 13.8416.
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_wilsons_interval_of_a_half() -> None:
    # n = 100: 0.5 +- 1.96 * sqrt(0.25 / 100 + 0.0096) / 1.0384, centre unmoved.
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=2e-4)


def test_nothing_asked_has_no_interval() -> None:
    assert wilson(0, 0) is None
    assert bootstrap([], _share) == {}


def test_a_bootstrap_holds_the_share_and_is_as_wide_as_the_binomials() -> None:
    low, high = bootstrap([0, 1] * 50, _share)["share"]
    # Deviation of the share of 100 fair draws: 0.05; 95 % lie within 1.96 of them.
    assert (low, high) == pytest.approx((0.402, 0.598), abs=0.02)


def test_the_same_studies_give_the_same_interval() -> None:
    items = [0, 1, 1, 0, 1]
    assert bootstrap(items, _share) == bootstrap(items, _share)


def test_a_figure_that_some_draws_cannot_give_has_no_interval() -> None:
    assert bootstrap([1, 0], _of_ones) == {}
