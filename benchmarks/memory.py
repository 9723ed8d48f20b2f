"""What our durable receiver needs beyond what it needs when idle.

Resident memory of the process and its children: with films on 32 associations, and
with one instance of 2 GB, which the sender never holds either.
Usage: python -m benchmarks.memory [--associations 32] [--side 2260] [--megabytes 2000]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.receivers import RECEIVERS
from benchmarks.rounds import Figure, Target, keep
from benchmarks.sender import send, send_long
from benchmarks.serving import Peak, serving

BOUND_MEGABYTES = 120.0
_IDLE_SECONDS = 0.5
_NAME = "ours, durable"


def peak_of(pid: int, action: Callable[[], object]) -> float:
    """Return the highest resident memory while something is done, in MB."""
    peak = Peak(pid)
    try:
        action()
    finally:
        peak.stop()
    return peak.megabytes


def measure(folder: Path, associations: int, side: int, megabytes: int) -> list[Figure]:
    """Return idle memory, and what either load adds to it."""
    with serving(_NAME, folder) as (port, process):
        send(port, 1, 1, side)
        idle = peak_of(process.pid, lambda: time.sleep(_IDLE_SECONDS))
        films = peak_of(
            process.pid, lambda: send(port, associations, 2 * associations, side)
        )
        long = peak_of(process.pid, lambda: send_long(port, megabytes * 1_000_000))
    wanted = 2 * associations + 2
    if (arrived := RECEIVERS[_NAME].arrived(folder)) != wanted:
        raise RuntimeError(f"{arrived} of {wanted} objects are there")
    return [
        Figure(name="idle", unit="MB", values=(idle,)),
        Figure(
            name=f"films on {associations} associations, above idle",
            unit="MB",
            values=(films - idle,),
        ),
        Figure(
            name=f"one instance of {megabytes} MB, above idle",
            unit="MB",
            values=(long - idle,),
        ),
    ]


def main(words: Sequence[str] | None = None) -> None:
    """Measure both loads and keep what they need."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--associations", type=int, default=32)
    parser.add_argument("--side", type=int, default=2260)
    parser.add_argument("--megabytes", type=int, default=2000)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), given.associations, given.side, given.megabytes)
    targets = [
        Target(
            what=f"{figure.name}, MB",
            reached=figure.median,
            bound=BOUND_MEGABYTES,
            at_least=False,
        )
        for figure in figures[1:]
    ]
    keep("memory", figures, targets)


if __name__ == "__main__":
    main()
