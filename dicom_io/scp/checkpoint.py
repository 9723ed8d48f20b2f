"""Where the thread of an association rests while we wait for an answer on it.

pynetdicom lets that thread go on after each answer and stops it before the next
request. Its own event lets a thread through that was woken just before and runs only
now, unseen by who asks: it then takes the next answer as a message of the peer's own,
and who asks waits for it to the deadline. And its flag for a thread that rests has
other writers: a commitment report is served on a third thread, which clears it at its
end, and who asks then waits for ever. And that the peer has gone is written down by
that thread alone: who asks again before it had its turn waits for an answer that
nobody can give.
"""

import threading

from pynetdicom.association import Association

_NAP_SECONDS = 0.05


class Checkpoint(threading.Event):
    """An event whose waiter, once stopped again, does not go through.

    Takes the place of the association's own. What a thread finds when it wakes
    counts, not why it woke.
    """

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Condition()
        self._is_open = True
        self._is_called = False
        self.is_resting = False

    def is_set(self) -> bool:
        """Whether the thread may go on."""
        return self._is_open

    def set(self) -> None:
        """Let the thread go on."""
        with self._turn:
            self._is_open = self._is_called = True
            self._turn.notify_all()

    def call(self) -> None:
        """Let the thread have its next look now; one that is stopped stays."""
        with self._turn:
            self._is_called = True
            self._turn.notify_all()

    def clear(self) -> None:
        """Stop the thread where it comes by next, or where it rests.

        Once this has returned, a thread that is said to rest stays.
        """
        with self._turn:
            self._is_open = False

    def wait(self, timeout: float | None = None) -> bool:
        """Rest until the thread may go on; it is said to rest no longer then.

        Where it may and nobody calls it there is nothing to see: it rests for a while.
        """
        with self._turn:
            self.is_resting = True
            nap = _NAP_SECONDS if timeout is None else min(timeout, _NAP_SECONDS)
            self._turn.wait_for(lambda: self._is_called, nap)
            self._is_called = False
            is_open = self._turn.wait_for(self.is_set, timeout)
            self.is_resting = False
            return is_open


class RestingAssociation(Association):
    """An association that is paused when its thread rests, whatever is written down."""

    @property
    def _is_paused(self) -> bool:
        """Whether its own thread takes no message from who asks."""
        checkpoint = self._reactor_checkpoint
        return (
            self._kill
            or not self.is_alive()
            or self is threading.current_thread()
            or (isinstance(checkpoint, Checkpoint) and checkpoint.is_resting)
        )

    @_is_paused.setter
    def _is_paused(self, value: bool) -> None:
        """Believe nobody: the library writes this on three threads."""

    def _handle_no_response(self) -> None:
        """Let nobody ask again where no answer came: it is aborted, or was."""
        super()._handle_no_response()
        self.is_established = False


def rest_at_checkpoint(assoc: Association) -> None:
    """Give an association that was not started a checkpoint of ours."""
    assoc._reactor_checkpoint = Checkpoint()  # noqa: SLF001 - no other way
    assoc.__class__ = RestingAssociation
