"""How the process is told to stop, and what systemd hears meanwhile."""

import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from types import FrameType

from gateway.running.notify import ALIVE, READY, STOPPING, notify, watchdog_seconds

WAKE_SECONDS = 0.5
"""How often systemd may hear of us, where it asks for no other pace."""

_RINGS = 1 << 10
"""Signals of which a look at the bell forgets, each a byte."""


class StopSignals:
    """SIGTERM and SIGINT: the first asks to stop, the second not to wait.

    A third one kills. Made on the main thread. The handler takes no lock: whom it
    interrupts may hold any, that of an Event that is waited for too.
    """

    def __init__(self) -> None:
        self._heard: list[int] = []
        self._bell, rung = os.pipe()
        os.set_blocking(rung, False)
        # The system may give a signal to any thread; whichever it is, this wakes us.
        signal.set_wakeup_fd(rung, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)

    def is_stopping(self) -> bool:
        """Whether the process was asked to stop."""
        return bool(self._heard)

    def is_hurried(self) -> bool:
        """Whether it was asked again, and is to wait for nothing."""
        return len(self._heard) > 1

    def wait(self, is_alive: Callable[[], bool]) -> None:
        """Wait to be told to stop; tell systemd so long that we live, while we do."""
        notify(READY)
        pause = min(watchdog_seconds() or WAKE_SECONDS, WAKE_SECONDS)
        while not self._rings_within(pause):
            if is_alive():
                notify(ALIVE)
        notify(STOPPING)

    def _rings_within(self, seconds: float) -> bool:
        """Wait so long, or until a signal is heard; say whether one of ours was."""
        if not self.is_stopping() and select.select([self._bell], [], [], seconds)[0]:
            os.read(self._bell, _RINGS)  # else it would ring on, for one of others too
        return self.is_stopping()

    def _asked(self, number: int, _frame: FrameType | None) -> None:
        self._heard.append(number)
        if self.is_hurried():
            signal.signal(number, signal.SIG_DFL)


def leave() -> None:
    """End the process though threads are at work, for which Python would wait."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)
