import numpy as np
import pytest

from benchmarks.arrivals import evenly, in_bursts, poisson


def test_gaps_of_single_studies_are_memoryless() -> None:
    gaps = np.diff(poisson(2.0, 20_000, np.random.default_rng(1)))
    # an exponential distribution has its mean as its deviation
    assert gaps.mean() == pytest.approx(0.5, rel=0.03)
    assert gaps.std() == pytest.approx(0.5, rel=0.03)


def test_bursts_leave_the_rate_and_come_at_one_moment() -> None:
    moments = in_bursts(2.0, 20_000, 4.0, np.random.default_rng(1))
    assert len(moments) == 20_000
    assert moments == sorted(moments)
    assert len(moments) / moments[-1] == pytest.approx(2.0, rel=0.05)
    assert len(moments) / len(set(moments)) == pytest.approx(4.0, rel=0.05)


def test_a_seed_repeats_the_arrivals() -> None:
    drawn = [poisson(1.0, 20, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_even_arrivals_have_equal_gaps() -> None:
    assert evenly(4.0, 3) == [0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("rate", "count", "burst"), [(0, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, 0.5)]
)
def test_arrivals_that_cannot_be_are_refused(
    rate: float, count: int, burst: float
) -> None:
    with pytest.raises(ValueError, match="no arrivals"):
        in_bursts(rate, count, burst, np.random.default_rng(1))


def test_an_even_rate_is_more_than_none() -> None:
    with pytest.raises(ValueError, match="no arrivals"):
        evenly(0.0, 3)
