"""Rounds in turn: who is compared is measured in the same minutes, and medians count.

A machine's load drifts, so figures of two runs are no comparison. Each round measures
every contender once, in an order that changes; a ratio is one of medians of one run.
"""

import json
import os
import platform
import random
import re
import socket
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
"""Where the figures lie that docs/performance.md is drawn from."""

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one contender needed or reached: a value a round, in `unit`."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def percentile(self, share: float) -> float:
        """Return the smallest value that `share` (0 to 1) of all do not exceed."""
        ranked = sorted(self.values)
        return ranked[min(len(ranked) - 1, max(0, round(share * len(ranked)) - 1))]

    def __str__(self) -> str:
        """Return median and range, with the unit."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:.4g} {self.unit} ({low:.4g} to {high:.4g})"

    def as_json(self) -> dict[str, object]:
        """Return what is kept of it."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound on a figure or a ratio, and what was reached."""

    what: str
    reached: float
    bound: float
    at_least: bool = True

    @property
    def is_met(self) -> bool:
        """Tell whether the bound holds."""
        holds = self.reached >= self.bound
        return holds if self.at_least else self.reached <= self.bound

    def __str__(self) -> str:
        """Return a line that names the bound and the verdict."""
        sign = ">=" if self.at_least else "<="
        verdict = "met" if self.is_met else "MISSED"
        return f"{self.what}: {self.reached:.3g} ({sign} {self.bound:g}: {verdict})"


def in_turn(
    contenders: Mapping[str, Measure], rounds: int, unit: str
) -> dict[str, Figure]:
    """Measure every contender `rounds` times, each round beginning with another."""
    names = list(contenders)
    values: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            values[name].append(contenders[name]())
    return {
        name: Figure(name=name, unit=unit, values=tuple(found))
        for name, found in values.items()
    }


def keep(
    benchmark: str,
    figures: Sequence[Figure],
    targets: Sequence[Target] = (),
    size: str = "",
) -> Path:
    """Print what was measured and write it as JSON; return the file.

    size : of what was measured, where it is not that of the targets: it is kept beside
    the other.
    """
    for figure in figures:
        print(f"{figure.name:<48} {figure}")
    for target in targets:
        print(target)
    body = {
        "benchmark": benchmark,
        "command": " ".join(
            ["python -m", f"benchmarks.{benchmark}", *_words(benchmark)]
        ),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "figures": [figure.as_json() for figure in figures],
        "targets": [
            {
                "what": target.what,
                "reached": target.reached,
                "bound": target.bound,
                "at_least": target.at_least,
                "met": target.is_met,
            }
            for target in targets
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{'_'.join(filter(None, (benchmark, size)))}.json"
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    return path


def _words(benchmark: str) -> list[str]:
    """Return what the command was given, where it is this benchmark that runs.

    Without the folder: where it lay on this machine tells nobody anything.
    """
    if Path(sys.argv[0]).stem != benchmark:
        return []
    words = " ".join(sys.argv[1:])
    return re.sub(r"--folder[ =]\S+", "", words).split()


def free_port() -> int:
    """Return a port of loopback that nobody listens on.

    It is below those that systems give to connections (32768 on, ip(7); 49152 on, RFC
    6335), so that none takes it before the listener does.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
