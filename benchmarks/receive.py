"""Receiving: this gateway's listener beside DCMTK, pynetdicom and Orthanc, in turn.

Each round runs every receiver with every number of associations, in an order that
changes, so that ratios survive a busy machine. A receiver is a process of its own; the
sender encodes its messages beforehand. What arrived is counted. Writes JSON, prints
medians with their range and ratios. Usage:
python -m benchmarks.receive [--rounds 5] [--objects 32] [--side 2260]
                             [--associations 1,8,32] [--only "NAME;NAME"] [--json FILE]
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.receivers import RECEIVERS
from benchmarks.rounds import Figure, Target, keep
from benchmarks.sender import send
from benchmarks.serving import Peak, serving

_RATE, _P99, _PEAK = "megabytes_per_second", "object_p99_ms", "peak_megabytes"
_OURS, _DURABLE, _TUNED = "ours", "ours, durable", "storescp, tuned"
_BOUNDS = {
    (_OURS, _TUNED, 1, _RATE): 1.3,
    (_OURS, _TUNED, 8, _RATE): 1.1,
    (_OURS, _TUNED, 32, _RATE): 1.5,
    (_DURABLE, _TUNED, 8, _RATE): 0.9,
    (_DURABLE, _TUNED, 32, _RATE): 1.1,
    (_DURABLE, "Orthanc", 1, _RATE): 4.0,
    (_DURABLE, "Orthanc", 8, _RATE): 4.0,
    (_DURABLE, "Orthanc", 32, _RATE): 4.0,
    (_DURABLE, "Orthanc", 32, _PEAK): 0.25,
    (_OURS, "pynetdicom", 1, _RATE): 8.0,
    (_OURS, "pynetdicom", 8, _RATE): 12.0,
    (_OURS, "pynetdicom", 32, _RATE): 25.0,
    (_OURS, _TUNED, 32, _P99): 0.6,
}
"""What the ratio of two medians is to be: at least for a rate, else at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One receiver, once."""

    name: str
    associations: int
    megabytes_per_second: float
    object_p50_ms: float
    object_p99_ms: float
    peak_megabytes: float
    arrived: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; return the exit code."""
    options = _options(arguments)
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
            for count in counts:
                order = present[start:] + present[:start]
                runs += [_run(name, count, options, place) for name in order]
    _report(runs, present, counts)
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(run) for run in runs]))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--objects", type=int, default=32)
    parser.add_argument("--side", type=int, default=2260)
    parser.add_argument("--associations", default="1,8,32")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", default=None)
    parser.add_argument("--json", default="")
    return parser.parse_args(arguments)


def _run(name: str, count: int, options: argparse.Namespace, folder: Path) -> Run:
    place = folder / "received"
    place.mkdir()
    try:
        with serving(name, place) as (port, process):
            send(port, 1, 1, options.side)
            before = RECEIVERS[name].arrived(place)
            peak = Peak(process.pid)
            _level(folder, options)
            seconds, times = send(port, count, options.objects, options.side)
            peak.stop()
            arrived = RECEIVERS[name].arrived(place) - before
    finally:
        shutil.rmtree(place)
    if arrived < options.objects:
        raise RuntimeError(f"{name} kept {arrived} of {options.objects} objects")
    size = options.side * options.side * 2 * options.objects
    run = Run(
        name=name,
        associations=count,
        megabytes_per_second=size / 1e6 / seconds,
        object_p50_ms=_percentile(times, 0.5),
        object_p99_ms=_percentile(times, 0.99),
        peak_megabytes=peak.megabytes,
        arrived=arrived,
    )
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


def _report(runs: list[Run], names: list[str], counts: list[int]) -> None:
    print("\n| receiver | assoc. | MB/s (min-max) | object p50 / p99 ms | peak MB |")
    print("|---|---|---|---|---|")
    rates: dict[tuple[str, int], float] = {}
    for count in counts:
        for name in names:
            mine = [
                run for run in runs if (run.name, run.associations) == (name, count)
            ]
            speed = [run.megabytes_per_second for run in mine]
            rates[name, count] = statistics.median(speed)
            p50 = statistics.median(run.object_p50_ms for run in mine)
            p99 = statistics.median(run.object_p99_ms for run in mine)
            peak = max(run.peak_megabytes for run in mine)
            rate = f"{rates[name, count]:.0f} ({min(speed):.0f}-{max(speed):.0f})"
            print(f"| {name} | {count} | {rate} | {p50:.0f} / {p99:.0f} | {peak:.0f} |")
    keep("receive", _figures(runs, names, counts), _targets(runs, names, counts))


def _figures(runs: list[Run], names: list[str], counts: list[int]) -> list[Figure]:
    return [
        Figure(name=f"{name}, {count}, {what}", unit=unit, values=tuple(values))
        for name in names
        for count in counts
        for what, unit, values in (
            ("rate", "MB/s", _of(runs, name, count, "megabytes_per_second")),
            ("99th percentile", "ms", _of(runs, name, count, "object_p99_ms")),
            ("memory", "MB", _of(runs, name, count, "peak_megabytes")),
        )
    ]


def _of(runs: list[Run], name: str, count: int, what: str) -> list[float]:
    return [
        float(getattr(run, what))
        for run in runs
        if (run.name, run.associations) == (name, count)
    ]


def _targets(runs: list[Run], names: list[str], counts: list[int]) -> list[Target]:
    """Return the bounds on ratios of medians for what was measured."""
    return [
        Target(
            what=f"{own} over {other}, {count} associations, {what}",
            reached=statistics.median(_of(runs, own, count, what))
            / statistics.median(_of(runs, other, count, what)),
            bound=bound,
            at_least=what == _RATE,
        )
        for (own, other, count, what), bound in _BOUNDS.items()
        if {own, other} <= set(names) and count in counts
    ]


if __name__ == "__main__":
    sys.exit(main())
