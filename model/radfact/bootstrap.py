"""Means over studies, and how far they would move with other studies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.radfact.arithmetic import f1_scores
from model.radfact.values import F1_NAMES, MEASURE_NAMES, Measures

BOOTSTRAP_SAMPLES = 500
DEFAULT_SEED = 0

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a figure varies over the bootstrap samples; NaN where it never exists.

    `low` and `high` bound the middle 95 %, `lower` and `upper` the middle 50 %.
    """

    mean: float
    stderr: float
    low: float
    lower: float
    median: float
    upper: float
    high: float


def mean_measures(measures: Sequence[Measures]) -> Measures:
    """Return the mean of each measure over the studies that have it."""
    (means,) = _means(_table(measures)[np.newaxis])
    return Measures(**dict(zip(MEASURE_NAMES, map(float, means), strict=True)))


def bootstrap(
    measures: Sequence[Measures],
    samples: int = BOOTSTRAP_SAMPLES,
    seed: int = DEFAULT_SEED,
) -> dict[str, Spread]:
    """Draw the studies `samples` times with replacement; return each figure's spread.

    The figures are the means of the measures and the three F1 of those means. The
    same seed gives the same answer. Empty where there is nothing to draw.
    """
    table = _table(measures)
    if not len(table) or samples < 1:
        return {}
    draw, count = np.random.default_rng(seed), len(table)
    drawn = (draw.integers(count, size=count) for _ in range(samples))
    means = np.stack([_means(table[chosen][np.newaxis])[0] for chosen in drawn])
    scores = [_f1_row(row) for row in means]
    figures = np.hstack([means, np.array(scores)])
    names = (*MEASURE_NAMES, *F1_NAMES)
    return {name: _spread(figures[:, place]) for place, name in enumerate(names)}


def _table(measures: Sequence[Measures]) -> Numbers:
    """Return (studies, measures) float64."""
    rows = [each.values() for each in measures]
    return np.array(rows, np.float64).reshape(len(rows), len(MEASURE_NAMES))


def _means(tables: Numbers) -> Numbers:
    """Return the column means of (samples, studies, measures), ignoring NaN."""
    present = ~np.isnan(tables)
    counts = present.sum(axis=1)
    sums = np.where(present, tables, 0.0).sum(axis=1)
    means: Numbers = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _f1_row(means: Numbers) -> list[float]:
    named = dict(zip(MEASURE_NAMES, map(float, means), strict=True))
    return list(f1_scores(Measures(**named)).values())


def _spread(values: Numbers) -> Spread:
    known = values[~np.isnan(values)]
    if not len(known):
        return Spread(**dict.fromkeys(Spread.__slots__, float("nan")))
    low, lower, median, upper, high = np.quantile(
        known, (0.025, 0.25, 0.5, 0.75, 0.975)
    )
    return Spread(
        mean=float(known.mean()),
        stderr=float(known.std()),
        low=float(low),
        lower=float(lower),
        median=float(median),
        upper=float(upper),
        high=float(high),
    )
