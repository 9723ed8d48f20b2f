"""How the process is told to stop, and what systemd hears meanwhile."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from gateway.running.notify import ALIVE, READY, STOPPING, notify, watchdog_seconds

WAKE_SECONDS = 0.5
"""What a stop may wait for. The system may give a signal to any thread, as where the
main one is traced; Python heeds it when the main one wakes."""


class StopSignals:
    """SIGTERM and SIGINT: the first asks to stop, the second not to wait.

    A third one kills. Made on the main thread.
    """

    def __init__(self) -> None:
        self.stop, self.hurry = threading.Event(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)

    def wait(self, is_alive: Callable[[], bool]) -> None:
        """Wait to be told to stop; tell systemd so long that we live, while we do."""
        notify(READY)
        pause = min(watchdog_seconds() or WAKE_SECONDS, WAKE_SECONDS)
        while not self.stop.wait(pause):
            if is_alive():
                notify(ALIVE)
        notify(STOPPING)

    def _asked(self, number: int, _frame: FrameType | None) -> None:
        if self.stop.is_set():
            self.hurry.set()
            signal.signal(number, signal.SIG_DFL)
        self.stop.set()


def leave() -> None:
    """End the process though threads are at work, for which Python would wait."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)
