"""Charts as values for SVG: numbers become points, nothing becomes style; pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.ledger import Sample

WIDTH, HEIGHT = 480, 96
_ABOVE, _BELOW = 6, 2
"""Room left above the highest and below the lowest value."""
MOST_POINTS = WIDTH // 2
"""More samples than this share a point, which has the greatest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One line over time, from zero to `top`.

    `points` and `area` are those of SVG's polyline and polygon; empty: there is not
    enough to draw. `reserve_y`: where a line of warning lies. `told` says the same in
    words, for who does not see it.
    """

    title: str
    points: str
    area: str
    top: str
    since: datetime | None
    reserve_y: float | None
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is drawn: a value of each sample, its wording, and a line of warning."""

    title: str
    value: Callable[[Sample], float]
    word: Callable[[float], str]
    reserve: float | None = None


def chart_of(series: Series, samples: Sequence[Sample]) -> Chart:
    """Return the chart of one series."""
    values = [series.value(sample) for sample in samples]
    if len(values) < 2:
        return _empty(series)
    top = max([*values, series.reserve or 0.0]) or 1.0
    placed = [(x, _y(value, top)) for x, value in _thinned(values)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    first, last = placed[0][0], placed[-1][0]
    return Chart(
        title=series.title,
        points=points,
        area=f"{first:.1f},{HEIGHT} {points} {last:.1f},{HEIGHT}",
        top=series.word(top),
        since=samples[0].at,
        reserve_y=None if series.reserve is None else _y(series.reserve, top),
        told=f"now {series.word(values[-1])}, least {series.word(min(values))}, "
        f"most {series.word(max(values))}",
    )


def _empty(series: Series) -> Chart:
    return Chart(
        title=series.title,
        points="",
        area="",
        top="",
        since=None,
        reserve_y=None,
        told="too little is known yet: one sample is taken a minute",
    )


def _thinned(values: Sequence[float]) -> list[tuple[float, float]]:
    """Return where points lie and their values; the last one at the right edge."""
    share = -(-len(values) // MOST_POINTS)
    groups = [max(values[i : i + share]) for i in range(0, len(values), share)]
    step = WIDTH / max(len(groups) - 1, 1)
    return [(index * step, value) for index, value in enumerate(groups)]


def _y(value: float, top: float) -> float:
    return HEIGHT - _BELOW - value / top * (HEIGHT - _ABOVE - _BELOW)
