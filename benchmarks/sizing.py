"""What sites of three sizes need, by the simulation: the figures of docs/sizing.md.

Times of the stages are those that `benchmarks.study` measured one by one, processor
seconds those of `benchmarks.simulation`, bytes those of `benchmarks.sizes`; the times
of the engine are calculated (engine_times.py). What nobody measured is a constant here.
Usage: python -m benchmarks.sizing [--studies 4000]
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.arrivals import evenly, in_bursts
from benchmarks.engine_times import (
    DEVICES,
    FRONTAL,
    WITH_PRIOR,
    Device,
    Reached,
    Reading,
    most,
    service,
)
from benchmarks.kept import Kept, read
from benchmarks.rounds import RESULTS, Figure, keep
from benchmarks.simulated_pipeline import Engine, Plan, Run, simulate
from benchmarks.simulated_stages import Stages, stages_of

QUIET = 30.0
"""Seconds: the default of completeness.quiet_seconds."""
SOON = 90.0
"""Seconds from the last image, within which 95 % of the results are wanted."""
CORES = 1.0
"""That a gateway computes on: more only in its children, for one interpreter's lock."""
TOGETHER = 3
"""Longest readings of one batch under the default of engine.collect_tokens."""
BACKFILL_TOGETHER = 8
"""The same for a back-fill, whose site raises it: nobody waits."""
BUSY = 0.85
"""Of a GPU in a back-fill."""
IMAGES = 2
PEAK_HOURS = 8
"""Hours of the peak that a day's studies amount to."""
RETENTION_DAYS = 14
FILMS = 10_000_000
WITHIN = (30, 90, 365)
"""Days of a back-fill."""
MOST_GPUS = 24
SEED = 9
SITES = {"one hospital": 180.0, "ten hospitals": 1800.0}
"""Studies an hour at peak."""
SENSITIVE = ("ten hospitals", "A100 80 GB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a simulation is about; the defaults are the table's."""

    per_hour: float
    device: Device
    reading: Reading = WITH_PRIOR
    reached: Reached | None = None
    burst: float = 3.0
    together: int = TOGETHER
    quiet: float = QUIET
    slower: float = 1.0
    """Factor on the times of the stages."""

    @property
    def batch(self) -> int:
        """Studies that are read together: as set, or as the memory holds."""
        return min(self.together, most(self.device, self.reading))

    def plan(self, found: "Measured", gpus: int, gateways: int = 1) -> Plan:
        """Return so many GPUs behind so many gateways."""
        stages, beside = found.stages, max(0.0, found.processor - found.stages.whole)
        slow = {
            state: tuple(self.slower * each for each in seconds)
            for state, seconds in stages.seconds.items()
        }
        own = replace(stages, seconds=slow)
        return Plan(
            steps=own.steps(readers=gpus * self.batch, gateways=gateways),
            engine=Engine(
                replicas=gpus,
                batch=self.batch,
                seconds=service(self.device, self.reading, self.reached),
            ),
            cores=CORES * gateways,
            quiet_seconds=self.quiet,
            beside=beside,
        )

    def run(self, found: "Measured", gpus: int, studies: int) -> Run:
        """Simulate so many studies at the peak."""
        rng = np.random.default_rng(SEED)
        moments = in_bursts(self.per_hour / 3600, studies, self.burst, rng)
        return simulate(self.plan(found, gpus), moments, SEED)

    def fewest(self, found: "Measured", studies: int) -> tuple[int, Run]:
        """Return how many GPUs keep to SOON, and how they do.

        Raises ValueError where MOST_GPUS do not.
        """
        rate = self.per_hour / 3600
        alone = service(self.device, self.reading, self.reached)(self.batch)
        first = max(1, int(rate * alone / self.batch))  # fewer never keep up
        for gpus in range(first, MOST_GPUS + 1):
            run = self.run(found, gpus, studies)
            if run.percentile(0.95) <= SOON - QUIET + self.quiet:
                return gpus, run
        raise ValueError(f"{MOST_GPUS} of {self.device.name} are too few")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the other benchmarks kept.

    processor : seconds of a study. film, results, ledger : bytes. writes :
    transactions of a study that write.
    """

    stages: Stages
    processor: float
    film: float
    results: float
    ledger: float
    writes: float


def measured() -> Measured:
    """Read it; raises ValueError that names what must be run first."""
    study, sizes = _demanded("study"), _demanded("sizes")
    processor = _demanded("simulation").figures["processor, gateway"].median
    stages = stages_of(study)
    return Measured(
        stages=replace(stages, processor=min(1.0, processor / stages.whole)),
        processor=processor,
        film=sizes.figures["films"].median,
        results=sizes.figures["results"].median,
        ledger=sizes.figures["ledger"].median,
        writes=sizes.figures["transactions that write"].median,
    )


def _demanded(name: str) -> Kept:
    kept = read(RESULTS, name)
    if kept is None:
        raise ValueError(f"first run `python -m benchmarks.{name}`")
    return kept


def at_peak(found: Measured, studies: int) -> Iterator[Figure]:
    """Yield what each site needs of each GPU, and what these reach."""
    for site, per_hour in SITES.items():
        for device in DEVICES.values():
            demand = Demand(per_hour=per_hour, device=device)
            gpus, run = demand.fewest(found, studies)
            yield from _named(
                f"{site}, {device.name}",
                {
                    "GPUs": (gpus, ""),
                    "median, s": (run.percentile(0.5), "s"),
                    "95 %, s": (run.percentile(0.95), "s"),
                    "GPU busy, %": (100 * run.engine_busy, "%"),
                },
            )


def beside_the_model(found: Measured) -> Iterator[Figure]:
    """Yield what each site needs of everything but the GPUs."""
    bytes_a_study = IMAGES * found.film + found.results
    for site, per_hour in SITES.items():
        rate, daily = per_hour / 3600, per_hour * PEAK_HOURS
        yield from _named(
            site,
            {
                "studies a second at peak": (rate, ""),
                "network in at peak, Mbit/s": (
                    8e-6 * rate * IMAGES * found.film,
                    "Mbit/s",
                ),
                "cores of the gateway at peak": (rate * found.processor, "cores"),
                "transactions that write, a second": (rate * found.writes, "1/s"),
                "studies a day": (daily, ""),
                f"disk for {RETENTION_DAYS} days, GB": (
                    1e-9 * daily * RETENTION_DAYS * bytes_a_study,
                    "GB",
                ),
                "ledger, GB a year": (1e-9 * 365 * daily * found.ledger, "GB"),
            },
        )


def backfill(found: Measured, studies: int) -> Iterator[Figure]:
    """Yield what ten million films need."""
    count = FILMS / IMAGES
    for device in DEVICES.values():
        demand = Demand(per_hour=1, device=device, together=BACKFILL_TOGETHER)
        seconds = service(device, demand.reading)(demand.batch) / demand.batch
        days = count * seconds / BUSY / 86400
        values: dict[str, tuple[float, str]] = {
            "read together": (demand.batch, ""),
            "s a study": (seconds, "s"),
            "GPU days": (days, "days"),
        }
        for within in WITHIN:
            values[f"GPUs for {within} days"] = (float(np.ceil(days / within)), "")
        yield from _named(f"back-fill, {device.name}", values)
    for within in WITHIN:
        rate = count / (within * 86400)
        yield from _named(
            f"back-fill in {within} days",
            {
                "studies a second": (rate, ""),
                "network in, Mbit/s": (8e-6 * rate * IMAGES * found.film, "Mbit/s"),
                "cores of the gateways": (rate * found.processor, "cores"),
                "transactions that write, a second": (rate * found.writes, "1/s"),
                "disk for 1 day, GB": (
                    1e-9 * 86400 * rate * (IMAGES * found.film + found.results),
                    "GB",
                ),
            },
        )
    whole = {
        "films moved, TB": (1e-12 * FILMS * found.film, "TB"),
        "ledger, GB": (1e-9 * count * found.ledger, "GB"),
    }
    yield from _named("back-fill, all of it", whole)
    yield from _through_the_lines(found, studies)


def _through_the_lines(found: Measured, studies: int) -> Iterator[Figure]:
    """Yield studies a second through so many gateways while work never runs out."""
    device = DEVICES["H100 SXM"]
    demand = Demand(per_hour=1, device=device, together=BACKFILL_TOGETHER, quiet=0.0)
    seconds = service(device, demand.reading)(demand.batch) / demand.batch
    for gateways in (1, 2, 4):
        rates = []
        for gpus in BACKFILL_GPUS:
            plan = demand.plan(found, gpus, gateways)
            moments = evenly(1.5 * gpus / seconds, studies)
            rates.append(simulate(plan, moments, SEED).throughput)
        name = f"back-fill, gateways: {gateways}"
        yield Figure(name=name, unit="studies/s", values=tuple(rates))


BACKFILL_GPUS = (1, 2, 4, 8, 16)
"""For which the throughput of the gateways' lines is simulated."""


def over_loads(found: Measured, studies: int) -> Iterator[Figure]:
    """Yield the 95th percentile at growing loads, for 1 to 4 GPUs."""
    device = DEVICES[SENSITIVE[1]]
    for gpus in (1, 2, 3, 4):
        values = [
            Demand(per_hour=rate, device=device)
            .run(found, gpus, studies)
            .percentile(0.95)
            for rate in LOADS
        ]
        yield Figure(name=f"load, GPUs: {gpus}", unit="s", values=tuple(values))


LOADS = (180, 600, 1200, 1800, 2400, 3000, 3600)
"""Studies an hour."""


def changes(base: Demand) -> Mapping[str, tuple[Demand, Demand]]:
    """Return what may be otherwise: each assumption lower and higher."""
    reading = base.reading
    shorter, longer = (replace(reading, new_tokens=count) for count in (100, 400))
    return {
        "studies an hour, 900 or 3,600": (
            replace(base, per_hour=900.0),
            replace(base, per_hour=3600.0),
        ),
        "tokens of an answer, 100 or 400": (
            replace(base, reading=shorter),
            replace(base, reading=longer),
        ),
        "images, one or three": (replace(base, reading=FRONTAL), base),
        "of the bandwidth, 82 % or 50 %": (
            replace(base, reached=Reached(bandwidth=0.82)),
            replace(base, reached=Reached(bandwidth=0.5)),
        ),
        "read together, 8 or 1": (
            replace(base, together=8),
            replace(base, together=1),
        ),
        "studies of a burst, 1 or 12": (
            replace(base, burst=1.0),
            replace(base, burst=12.0),
        ),
        "times of the stages, halved or trebled": (
            replace(base, slower=0.5),
            replace(base, slower=3.0),
        ),
        "quiet period, 10 s or 60 s": (
            replace(base, quiet=10.0),
            replace(base, quiet=60.0),
        ),
    }


def sensitivity(found: Measured, studies: int) -> Iterator[Figure]:
    """Yield how time and GPUs change with each assumption."""
    site, name = SENSITIVE
    base = Demand(per_hour=SITES[site], device=DEVICES[name])
    gpus, run = base.fewest(found, studies)
    yield Figure(
        name="sensitivity, as assumed", unit="s", values=(run.percentile(0.95),)
    )
    for what, pair in changes(base).items():
        values: dict[str, tuple[float, str]] = {}
        for side, other in zip(("first", "second"), pair, strict=True):
            same = other.run(found, gpus, studies)
            needed, _ = other.fewest(found, studies)
            values[f"95 % with as many GPUs, {side}, s"] = (same.percentile(0.95), "s")
            values[f"GPUs needed, {side}"] = (needed, "")
        yield from _named(f"sensitivity, {what}", values)


def _named(head: str, values: Mapping[str, tuple[float, str]]) -> Iterator[Figure]:
    for name, (value, unit) in values.items():
        yield Figure(name=f"{head}: {name}", unit=unit, values=(float(value),))


PARTS: Sequence[Callable[[Measured, int], Iterator[Figure]]] = (
    at_peak,
    lambda found, _: beside_the_model(found),
    backfill,
    over_loads,
    sensitivity,
)


def main(words: Sequence[str] | None = None) -> None:
    """Simulate the sites and keep what they need."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=4000)
    given = parser.parse_args(words)
    found = measured()
    keep(
        "sizing",
        [figure for part in PARTS for figure in part(found, given.studies)],
    )


if __name__ == "__main__":
    main()
