"""A processor that shares itself evenly among all that runs on it.

Processor sharing: of n jobs on c cores each gets min(1, c / n) of a core. The mean time
of a job is known in closed form (Kleinrock, Queueing Systems II, 4.4), and the tests
hold it against that.
"""

from functools import partial
from heapq import heappop, heappush
from itertools import count

import simpy

_ROUNDING = 1e-12
"""Seconds; what is left of a job when its end was reckoned in binary fractions."""


class Processor:
    """Cores that all jobs share; `busy` counts the core seconds that were used.

    All jobs that are present progress alike, so one sum of what each has had since the
    beginning tells for every job how much it still lacks.
    """

    def __init__(self, env: simpy.Environment, cores: float) -> None:
        if cores <= 0:
            raise ValueError(f"a processor has more than {cores} cores")
        self._env, self._cores = env, cores
        self._had, self._since = 0.0, env.now
        self._ends: list[tuple[float, int, simpy.Event]] = []
        self._order, self._alarm = count(), 0
        self.busy = 0.0

    def work(self, seconds: float) -> simpy.Event:
        """Return what happens when so many processor seconds were done."""
        done = self._env.event()
        if seconds <= 0:
            return done.succeed()
        self._catch_up()
        heappush(self._ends, (self._had + seconds, next(self._order), done))
        self._set_alarm()
        return done

    def _rate(self) -> float:
        return min(1.0, self._cores / len(self._ends)) if self._ends else 0.0

    def _catch_up(self) -> None:
        passed, self._since = self._env.now - self._since, self._env.now
        self._had += passed * self._rate()
        self.busy += passed * self._rate() * len(self._ends)

    def _set_alarm(self) -> None:
        self._alarm += 1  # earlier alarms ring in vain
        if self._ends:
            left = max(0.0, (self._ends[0][0] - self._had) / self._rate())
            ring = self._env.timeout(left)
            ring.callbacks.append(partial(self._ring, self._alarm))

    def _ring(self, alarm: int, _event: simpy.Event) -> None:
        if alarm != self._alarm:
            return
        self._catch_up()
        self._had = max(self._had, self._ends[0][0])
        while self._ends and self._ends[0][0] <= self._had + _ROUNDING:
            heappop(self._ends)[2].succeed()
        self._set_alarm()
