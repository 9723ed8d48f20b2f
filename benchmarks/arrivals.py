"""When studies arrive: one by one at random, or in bursts as a router sends them."""

import numpy as np
from numpy.random import Generator


def poisson(per_second: float, count: int, rng: Generator) -> list[float]:
    """Return `count` moments in seconds; the gaps are exponential."""
    return in_bursts(per_second, count, 1.0, rng)


def in_bursts(
    per_second: float, count: int, burst: float, rng: Generator
) -> list[float]:
    """Return `count` moments in seconds; bursts are a Poisson process.

    per_second : studies, over a long time. burst : studies of one burst on average, 1
    or more; their number is geometric, and they arrive at one moment: a router that
    had saved them up, or two modalities at once.
    """
    if not (per_second > 0 and count >= 0 and burst >= 1):
        raise ValueError(f"no arrivals: {per_second}/s, {count}, bursts of {burst}")
    moments: list[float] = []
    now = 0.0
    while len(moments) < count:
        now += rng.exponential(burst / per_second)
        moments += [now] * int(rng.geometric(1 / burst))
    return moments[:count]


def evenly(per_second: float, count: int) -> list[float]:
    """Return `count` moments in seconds with equal gaps."""
    if not per_second > 0:
        raise ValueError(f"no arrivals: {per_second}/s")
    return [float(moment) for moment in (np.arange(count) + 1) / per_second]
