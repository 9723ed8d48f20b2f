"""Writes docs/performance.md, docs/sizing.md and their plots from what was kept.

The words are in the files of these names beside this module; whatever is measured or
simulated stands there as a name between double braces, so no figure is copied by hand.
Usage: python -m benchmarks.page
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kept import Kept, read
from benchmarks.plots import PLOTS, draw
from benchmarks.rounds import RESULTS
from benchmarks.tables import (
    NOT_MEASURED,
    TABLES,
    first_and_last,
    judged,
    listed,
    pivoted,
    short,
)

TEMPLATES = Path(__file__).parent
PAGES = ("performance", "sizing")
DOCS = Path(__file__).parents[1] / "docs"
_PLACE = re.compile(r"\{\{(\w+) ([^}]+)\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Fills the places of a template from the results in a folder."""

    name: str = "performance"
    results: Path = RESULTS

    def text(self) -> str:
        """Return the whole page."""
        template = TEMPLATES / f"{self.name}.md"
        return _PLACE.sub(self._filled, template.read_text("utf-8"))

    def plots(self) -> dict[str, Kept]:
        """Return the plots of all pages that can be drawn, with their figures."""
        found = {name: read(self.results, plot[0]) for name, plot in PLOTS.items()}
        return {name: kept for name, kept in found.items() if kept is not None}

    def _filled(self, place: "re.Match[str]") -> str:
        kind, words = place[1], [word.strip() for word in place[2].split("|")]
        name = words[0]
        if kind == "plot":
            name = PLOTS[name][0]
        elif name in TABLES:
            name = TABLES[name].benchmark
        kept = read(self.results, name)
        if kept is None:
            return NOT_MEASURED
        return _KINDS[kind](kept, words)


def _table(kept: Kept, words: Sequence[str]) -> str:
    return pivoted(kept, TABLES[words[0]])


def _list(kept: Kept, _words: Sequence[str]) -> str:
    return listed(kept)


def _parts(kept: Kept, words: Sequence[str]) -> str:
    return first_and_last(kept, words[1:])


def _targets(kept: Kept, _words: Sequence[str]) -> str:
    return judged(kept.targets)


def _command(kept: Kept, _words: Sequence[str]) -> str:
    """Return the command that printed the figures, when, and what is to be known."""
    when = f" on {kept.when}" if kept.when else ""
    note = f"; {kept.note}" if kept.note else ""
    return f"Printed by `{kept.command}`{when}{note}."


def _note(kept: Kept, _words: Sequence[str]) -> str:
    return kept.note


def _plot(_kept: Kept, words: Sequence[str]) -> str:
    return f"![{words[1]}](images/{plot_path(words[0]).name})"


def _value(kept: Kept, words: Sequence[str]) -> str:
    figure = kept.figures.get(words[1])
    if figure is None:
        return NOT_MEASURED
    return f"{short(figure.median)} {figure.unit}".strip()


def _ratio(kept: Kept, words: Sequence[str]) -> str:
    above, below = (kept.figures.get(word) for word in words[1:3])
    if above is None or below is None:
        return NOT_MEASURED
    return f"{short(above.median / below.median)} times"


_KINDS: dict[str, Callable[[Kept, Sequence[str]], str]] = {
    "table": _table,
    "list": _list,
    "parts": _parts,
    "targets": _targets,
    "command": _command,
    "note": _note,
    "plot": _plot,
    "value": _value,
    "ratio": _ratio,
}
"""What may stand in a place: {{kind benchmark or table | …}}."""


def plot_path(name: str, docs: Path = DOCS) -> Path:
    """Return where a plot lies; its name begins with that of its page."""
    page = next((page for page in PAGES if name.startswith(f"{page}-")), None)
    return docs / "images" / f"{name if page else f'performance-{name}'}.svg"


def main() -> None:
    """Write the pages and their plots."""
    for name, kept in Page().plots().items():
        draw(name, kept, plot_path(name))
    for name in PAGES:
        (DOCS / f"{name}.md").write_text(Page(name=name).text(), "utf-8")


if __name__ == "__main__":
    main()
