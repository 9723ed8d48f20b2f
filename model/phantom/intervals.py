"""How far figures on a sample may be from those on all phantoms. Pure."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import TypeAlias, TypeVar

import numpy as np

Figures: TypeAlias = Mapping[str, float | None]
Interval: TypeAlias = tuple[float, float]
Item = TypeVar("Item")

_DRAWS = 1000
_TAILS = (2.5, 97.5)
_Z = 1.959964
"""Of the standard normal distribution, 95 % lie within so many deviations."""
_DIGITS = 4


def bootstrap(
    items: Sequence[Item], figures: Callable[[Sequence[Item]], Figures]
) -> dict[str, Interval]:
    """Return 95 % percentile intervals of figures over studies.

    Whole studies are drawn with replacement, because the findings of one study
    are not independent. A figure that is None in some draw is left out.
    """
    rng = np.random.default_rng(0)
    size = len(items)
    draws = [
        figures([items[at] for at in rng.integers(size, size=size).tolist()])
        for _ in range(_DRAWS if size else 0)
    ]
    names = draws[0] if draws else ()
    drawn = {name: [one[name] for one in draws] for name in names}
    return {
        name: _percentiles(np.array(values, dtype=np.float64))
        for name, values in drawn.items()
        if None not in values
    }


def wilson(right: int, asked: int) -> Interval | None:
    """Return Wilson's 95 % interval of a share; None where nothing was asked.

    Unlike a bootstrap it does not shrink to a point at 0 of n and n of n.
    """
    if not asked:
        return None
    share, square = right / asked, _Z**2 / asked
    middle = (share + square / 2) / (1 + square)
    reach = sqrt(share * (1 - share) / asked + square / (4 * asked))
    reach = reach * _Z / (1 + square)
    return round(middle - reach, _DIGITS), round(middle + reach, _DIGITS)


def _percentiles(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Interval:
    low, high = np.percentile(values, _TAILS).tolist()
    return round(low, _DIGITS), round(high, _DIGITS)
