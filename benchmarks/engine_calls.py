"""What a call costs beside the model's work: in this process, and behind Ray Serve.

The phantom checkpoint on one thread answers the same questions in turn: as a local
engine, and as one replica in a cluster of Ray on this machine. A report says how many
seconds the model took; the rest of a call is what it took to ask.
Usage: python -m benchmarks.engine_calls [--engine local,ray] [--rounds 40]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.rounds import Figure, Target, keep
from model.engine import ReportEngine
from model.engines.local import LocalEngine
from model.options import EngineOptions
from model.phantom.asking import held_out
from model.phantom.text import inputs_of
from model.report import GreyImage, GroundedReport, ReportInputs, ReportRequest, Task
from tests.data.ray_nodes import running_nodes
from tests.data.ray_site import ray_site

MOST_MILLISECONDS = 30.0
MOST_SHARE = 0.05
REPORT_SECONDS = 0.6
"""A report of MAIRA-2 on an H200, at the least (docs/performance.md)."""
_SEED = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question: seconds of the call, seconds of the model, and what was said."""

    seconds: float
    model: float
    reports: tuple[GroundedReport, ...]

    @property
    def beside(self) -> float:
        """Milliseconds beside the model's work."""
        return (self.seconds - self.model) * 1000


@contextmanager
def opened(name: str, folder: Path) -> Iterator[ReportEngine]:
    """Open an engine by its name: "local" or "ray"."""
    if name == "local":
        yield LocalEngine(EngineOptions(device="cpu", threads=1))
        return
    with running_nodes(1) as nodes:
        site = ray_site(folder, nodes, copies=1)
        site.deploy()
        yield site.engine()


def questions(count: int, side: int) -> list[ReportRequest]:
    """Return questions about phantoms, enlarged to `side` pixels (0: as they are)."""
    return [
        ReportRequest(
            inputs=ReportInputs(current_frontal=enlarged(inputs.current_frontal, side)),
            tasks=(Task.GROUNDED_FINDINGS,),
        )
        for inputs in map(inputs_of, held_out(_SEED, count))
    ]


def enlarged(image: GreyImage, side: int) -> GreyImage:
    """Repeat pixels until the longer side is at least `side`."""
    times = -(-side // max(image.shape)) if side else 1
    return np.ascontiguousarray(image.repeat(times, 0).repeat(times, 1))


def call(engine: ReportEngine, request: ReportRequest) -> Call:
    started = time.perf_counter()
    (reports,) = engine.generate([request])
    return Call(
        seconds=time.perf_counter() - started,
        model=sum(report.provenance.seconds for report in reports),
        reports=reports,
    )


def measure(
    engines: dict[str, ReportEngine], asked: list[ReportRequest]
) -> dict[str, list[Call]]:
    """Ask each engine each question, in turn. Raises where they say other words."""
    for engine in engines.values():
        call(engine, asked[0])
    calls: dict[str, list[Call]] = {name: [] for name in engines}
    names = list(engines)
    for number, request in enumerate(asked):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            calls[name].append(call(engines[name], request))
    for answers in zip(*calls.values(), strict=True):
        said = {tuple(r.text for r in answer.reports) for answer in answers}
        if len(said) > 1:
            raise RuntimeError(f"the engines differ: {said}")
    return calls


def figures(calls: dict[str, list[Call]], size: str) -> list[Figure]:
    def figure(what: str, unit: str, value: Callable[[Call], float]) -> list[Figure]:
        return [
            Figure(
                name=f"{what}, {name}, {size}", unit=unit, values=tuple(map(value, own))
            )
            for name, own in calls.items()
        ]

    return [
        *figure("a call", "s", lambda one: one.seconds),
        *figure("beside the model", "ms", lambda one: one.beside),
    ]


def added(calls: dict[str, list[Call]]) -> Figure | None:
    """Return what Ray Serve adds to each call in this process; None: not both ran."""
    if not {"local", "ray"} <= calls.keys():
        return None
    pairs = zip(calls["local"], calls["ray"], strict=True)
    return Figure(
        name="added by Ray Serve, phantom",
        unit="ms",
        values=tuple(ray.beside - local.beside for local, ray in pairs),
    )


def targets(small: dict[str, list[Call]]) -> list[Target]:
    own = added(small)
    if own is None:
        return []
    return [
        Target(
            what="added to a call by Ray Serve, ms",
            reached=own.median,
            bound=MOST_MILLISECONDS,
            at_least=False,
        ),
        Target(
            what=f"the same as a share of a report of {REPORT_SECONDS} s",
            reached=own.median / 1000 / REPORT_SECONDS,
            bound=MOST_SHARE,
            at_least=False,
        ),
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure, print and keep; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_calls")
    parser.add_argument("--engine", default="local,ray", help="which, by their names")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--side", type=int, default=2700, help="of a large image")
    given = parser.parse_args(arguments)
    names = given.engine.split(",")
    if not {*names} <= {"local", "ray"}:
        parser.error(f"--engine {given.engine}: local, ray, or local,ray")
    with tempfile.TemporaryDirectory() as folder:
        return _compare(names, given, Path(folder), {})


def _compare(
    names: list[str],
    given: argparse.Namespace,
    folder: Path,
    engines: dict[str, ReportEngine],
) -> int:
    """Open one engine after the other, then measure them all."""
    if names:
        with opened(names[0], folder) as engine:
            return _compare(names[1:], given, folder, {**engines, names[0]: engine})
    small = measure(engines, questions(given.rounds, 0))
    large = measure(engines, questions(given.rounds, given.side))
    rows, columns = questions(1, given.side)[0].inputs.current_frontal.shape
    found = figures(small, "phantom") + figures(large, f"{rows} x {columns}")
    found += [each for each in [added(small)] if each is not None]
    keep("engine_calls", found, targets(small))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
