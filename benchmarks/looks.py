"""A page of the console that is looked at, and how long that takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rounds import Figure, Target
from tests.data.console import Browser

FIRST_MS, FILTER_MS = 1000.0, 2000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page: what it is called, its path, what it must show, and its bound in ms."""

    name: str
    path: str
    shows: str
    bound: float = FILTER_MS


def milliseconds(browser: Browser, look: Look) -> float:
    """Return how long a page takes; raise RuntimeError where it is not the page."""
    began = time.perf_counter()
    answer = browser.get(look.path)
    took = 1000 * (time.perf_counter() - began)
    if answer.status_code != 200 or look.shows not in answer.text:
        raise RuntimeError(f"{look.path} answered {answer.status_code}")
    return took


def judged(
    wanted: Sequence[Look], taken: dict[str, list[float]]
) -> tuple[list[Figure], list[Target]]:
    """Return the figures, and the bounds held against the worst of each."""
    figures = [
        Figure(name=name, unit="ms", values=tuple(values))
        for name, values in taken.items()
    ]
    targets = [
        Target(
            what=f"{look.name}, the slowest of all, ms",
            reached=max(taken[look.name]),
            bound=look.bound,
            at_least=False,
        )
        for look in wanted
    ]
    return figures, targets
