"""Receiving: this gateway's listener beside DCMTK, pynetdicom and Orthanc, in turn.

Each round starts every receiver once, in an order that changes, and sends to it over
each number of associations, so that ratios survive a busy machine. A receiver is a
process of its own; the sender encodes its messages beforehand. What arrived is counted.
Writes JSON, prints medians with their range and ratios. Usage:
python -m benchmarks.receive [--rounds 5] [--objects 32] [--side 2260]
                             [--associations 1,8,32] [--only "NAME;NAME"]
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.limits import write_files
from benchmarks.receivers import RECEIVERS
from benchmarks.rounds import Figure, Target, keep
from benchmarks.sender import send
from benchmarks.serving import Peak, processor_seconds, serving

OURS, DURABLE, TUNED = "ours", "ours, durable", "storescp, tuned"
WRITING = "written and synced"
"""No receiver: files of the same size, one thread, each synced and its folder too."""

RATE, P99, PEAK, CPU = "rate", "99th percentile", "memory", "processor time"
UNITS = {RATE: "MB/s", P99: "ms", PEAK: "MB", CPU: "s/GB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, and what the ratio of two medians is to be.

    bounds : own, other, associations, figure -> the ratio, at least for a rate and at
    most for anything else.
    """

    name: str
    objects: int
    side: int
    associations: str
    bounds: Mapping[tuple[str, str, int, str], float]


FILMS = Plan(
    name="receive",
    objects=32,
    side=2260,
    associations="1,8,32",
    bounds={
        (OURS, TUNED, 1, RATE): 1.3,
        (OURS, TUNED, 8, RATE): 1.1,
        (OURS, TUNED, 32, RATE): 1.5,
        (DURABLE, TUNED, 8, RATE): 0.9,
        (DURABLE, TUNED, 32, RATE): 1.1,
        (DURABLE, WRITING, 1, RATE): 0.6,
        (DURABLE, "Orthanc", 1, RATE): 4.0,
        (DURABLE, "Orthanc", 8, RATE): 4.0,
        (DURABLE, "Orthanc", 32, RATE): 4.0,
        (DURABLE, "Orthanc", 32, PEAK): 0.25,
        (OURS, "pynetdicom", 1, RATE): 8.0,
        (OURS, "pynetdicom", 8, RATE): 12.0,
        (OURS, "pynetdicom", 32, RATE): 25.0,
        (OURS, TUNED, 32, P99): 0.6,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One receiver, once: its figures by name."""

    name: str
    associations: int
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Receiving:
    """A receiver that runs, and the folder in which it keeps what arrives."""

    name: str
    port: int
    pid: int
    folder: Path

    def arrived(self) -> int:
        """Count the objects that it has kept."""
        return RECEIVERS[self.name].arrived(self.folder)


def main(arguments: Sequence[str] | None = None, plan: Plan = FILMS) -> int:
    """Measure, print and write; return the exit code."""
    options = _options(arguments, plan)
    names = options.only.split(";") if options.only else list(RECEIVERS)
    counts = [int(each) for each in options.associations.split(",")]
    present = [name for name in names if RECEIVERS[name].is_present()]
    for name in set(names) - set(present):
        print(f"not measured: {name} is not installed")
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        place = Path(folder)
        for number in range(options.rounds):
            start = number % len(present)
            for name in present[start:] + present[:start]:
                runs += _runs(name, counts, options, place)
            runs.append(_writing(options, place))
    keep(plan.name, _figures(runs), _targets(runs, plan))
    return 0


def _options(arguments: Sequence[str] | None, plan: Plan) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--objects", type=int, default=plan.objects)
    parser.add_argument("--side", type=int, default=plan.side)
    parser.add_argument("--associations", default=plan.associations)
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", default=None)
    return parser.parse_args(arguments)


def _runs(
    name: str, counts: Sequence[int], options: argparse.Namespace, folder: Path
) -> list[Run]:
    """Start a receiver, and send to it over each count of associations."""
    place = folder / "received"
    place.mkdir()
    try:
        with serving(name, place) as (port, process):
            send(port, 1, 1, options.side)
            return [
                _run(Receiving(name, port, process.pid, place), count, options, folder)
                for count in counts
            ]
    finally:
        shutil.rmtree(place)


def _run(
    receiving: Receiving, count: int, options: argparse.Namespace, folder: Path
) -> Run:
    name, pid = receiving.name, receiving.pid
    objects = RECEIVERS[name].objects(options.objects, count)
    before = receiving.arrived()
    _level(folder, options)
    peak, worked = Peak(pid), processor_seconds(pid)
    seconds, times = send(receiving.port, count, objects, options.side)
    peak.stop()
    worked = processor_seconds(pid) - worked
    arrived = receiving.arrived() - before
    if arrived < objects:
        raise RuntimeError(f"{name} kept {arrived} of {objects} objects")
    size = options.side * options.side * 2 * objects
    figures = {
        RATE: size / 1e6 / seconds,
        P99: _percentile(times, 0.99),
        PEAK: peak.megabytes,
        CPU: worked / (size / 1e9),
    }
    return _told(Run(name=name, associations=count, figures=figures))


def _writing(options: argparse.Namespace, folder: Path) -> Run:
    """Write what one association would bring."""
    _level(folder, options)
    body = os.urandom(options.side * options.side * 2)
    rate = write_files(folder, body, options.objects, durable=True)
    return _told(Run(name=WRITING, associations=1, figures={RATE: rate}))


def _told(run: Run) -> Run:
    print(json.dumps(asdict(run)), flush=True)
    return run


def _level(folder: Path, options: argparse.Namespace) -> None:
    """Bring disk and memory into the same state for everyone.

    Nothing is left to be written back, and the pages that files will need have
    been touched: a virtual machine that gave them back pays for the first touch.
    """
    os.sync()
    scrap, piece = folder / "scrap", bytes(1 << 20)
    with scrap.open("wb", buffering=0) as file:
        for _ in range(options.side**2 * 2 * options.objects // len(piece) + 1):
            file.write(piece)
    scrap.unlink()


def _percentile(seconds: list[float], part: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(part * len(seconds)))] * 1000


def _figures(runs: Sequence[Run]) -> list[Figure]:
    found = {
        (run.name, run.associations, what): unit
        for run in runs
        for what, unit in UNITS.items()
        if what in run.figures
    }
    return [
        Figure(
            name=f"{name}, {count}, {what}",
            unit=unit,
            values=tuple(_of(runs, name, count, what)),
        )
        for (name, count, what), unit in found.items()
    ]


def _of(runs: Sequence[Run], name: str, count: int, what: str) -> list[float]:
    return [
        run.figures[what]
        for run in runs
        if (run.name, run.associations) == (name, count) and what in run.figures
    ]


def _targets(runs: Sequence[Run], plan: Plan) -> list[Target]:
    """Return the bounds on ratios of medians for what was measured."""
    targets = []
    for (own, other, count, what), bound in plan.bounds.items():
        mine, theirs = (_of(runs, name, count, what) for name in (own, other))
        if mine and theirs:
            target = Target(
                what=f"{what}, {own} over {other}, associations: {count}",
                reached=statistics.median(mine) / statistics.median(theirs),
                bound=bound,
                at_least=what == RATE,
            )
            targets.append(target)
    return targets


if __name__ == "__main__":
    sys.exit(main())
