"""Where the thread of an association rests while we wait for an answer on it.

pynetdicom lets that thread go on after each answer and stops it before the next
request. Its own event lets a thread through that was woken just before and runs only
now, unseen by who asks: it then takes the next answer as a message of the peer's own,
and who asks waits for it to the deadline.
"""

import threading

from pynetdicom.association import Association


class Checkpoint(threading.Event):
    """An event whose waiter, once stopped again, does not go through.

    Takes the place of the association's own. What a thread finds when it wakes
    counts, not why it woke; and `_is_paused` says that it rests as long as it does.
    Not for associations whose `network_timeout_response` is "A-RELEASE": their own
    thread then asks for the release while it has gone through.
    """

    def __init__(self, assoc: Association) -> None:
        super().__init__()
        self._assoc = assoc
        self._turn = threading.Condition()
        self._is_open = True
        self._is_resting = False

    def is_set(self) -> bool:
        """Whether the thread may go on."""
        return self._is_open

    def set(self) -> None:
        """Let the thread go on."""
        with self._turn:
            self._is_open = True
            self._turn.notify_all()

    def clear(self) -> None:
        """Stop the thread where it comes by next, or where it rests."""
        with self._turn:
            self._is_open = False
            if self._is_resting:
                self._assoc._is_paused = True  # noqa: SLF001 - who asks looks at it

    def wait(self, timeout: float | None = None) -> bool:
        """Rest until the thread may go on; it is said to rest no longer then."""
        with self._turn:
            self._is_resting = True
            is_open = self._turn.wait_for(self.is_set, timeout)
            self._is_resting = False
            if is_open:
                self._assoc._is_paused = False  # noqa: SLF001 - who asks looks at it
            return is_open
