"""How the library's threads wait: they are woken, where they would look and look again.

Two threads of pynetdicom sleep a millisecond between two looks, as long as an
association lasts: a message is late by a millisecond at each of its stations, and with
some tens of associations a processor does little but wake them. Here what comes on the
connection and what we send wake the provider's thread, and what that thread did wakes
the association's.
"""

import threading
from contextlib import suppress
from queue import Queue
from select import POLLIN, poll
from socket import socketpair
from typing import Any, Protocol, cast

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider

from dicom_io.scp.checkpoint import Checkpoint, rest_at_checkpoint

_LOOK_SECONDS = 0.05
"""Timers and threads that end are looked at so often, and nothing else is."""

_PAUSE_SECONDS = 0.001

IDLE_STATE = "Sta1"
"""Idle (PS3.8 9.2.1): before an association and after it."""


class WaitingSocket(Protocol):
    """An association's socket that can be waited for."""

    def wait(self, seconds: float, also: int) -> None:
        """Return when bytes can be read here or from a descriptor, or after so long."""
        ...


class Bell:
    """Wakes one thread, which waits for a descriptor."""

    def __init__(self) -> None:
        self._heard, self._rung = socketpair()
        for end in (self._heard, self._rung):
            end.settimeout(0)

    def fileno(self) -> int:
        """Return the descriptor, which can be read once it was rung."""
        return self._heard.fileno()

    def ring(self) -> None:
        """Wake the thread, or have its next wait be none."""
        with suppress(OSError):  # full: it was rung; closed: nobody waits any more
            self._rung.send(b"\0")

    def silence(self) -> None:
        """Wait anew from now on."""
        with suppress(OSError):
            self._heard.recv(4096)

    def close(self) -> None:
        """Give both descriptors back."""
        self._heard.close()
        self._rung.close()


class _Heard(Queue[Any]):
    """A queue that rings when something is put into it."""

    def __init__(self, bell: Bell) -> None:
        super().__init__()
        self._bell = bell

    def _put(self, item: object) -> None:
        super()._put(item)
        self._bell.ring()


class PatientProvider(DULServiceProvider):
    """The upper layer's provider, which waits where the library's sleeps."""

    bell: Bell

    def run(self) -> None:
        """Run until the association is over."""
        try:
            super().run()
        finally:
            self.bell.close()

    @property
    def _run_loop_delay(self) -> float:
        """Seconds to sleep before the next look: none, for the wait is over."""
        if threading.current_thread() is not self:
            return _PAUSE_SECONDS
        waiting = cast("WaitingSocket", self.socket)
        waiting.wait(_LOOK_SECONDS, self.bell.fileno())
        self.bell.silence()
        return 0.0

    @_run_loop_delay.setter
    def _run_loop_delay(self, value: float) -> None:
        """How long is decided here."""

    def kill_dul(self) -> None:
        """End the thread."""
        super().kill_dul()
        self.bell.ring()

    def stop_dul(self) -> bool:
        """End the thread where the association is over; returns whether it did."""
        if self.state_machine.current_state == IDLE_STATE:
            self.kill_dul()  # or it would end only when it looks next
        return super().stop_dul()

    def something_happened(self) -> None:
        """Let the association's thread look at once."""
        checkpoint = self.assoc._reactor_checkpoint  # noqa: SLF001 - no other way
        if isinstance(checkpoint, Checkpoint):
            checkpoint.call()


def wait_patiently(assoc: Association) -> None:
    """Have the threads of an association wait that were not started.

    Its socket is, or will be, a `WaitingSocket`.
    """
    rest_at_checkpoint(assoc)
    assoc.dul.__class__ = PatientProvider
    provider = cast("PatientProvider", assoc.dul)
    provider.bell = Bell()
    provider.to_provider_queue = _Heard(provider.bell)


def wait_for_either(seconds: float, *descriptors: int) -> bool:
    """Return when one of the descriptors can be read; negative ones are left out."""
    poller = poll()
    for descriptor in descriptors:
        if descriptor >= 0:
            poller.register(descriptor, POLLIN)
    return bool(poller.poll(seconds * 1000))
