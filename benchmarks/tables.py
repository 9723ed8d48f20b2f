"""Figures as Markdown tables."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.kept import Kept
from benchmarks.rounds import Figure, Target
from gate.pages import table

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pivot:
    """How the names of figures are taken apart into rows and columns.

    pattern : finds the groups `row` and `column`; other figures are left out.
    columns : the order, where it is not that of the figures. over : two columns
    whose ratio of medians is one more column.
    """

    benchmark: str
    corner: str
    pattern: str
    columns: tuple[str, ...] = ()
    over: tuple[str, str] | None = None


TABLES = {
    "study": Pivot(
        benchmark="study",
        corner="milliseconds, median (range)",
        pattern=r"(?P<column>.+): (?P<row>.+)",
    ),
    "pixels": Pivot(
        benchmark="pixels",
        corner="milliseconds, median (range)",
        pattern=r"(?P<row>.+), (?P<column>ours|pydicom)",
        over=("pydicom", "ours"),
    ),
    "receive-rate": Pivot(
        benchmark="receive",
        corner="MB/s at so many associations",
        pattern=r"(?P<row>.+), (?P<column>\d+), rate",
    ),
    "receive-p99": Pivot(
        benchmark="receive",
        corner="99th percentile of an object, ms",
        pattern=r"(?P<row>.+), (?P<column>\d+), 99th percentile",
    ),
    "receive-cpu": Pivot(
        benchmark="receive",
        corner="processor time, s/GB",
        pattern=r"(?P<row>.+), (?P<column>\d+), processor time",
    ),
    "small-rate": Pivot(
        benchmark="receive_small",
        corner="MB/s at so many associations",
        pattern=r"(?P<row>.+), (?P<column>\d+), rate",
    ),
    "small-cpu": Pivot(
        benchmark="receive_small",
        corner="processor time, s/GB",
        pattern=r"(?P<row>.+), (?P<column>\d+), processor time",
    ),
    "receive-memory": Pivot(
        benchmark="receive",
        corner="highest resident memory, MB",
        pattern=r"(?P<row>.+), (?P<column>\d+), memory",
    ),
    "engine": Pivot(
        benchmark="engine",
        corner="seconds, median (range)",
        pattern=r"(?P<row>.+), (?P<column>peer|ours|ids)",
        columns=("peer", "ours", "ids"),
        over=("peer", "ours"),
    ),
    "loading": Pivot(
        benchmark="loading",
        corner="MB",
        pattern=r"(?P<row>\w+), (?P<column>.+)",
    ),
    "soak-ledger": Pivot(
        benchmark="soak",
        corner="milliseconds, median (range)",
        pattern=r"ledger, (?P<row>.+), (?P<column>first|last)",
    ),
    "simulation-check": Pivot(
        benchmark="simulation",
        corner="load",
        pattern=r"(?P<row>.+: .+), (?P<column>measured|simulated)",
        over=("simulated", "measured"),
    ),
    "simulation-stages": Pivot(
        benchmark="simulation",
        corner="milliseconds, median (range)",
        pattern=r"(?P<column>one by one): (?P<row>.+)",
    ),
    "one-hospital": Pivot(
        benchmark="sizing",
        corner="GPU",
        pattern=r"one hospital, (?P<row>.+): (?P<column>.+)",
    ),
    "ten-hospitals": Pivot(
        benchmark="sizing",
        corner="GPU",
        pattern=r"ten hospitals, (?P<row>.+): (?P<column>.+)",
    ),
    "sizing-beside": Pivot(
        benchmark="sizing",
        corner="beside the GPUs",
        pattern=r"(?P<column>(?:one|ten) hospitals?): (?P<row>.+)",
    ),
    "back-fill": Pivot(
        benchmark="sizing",
        corner="GPU",
        pattern=r"back-fill, (?P<row>[A-Z].+): (?P<column>.+)",
    ),
    "back-fill-beside": Pivot(
        benchmark="sizing",
        corner="beside the GPUs",
        pattern=r"back-fill in (?P<column>\d+ days): (?P<row>.+)",
    ),
    "back-fill-whole": Pivot(
        benchmark="sizing",
        corner="of all films",
        pattern=r"back-fill, (?P<column>all of it): (?P<row>.+)",
    ),
    "sensitivity": Pivot(
        benchmark="sizing",
        corner="what is otherwise",
        pattern=r"sensitivity, (?P<row>.+): (?P<column>.+)",
    ),
}
"""The tables with two sides, by name."""


@dataclass(slots=True)
class _Grid:
    rows: dict[str, dict[str, Figure]] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)

    def put(self, row: str, column: str, figure: Figure) -> None:
        self.rows.setdefault(row, {})[column] = figure
        if column not in self.columns:
            self.columns.append(column)


def pivoted(kept: Kept, pivot: Pivot) -> str:
    """Return a table with two sides."""
    grid = grid_of(kept.figures, pivot.pattern)
    columns = pivot.columns or tuple(grid.columns)
    heads = [pivot.corner, *columns]
    if pivot.over:
        heads.append(f"{pivot.over[0]} / {pivot.over[1]}")
    return table(
        heads,
        [
            [name, *(_cell(row.get(column)) for column in columns), *_over(row, pivot)]
            for name, row in grid.rows.items()
        ],
    )


def grid_of(figures: Mapping[str, Figure], pattern: str) -> _Grid:
    """Return the figures whose names match, by row and column."""
    grid = _Grid()
    for name, figure in figures.items():
        if match := re.fullmatch(pattern, name):
            grid.put(match["row"], match["column"], figure)
    return grid


def _over(row: Mapping[str, Figure], pivot: Pivot) -> list[str]:
    if pivot.over is None:
        return []
    above, below = (row.get(column) for column in pivot.over)
    if above is None or below is None:
        return [""]
    return [f"{short(above.median / below.median)}x"]


def listed(kept: Kept) -> str:
    """Return a table with a row for each figure."""
    rows = [
        (figure.name, _cell(figure), figure.unit) for figure in kept.figures.values()
    ]
    return table(("what", "median (range)", "unit"), rows)


def first_and_last(kept: Kept, names: Sequence[str]) -> str:
    """Return a table of figures that have a value for each part of a long run."""
    rows = [
        (
            f"{name}, {figure.unit}" if figure.unit else name,
            short(figure.values[0]),
            short(figure.values[-1]),
            f"{short(min(figure.values))} to {short(max(figure.values))}",
        )
        for name in names
        if (figure := kept.figures.get(name))
    ]
    return table(("part of the run", "first", "last", "all parts"), rows)


def judged(targets: Sequence[Target]) -> str:
    """Return a table of bounds and whether they hold."""
    rows = [
        (
            target.what,
            short(target.reached),
            f"{'at least' if target.at_least else 'at most'} {short(target.bound)}",
            "met" if target.is_met else "**missed**",
        )
        for target in targets
    ]
    return table(("target", "reached", "bound", ""), rows)


def _cell(figure: Figure | None) -> str:
    """Return median and range; a lone value is its own range."""
    if figure is None:
        return ""
    if figure.unit == "equal":
        return "equal" if min(figure.values) == 1 else "**differ**"
    middle = short(figure.median)
    if len(figure.values) == 1:
        return middle
    return f"{middle} ({short(min(figure.values))} to {short(max(figure.values))})"


def short(value: float) -> str:
    """Return a number as three digits tell it, whole from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
