"""Jobs that come round again, each on a thread of its own, by the monotonic clock.

The wall clock has no part in it: set back, it delays no round; set forward, it lets
none pile up. A job that is still at work when its next round comes begins that one
when it has ended, once.
"""

import logging
import math
import threading
import time
from bisect import bisect_right, insort
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Rounds:
    """The recurring jobs of a process."""

    def __init__(self) -> None:
        self._rounds: dict[str, _Round] = {}

    def every(self, seconds: float, name: str, job: Callable[[], object]) -> None:
        """Add a job; its first round begins `seconds` after the start."""
        self._rounds[name] = _Round(seconds, name, job)

    def start(self) -> None:
        """Start the thread of each job."""
        for each in self._rounds.values():
            each.start()

    def rouse(self, name: str, *, seconds: float = 0.0) -> None:
        """Begin the next round of a job within `seconds`: after the present one."""
        self._rounds[name].rouse(seconds)

    def stop(self, *, wait: bool = True) -> None:
        """Begin no more rounds, and wait for those that are under way.

        wait : False: what is under way is left to end with the process.
        """
        for each in self._rounds.values():
            each.stop()
        for each in self._rounds.values() if wait else ():
            each.join()


class _Round:
    """One job and its thread."""

    def __init__(self, seconds: float, name: str, job: Callable[[], object]) -> None:
        self._seconds = seconds
        self._job = job
        self._due = time.monotonic() + seconds
        self._roused: list[float] = []
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._due = time.monotonic() + self._seconds
        self._thread.start()

    def rouse(self, seconds: float) -> None:
        now = time.monotonic()
        at = now if seconds <= 0 else _hundredth_after(now + seconds)
        with self._changed:
            is_due = bool(self._roused) and self._roused[0] <= now
            if seconds <= 0 and is_due:
                return  # the next round begins after this moment anyway
            if at not in self._roused:
                insort(self._roused, at)
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._has_begun():
            try:
                self._job()
            except Exception:  # around a round: the next one comes all the same
                logger.exception("round of %s", self._thread.name)

    def _has_begun(self) -> bool:
        """Wait for the next round; false: there is none."""
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                left = min([self._due, *self._roused[:1]]) - now
                if left <= 0:
                    self._due = now + self._seconds
                    del self._roused[: bisect_right(self._roused, now)]
                    return True
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
        return False


def _hundredth_after(moment: float) -> float:
    """Round up: thousands may wait for one moment, and none may begin before its own.

    A round that comes too early finds nothing, and the next is the regular one.
    """
    return math.ceil(100 * moment) / 100
