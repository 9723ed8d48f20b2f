"""The plots of an evaluation as SVG; the home of matplotlib."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from io import StringIO
from math import isnan
from typing import TYPE_CHECKING

from gateway.evaluation.errors import MissingLibrary
from gateway.evaluation.markup import Markup
from model.radfact.bootstrap import Spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK = "#1f4e79"
_PALE = "#9dbad5"
_BINS = 10


def demand_matplotlib() -> None:
    """Raise MissingLibrary where plots cannot be drawn."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise MissingLibrary("matplotlib") from error


def plot_means(means: Mapping[str, float], spreads: Mapping[str, Spread]) -> Markup:
    """Draw each mean with its 95 % interval; what does not exist is named so."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional

    figure = Figure(figsize=(7.0, 0.42 * len(means) + 0.8), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, mean) in enumerate(means.items()):
        if isnan(mean):
            axes.text(0.01, place, "no study has it", va="center", color="#666666")
            continue
        spread = spreads.get(name)
        if spread is not None and not isnan(spread.low):
            axes.plot([spread.low, spread.high], [place, place], color=_PALE, lw=5)
        axes.plot([mean], [place], "o", color=_INK)
        axes.annotate(
            f"{mean:.3f}",
            (mean, place),
            (0, 6),
            textcoords="offset points",
            ha="center",
        )
    axes.set_yticks(range(len(means)), [words_of(name) for name in means])
    axes.set(xlim=(-0.02, 1.05), ylim=(len(means) - 0.4, -0.7), xlabel="share")
    axes.grid(axis="x", color="#dddddd")
    return _svg(figure, "Means over studies with 95 % bootstrap intervals")


def plot_studies(values: Mapping[str, Sequence[float]]) -> Markup:
    """Draw how many studies have which value, a panel a measure; without NaN."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    figure = Figure(figsize=(7.5, 4.4), layout="constrained")
    for number, (name, found) in enumerate(values.items(), 1):
        axes = figure.add_subplot(2, (len(values) + 1) // 2, number)
        known = [value for value in found if not isnan(value)]
        axes.hist(known, bins=_BINS, range=(0.0, 1.0), color=_INK, edgecolor="white")
        axes.set_title(f"{words_of(name)} ({len(known)} studies)", fontsize=8.5)
        axes.set_xlim(0.0, 1.0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.supylabel("studies")
    return _svg(figure, "Distribution over studies")


def words_of(name: str) -> str:
    """Return a measure's name as words."""
    return name.replace("_", " ").replace("f1", "F1")


def _svg(figure: "Figure", title: str) -> Markup:
    """Return the SVG element, without prologue and date; numbers and names only."""
    from matplotlib import rc_context  # noqa: PLC0415 - optional

    text = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "radfact"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Title": title})
    drawn = text.getvalue()
    return Markup(drawn[drawn.index("<svg") :])
