"""Work with other nodes, each alone, that a turn does not wait for to its end.

A node that hangs holds up neither the other nodes of a study nor the next study:
after a little patience the turn ends, and what is still under way goes on by itself
within the peer's own deadline. What it did is in the ledger; this object only knows
what is under way in this process, so that nothing is begun twice.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from typing import TypeVar

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""More than the seconds that a commitment's report is awaited on its association."""

_CLOSING_SECONDS = 5.0
"""At a stop, after the turns have had their time."""


class Couriers:
    """What is under way; thread-safe."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._out: dict[Hashable, threading.Thread] = {}
        self._afterwards: dict[Hashable, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def is_out(self, key: Hashable) -> bool:
        """Whether the job of this name is under way."""
        with self._lock:
            return key in self._out

    def run(self, jobs: Mapping[K, Callable[[], T]]) -> dict[K, T]:
        """Do jobs side by side; return what those gave that ended in time.

        A job whose key is under way is not begun again. Raises what the first
        failed job of those that ended raised; a later failure goes into the log.
        """
        begun = {key: self._begin(key, job) for key, job in jobs.items()}
        futures = {key: future for key, future in begun.items() if future is not None}
        wait(futures.values(), self._patience_seconds)
        return {key: each.result() for key, each in futures.items() if each.done()}

    def when_ended(self, key: Hashable, action: Callable[[], None]) -> None:
        """Do something once the job of this name has ended; at once where it has."""
        with self._lock:
            if key in self._out:
                self._afterwards.setdefault(key, []).append(action)
                return
        action()

    def close(self, seconds: float = _CLOSING_SECONDS) -> None:
        """Wait for what is under way; what takes longer ends with the process."""
        end = time.monotonic() + seconds
        with self._lock:
            threads = list(self._out.values())
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _begin(self, key: Hashable, job: Callable[[], T]) -> "Future[T] | None":
        future: Future[T] = Future()
        thread = threading.Thread(
            target=self._do, args=(key, job, future), name="courier", daemon=True
        )
        with self._lock:
            if key in self._out:
                return None
            self._out[key] = thread
        thread.start()
        return future

    def _do(self, key: Hashable, job: Callable[[], T], future: "Future[T]") -> None:
        try:
            ended = partial(future.set_result, job())
        except Exception as error:  # around a request: recorded, and handed on
            logger.exception("a job with another node failed")
            ended = partial(future.set_exception, error)
        with self._lock:
            del self._out[key]
            afterwards = self._afterwards.pop(key, [])
        ended()
        for action in afterwards:
            try:
                action()
            except Exception:  # nobody waits for it; the others are done all the same
                logger.exception("what follows a job with another node failed")
