"""The simulation of the pipeline held against the real gateway.

Studies one by one tell what each stage needs. Then 100 studies arrive at each of three
rates, at random, and the simulation gets the moments at which they arrived: its
throughput, median and 95th percentile of the time to a result must be within 15 % of
those of the gateway. The rates are shares of what the reader can do.
Usage: python -m benchmarks.simulation --check [--studies 100] [--one-by-one 20]
[--side 2500] [--engine-seconds 1.25] [--quiet-seconds 1]
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.arrivals import poisson
from benchmarks.rounds import Figure, Target, keep
from benchmarks.simulated_pipeline import Engine, Plan, Run, simulate
from benchmarks.simulated_stages import ALONE, WAY
from benchmarks.simulation_real import Calibration, Passed, Real, real_gateway
from gateway.lifecycle import State

LOADS = {"light": 0.25, "half": 0.5, "near saturation": 0.9}
"""Arrivals as a share of what the reader can do."""
MOST_APART = 0.15
REPEATS = 40
"""Simulations of each load, with other draws; their median is held against reality."""
WARM_UP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is compared: studies a second, and seconds from last image to results."""

    throughput: float
    median: float
    p95: float


NAMES = {"throughput": "studies/s", "median": "s", "p95": "s"}


def plan_of(found: Calibration, quiet: float, delay: float, cores: float) -> Plan:
    """Return the plan of one gateway with one reader on a machine of its own."""
    beside = found.beside + max(0.0, found.gateway - found.stages.whole)
    return Plan(
        steps=found.stages.steps(readers=1),
        engine=Engine(replicas=1, seconds=lambda count: delay * count),
        cores=max(0.5, cores - found.idle),
        quiet_seconds=quiet,
        beside=beside,
    )


def outcome_of(passed: Sequence[Passed]) -> Outcome:
    """Return what the gateway reached."""
    times = [each.to_result for each in passed]
    first = min(each.received_at for each in passed)
    last = max(each.stored_at for each in passed)
    return Outcome(
        throughput=len(passed) / (last - first).total_seconds(),
        median=float(np.quantile(times, 0.5, method="inverted_cdf")),
        p95=float(np.quantile(times, 0.95, method="inverted_cdf")),
    )


def simulated(plan: Plan, passed: Sequence[Passed]) -> list[Outcome]:
    """Return what the simulation says of the same arrivals, once for each seed."""
    first = min(each.received_at for each in passed)
    moments = sorted((each.received_at - first).total_seconds() for each in passed)
    runs = [simulate(plan, moments, seed) for seed in range(REPEATS)]
    return [_of_run(run) for run in runs]


def _of_run(run: Run) -> Outcome:
    return Outcome(
        throughput=run.throughput,
        median=run.percentile(0.5),
        p95=run.percentile(0.95),
    )


def compared(
    load: str, real: Outcome, guesses: Sequence[Outcome]
) -> tuple[list[Figure], list[Target]]:
    """Return both sides of a load, and how far they are apart."""
    figures, targets = [], []
    for name, unit in NAMES.items():
        values = tuple(float(getattr(each, name)) for each in guesses)
        was = float(getattr(real, name))
        label = f"{load}: {name}, {unit}"
        figures += [
            Figure(name=f"{label}, measured", unit=unit, values=(was,)),
            Figure(name=f"{label}, simulated", unit=unit, values=values),
        ]
        apart = abs(statistics.median(values) / was - 1)
        targets.append(
            Target(
                what=f"{load}: {name}, simulated against measured",
                reached=apart,
                bound=MOST_APART,
                at_least=False,
            )
        )
    return figures, targets


def told(found: Calibration) -> list[Figure]:
    """Return what the studies needed one by one."""
    stages = [
        Figure(
            name=f"{ALONE}: {state}",
            unit="ms",
            values=tuple(1000 * each for each in found.stages.seconds[state]),
        )
        for state in WAY
    ]
    processor = {"gateway": found.gateway, "beside": found.beside}
    return [
        *stages,
        *(
            Figure(name=f"processor, {name}", unit="s a study", values=(value,))
            for name, value in processor.items()
        ),
        Figure(name="processor, idle", unit="cores", values=(found.idle,)),
    ]


def check(real: Real, studies: int, one_by_one: int) -> None:
    """Calibrate, run the loads, compare, and keep what was found."""
    found = real.calibrate(one_by_one, WARM_UP)
    plan = plan_of(found, real.quiet, real.delay, os.cpu_count() or 1)
    reading = found.stages.seconds[State.GATHERED]
    capacity = 1 / (real.delay + statistics.fmean(reading))
    figures, targets = told(found), []
    for number, (load, share) in enumerate(LOADS.items()):
        rng = np.random.default_rng(number)
        passed = real.send(poisson(share * capacity, studies, rng), one_by_one=False)
        measured = outcome_of(passed)
        print(f"{load}: {measured}", flush=True)
        more, bounds = compared(load, measured, simulated(plan, passed))
        figures += more
        targets += bounds
    keep("simulation", figures, targets)


def main(words: Sequence[str] | None = None) -> None:
    """Hold the simulation against the gateway."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", required=True)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--one-by-one", type=int, default=20)
    parser.add_argument("--side", type=int, default=2500)
    parser.add_argument("--engine-seconds", type=float, default=1.25)
    parser.add_argument("--quiet-seconds", type=float, default=1.0)
    given = parser.parse_args(words)
    with (
        tempfile.TemporaryDirectory(prefix="simulation-") as folder,
        real_gateway(
            Path(folder), given.side, given.quiet_seconds, given.engine_seconds
        ) as real,
    ):
        check(real, given.studies, given.one_by_one)


if __name__ == "__main__":
    main()
