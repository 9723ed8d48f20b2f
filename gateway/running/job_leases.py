"""Which recurring jobs this process may do: it holds a lease of each in the ledger.

A lease is renewed while its holder lives, whether the job is under way or not, and
taken over when it has run out. The ledger compares it with the clock that all go by;
the holder itself counts seconds that no step of a clock reaches, from before it asked,
so that it stops no later than another may begin.
"""

import threading
import time
from collections.abc import Callable, Collection
from datetime import timedelta

from gateway.ledger import Ledger
from gateway.site import Clock

_SURE = 0.9
"""The share of a lease in which its holder relies on it: clocks may drift a little."""

IsOver = Callable[[], bool]
"""Asked between two pieces of a job: is somebody else to go on with it?"""


class JobLeases:
    """The leases of one process; thread-safe.

    holder : the name of the process. seconds : how long a lease is good for.
    elapsed : seconds that never go back.
    """

    def __init__(
        self,
        holder: str,
        seconds: float,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holder, self._seconds, self._elapsed = holder, seconds, elapsed
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def renew(self, ledger: Ledger, clock: Clock, names: Collection[str]) -> set[str]:
        """Hold what is held already or free; return which jobs those are.

        Raises LedgerFailure; what was held is held until it runs out.
        """
        asked = self._elapsed()
        with ledger.writing() as rows:
            now = clock()
            until = now + timedelta(seconds=self._seconds)
            held = rows.hold_jobs(names, self._holder, now, until)
        with self._lock:
            self._until = dict.fromkeys(held, asked + _SURE * self._seconds)
        return held

    def give_back(self, ledger: Ledger, clock: Clock) -> None:
        """Let another process take them at once."""
        with self._lock:
            self._until = {}
        with ledger.writing() as rows:
            rows.free_jobs(clock(), self._holder)

    def holds(self, name: str) -> bool:
        """Whether nobody else does this job now."""
        with self._lock:
            return self._elapsed() < self._until.get(name, float("-inf"))

    def do(self, name: str, job: Callable[[IsOver], object]) -> bool:
        """Do a job if it is ours; return whether it was.

        The job is told when it is over: a process that was stopped for long, or could
        not reach the ledger, must not go on with what another has begun.
        """
        if not self.holds(name):
            return False
        job(lambda: not self.holds(name))
        return True
