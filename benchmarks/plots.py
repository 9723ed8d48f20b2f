"""Figures as small plots; SVG, so that the same figures give the same file."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks.kept import Kept
from benchmarks.rounds import Figure
from benchmarks.sizing import BACKFILL_GPUS, LOADS, SOON
from benchmarks.tables import TABLES, grid_of

_OURS, _OTHERS = "#1f4e79", ("#9dbad5", "#b9b9b9", "#8a8a8a", "#cfc6a8", "#d9b38c")
_STATES = ("#1f4e79", "#4f81ad", "#9dbad5", "#c9c9c9", "#8f8f8f", "#d9b38c")
_WIDTH = 7.0
_BAR = 0.8


def _bars(name: str, label: str, axes: Axes, kept: Kept, *, log: bool = False) -> None:
    """Draw a group of bars for each row and a bar for each column."""
    grid = grid_of(kept.figures, TABLES[name].pattern)
    columns = [column for column in grid.columns if column != "ids"]
    height = _BAR / len(columns)
    for number, column in enumerate(columns):
        places = [place + number * height for place in range(len(grid.rows))]
        found = [row.get(column) for row in grid.rows.values()]
        _one_colour(axes, places, found, _colour(column, number), column)
    middle = _BAR / 2 - height / 2
    axes.set_yticks([place + middle for place in range(len(grid.rows))], [*grid.rows])
    _finish(axes, label, log=log)
    _legend(axes)


def _colour(column: str, number: int) -> str:
    return _OURS if column == "ours" else _OTHERS[number % len(_OTHERS)]


def _one_colour(
    axes: Axes,
    places: list[float],
    found: list[Figure | None],
    colour: str,
    label: str,
) -> None:
    there = [(p, each) for p, each in zip(places, found, strict=True) if each]
    height = min(_BAR, places[1] - places[0] if len(places) > 1 else _BAR)
    medians = [each.median for _, each in there]
    spread = [
        [each.median - min(each.values) for _, each in there],
        [max(each.values) - each.median for _, each in there],
    ]
    axes.barh(
        [place for place, _ in there],
        medians,
        height=height * 0.3,
        xerr=spread,
        color=colour,
        label=label,
        error_kw={"lw": 0.8, "ecolor": "#444444"},
    )


def _each(label: str, axes: Axes, kept: Kept) -> None:
    """Draw one bar for each figure; ours are dark."""
    for place, figure in enumerate(kept.figures.values()):
        colour = _OURS if figure.name.startswith("ours") else _OTHERS[0]
        _one_colour(axes, [float(place)], [figure], colour, figure.name)
    axes.set_yticks(range(len(kept.figures)), [*kept.figures])
    _finish(axes, label)


def _stages(axes: Axes, kept: Kept) -> None:
    """Draw where a study's time goes: the median of each state, one after another."""
    grid = grid_of(kept.figures, TABLES["study"].pattern)
    states = [row for row in grid.rows if row != "overhead"]
    for place, column in enumerate(grid.columns):
        left = 0.0
        for number, state in enumerate(states):
            width = grid.rows[state][column].median
            axes.barh(
                place,
                width,
                left=left,
                height=0.6,
                color=_STATES[number % len(_STATES)],
                label=state if place == 0 else None,
            )
            left += width
    axes.set_yticks(range(len(grid.columns)), grid.columns)
    _finish(axes, "milliseconds, medians of the states")
    _legend(axes)


def _both(axes: Axes, kept: Kept) -> None:
    """Draw what was measured beside what was simulated, seconds to a result."""
    grid = grid_of(kept.figures, r"(?P<row>.+: .+, s), (?P<column>measured|simulated)")
    for number, column in enumerate(grid.columns):
        found = [row.get(column) for row in grid.rows.values()]
        places = [place + 0.35 * number for place in range(len(found))]
        colour = (_OURS, _OTHERS[0])[number]
        _one_colour(axes, places, found, colour, column)
    axes.set_yticks([place + 0.17 for place in range(len(grid.rows))], [*grid.rows])
    _finish(axes, "seconds")
    _legend(axes)


def _curves(
    pattern: str, at: Sequence[float], labels: tuple[str, str], axes: Axes, kept: Kept
) -> None:
    """Draw a line for each figure of several values, over `at`."""
    found = [each for name, each in kept.figures.items() if re.match(pattern, name)]
    for number, figure in enumerate(found):
        colour = _STATES[number % len(_STATES)]
        label = figure.name.partition(", ")[2]
        axes.plot(at, figure.values, "o-", color=colour, label=label)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_xticks(at, [f"{each:,}" for each in at], fontsize=7)
    axes.grid(axis="both", color="#dddddd")
    axes.legend(fontsize=8, frameon=False, loc="best")


def _loads(axes: Axes, kept: Kept) -> None:
    labels = ("studies an hour", "seconds, 95 % of the results")
    _curves("load, ", LOADS, labels, axes, kept)
    axes.set_ylim(0, 4 * SOON)
    axes.axhline(SOON, color="#444444", lw=0.8, ls="--")


def _lines(axes: Axes, kept: Kept) -> None:
    _curves(
        "back-fill, gateways", BACKFILL_GPUS, ("GPUs", "studies a second"), axes, kept
    )


def _tornado(axes: Axes, kept: Kept) -> None:
    """Draw how far each assumption moves the 95th percentile, both ways."""
    pattern = r"sensitivity, (?P<row>.+): 95 % .+, (?P<column>first|second), s"
    grid = grid_of(kept.figures, pattern)
    middle = kept.figures["sensitivity, as assumed"].median
    for place, row in enumerate(grid.rows.values()):
        for number, figure in enumerate(row.values()):
            width = min(figure.median, 4 * SOON) - middle
            colour = (_OTHERS[0], _OURS)[number]
            axes.barh(place, width, left=middle, height=0.6, color=colour)
    axes.axvline(middle, color="#444444", lw=0.8)
    axes.set_yticks(range(len(grid.rows)), [*grid.rows])
    _finish(axes, "seconds, 95 % of the results, with as many GPUs")


def _parts(name: str, axes: Axes, kept: Kept) -> None:
    """Draw a value for each part of a long run, from zero."""
    figure = kept.figures[name]
    axes.plot(range(1, len(figure.values) + 1), figure.values, "o-", color=_OURS)
    axes.set(xlabel="tenth of the run", ylabel=f"{name}, {figure.unit}")
    axes.set_ylim(0, 1.1 * max(figure.values))
    axes.grid(axis="y", color="#dddddd")


def _finish(axes: Axes, label: str, *, log: bool = False) -> None:
    axes.invert_yaxis()
    axes.set_xlabel(label)
    if log:
        axes.set_xscale("log")
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#dddddd")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(axes: Axes) -> None:
    """Name the colours above the bars, where they hide nothing."""
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.4, 1.0),
        ncol=6,
        fontsize=8,
        frameon=False,
    )


Panel = Callable[[Axes, Kept], None]

PLOTS: Mapping[str, tuple[str, float, tuple[Panel, ...]]] = {
    "study": ("study", 2.2, (_stages,)),
    "pixels": (
        "pixels",
        3.2,
        (partial(_bars, "pixels", "milliseconds, log", log=True),),
    ),
    "receive": ("receive", 3.6, (partial(_bars, "receive-rate", "MB/s"),)),
    "query": ("query", 1.9, (partial(_each, "milliseconds a study"),)),
    "engine": ("engine", 3.4, (partial(_bars, "engine", "seconds, log", log=True),)),
    "soak": ("soak", 2.8, (partial(_parts, "throughput"), partial(_parts, "memory"))),
    "sizing-check": ("simulation", 2.6, (_both,)),
    "sizing-load": ("sizing", 3.0, (_loads, _lines)),
    "sizing-sensitivity": ("sizing", 3.0, (_tornado,)),
}
"""By name: the benchmark, the height in inches, and the panels from left to right."""


def draw(name: str, kept: Kept, path: Path) -> None:
    """Write a plot with the digest of the figures that it shows."""
    _, height, panels = PLOTS[name]
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 9}):
        drawing = Drawing(figsize=(_WIDTH, height), layout="constrained")
        for number, panel in enumerate(panels, 1):
            panel(drawing.add_subplot(1, len(panels), number), kept)
        mark = {"Date": None, "Description": digest(kept)}
        drawing.savefig(path, format=path.suffix[1:], metadata=mark)


def digest(kept: Kept) -> str:
    """Return what tells these figures from others."""
    told = repr([(f.name, f.unit, f.values) for f in kept.figures.values()])
    return f"figures {hashlib.sha256(told.encode()).hexdigest()}"
