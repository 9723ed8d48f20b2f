"""The gateway's pipeline as a simulation of discrete events (SimPy).

A study is received, waits for the quiet period, and passes the steps in order; each
step has workers of its own, as the lines of gateway/stages/lines.py have. A step needs
time, a share of which is work of the processors that all steps use. One step waits for
the engine: replicas that take what waits, up to a batch. What a study needs is drawn
before anything runs, so that two plans are compared with the same studies.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from numpy.random import Generator as Random

from benchmarks.simulated_processor import Processor

Draw = Callable[[Random], float]
"""A time in seconds."""
Process = Generator[simpy.Event, Any, None]


def fixed(seconds: float) -> Draw:
    """Return the same time for each study."""
    return measured([seconds])


def exponential(mean: float) -> Draw:
    """Return times as a memoryless server needs them."""
    if not mean > 0:
        raise ValueError(f"no time: {mean} s")
    return lambda rng: float(rng.exponential(mean))


def measured(seconds: Sequence[float]) -> Draw:
    """Return one of the times that were measured, each as likely as the others."""
    if not seconds or min(seconds) < 0:
        raise ValueError("times of 0 s or more are needed")
    return lambda rng: float(seconds[int(rng.integers(len(seconds)))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage of the pipeline.

    workers : None: as many as there are studies. seconds : what it takes a study while
    nothing else runs, the engine's time not included. processor : the share of it, 0 to
    1, that is work of the processors. asks : whether the engine is waited for, after
    the step's own time, while the worker is held.
    """

    name: str
    workers: int | None
    seconds: Draw
    processor: float = 0.0
    asks: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"{self.name}: {self.workers} workers do nothing")
        if not 0 <= self.processor <= 1:
            raise ValueError(f"{self.name}: {self.processor} is no share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """So many replicas, each of which reads up to `batch` studies in seconds(n)."""

    replicas: int
    seconds: Callable[[int], float]
    batch: int = 1

    def __post_init__(self) -> None:
        if self.replicas < 1 or self.batch < 1:
            raise ValueError(f"{self.replicas} replicas read {self.batch} at a time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is simulated.

    receiving : seconds of a study from its first byte to its last durable image.
    beside : processor seconds of a study that nobody waits for, used as it arrives:
    looking at films ahead, and whatever else runs on the same machine for it.
    """

    steps: tuple[Step, ...]
    engine: Engine
    cores: float
    quiet_seconds: float = 0.0
    receiving: Draw = field(default_factory=lambda: fixed(0.0))
    beside: float = 0.0

    def __post_init__(self) -> None:
        if self.quiet_seconds < 0 or self.beside < 0:
            raise ValueError("no time is less than 0 s")
        if not self.steps:
            raise ValueError("a pipeline without steps")


@dataclass(slots=True, kw_only=True)
class Passage:
    """What became of a study; moments in seconds.

    waited : for a worker, by step. took : while it had one, by step.
    """

    arrived_at: float
    received_at: float = float("nan")
    ended_at: float = float("nan")
    waited: dict[str, float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    @property
    def to_result(self) -> float:
        """Seconds from the last image to the end of the last step."""
        return self.ended_at - self.received_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A simulation that ended.

    present : studies in the system, on average over the time to `ended_at`. busy and
    engine_busy : the share of cores and replicas that was used over that time.
    """

    passages: tuple[Passage, ...]
    ended_at: float
    present: float
    busy: float
    engine_busy: float

    def percentile(self, share: float) -> float:
        """Return the time to a result that `share` (0 to 1) of the studies keep."""
        times = [each.to_result for each in self.passages]
        return float(np.quantile(times, share, method="inverted_cdf"))

    @property
    def throughput(self) -> float:
        """Studies a second, from the first study's last image to the last result."""
        first = min(each.received_at for each in self.passages)
        return len(self.passages) / (self.ended_at - first)


def simulate(plan: Plan, arrivals: Sequence[float], seed: int) -> Run:
    """Run studies that arrive at these moments (ascending, 0 or later) to their end."""
    if not arrivals or arrivals[0] < 0 or list(arrivals) != sorted(arrivals):
        raise ValueError("arrivals are ascending moments, at least one, 0 or later")
    rng = np.random.default_rng(seed)
    simulation = _Simulation(plan)
    for moment in arrivals:
        needs = [plan.receiving(rng), *(step.seconds(rng) for step in plan.steps)]
        simulation.add(moment, needs)
    return simulation.run()


class _Simulation:
    """A plan at work."""

    def __init__(self, plan: Plan) -> None:
        self._env = env = simpy.Environment()
        self._plan = plan
        self._processor = Processor(env, plan.cores)
        self._lines = [
            None if step.workers is None else simpy.Resource(env, step.workers)
            for step in plan.steps
        ]
        self._asked = simpy.Store(env)
        self._engine_busy = 0.0
        self._passages: list[Passage] = []
        self._left = 0
        self._present = _Average(env)
        self._all_done = env.event()
        for _ in range(plan.engine.replicas):
            env.process(self._replica())

    def add(self, moment: float, needs: Sequence[float]) -> None:
        """Let a study arrive that needs so many seconds to be received, and a step."""
        passage = Passage(arrived_at=moment)
        self._passages.append(passage)
        self._left += 1
        self._env.process(self._study(passage, needs))

    def run(self) -> Run:
        self._env.run(until=self._all_done)
        now = self._env.now
        return Run(
            passages=tuple(self._passages),
            ended_at=now,
            present=self._present.until_now(),
            busy=self._processor.busy / (now * self._plan.cores),
            engine_busy=self._engine_busy / (now * self._plan.engine.replicas),
        )

    def _study(self, passage: Passage, needs: Sequence[float]) -> Process:
        env, plan = self._env, self._plan
        yield env.timeout(passage.arrived_at)
        self._present.add(1)
        self._processor.work(plan.beside)
        yield env.timeout(needs[0])
        passage.received_at = env.now
        yield env.timeout(plan.quiet_seconds)
        for step, line, seconds in zip(plan.steps, self._lines, needs[1:], strict=True):
            yield from self._pass(passage, step, line, seconds)
        passage.ended_at = env.now
        self._present.add(-1)
        self._left -= 1
        if self._left == 0:
            self._all_done.succeed()

    def _pass(
        self,
        passage: Passage,
        step: Step,
        line: simpy.Resource | None,
        seconds: float,
    ) -> Process:
        since = self._env.now
        if line is None:
            passage.waited[step.name] = 0.0
            yield from self._work(step, seconds)
            passage.took[step.name] = self._env.now - since
            return
        with line.request() as worker:
            yield worker
            begun = self._env.now
            yield from self._work(step, seconds)
        passage.waited[step.name] = begun - since
        passage.took[step.name] = self._env.now - begun

    def _work(self, step: Step, seconds: float) -> Process:
        yield self._processor.work(seconds * step.processor)
        yield self._env.timeout(seconds * (1 - step.processor))
        if step.asks:
            answered = self._env.event()
            yield self._asked.put(answered)
            yield answered

    def _replica(self) -> Process:
        """Take what waits, up to a batch, as long as the simulation runs."""
        engine = self._plan.engine
        while True:
            batch = [(yield self._asked.get())]
            while self._asked.items and len(batch) < engine.batch:
                batch.append((yield self._asked.get()))
            seconds = engine.seconds(len(batch))
            yield self._env.timeout(seconds)
            self._engine_busy += seconds
            for answered in batch:
                answered.succeed()


class _Average:
    """A number over time, and its mean since the beginning."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env, self._since = env, env.now
        self._number = 0
        self._sum = 0.0

    def add(self, more: int) -> None:
        self._sum += self._number * (self._env.now - self._since)
        self._number, self._since = self._number + more, self._env.now

    def until_now(self) -> float:
        self.add(0)
        return self._sum / self._env.now if self._env.now else 0.0
