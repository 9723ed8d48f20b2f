"""A connection on which every wait ends.

The kernel wakes a blocked call each tick, and the tick looks at the deadline: one
system call for each read, and another thread can end the wait.
"""

import socket
import ssl
import struct
import time
from contextlib import suppress

from dicom_io.scp.states import Event, Interruption

_LONGEST_TICK_SECONDS = 0.25
_LINGER_BYTES = 1 << 18
"""What is read and dropped of a peer that goes on after our last PDU."""

_TIMEVAL = struct.Struct("ll")


class Channel:
    """The socket of one association, blocking, with deadlines.

    send_seconds : how long a peer may take to read what we send.
    """

    def __init__(self, connected: socket.socket, send_seconds: float) -> None:
        self._socket = connected
        self._send_seconds = send_seconds
        self._deadline = 0.0
        self._late = Event.ARTIM_EXPIRED
        self._is_stopped = False
        with suppress(OSError):  # a peer that has gone already shows at the first read
            self._set_tick(min(_LONGEST_TICK_SECONDS, send_seconds / 8))
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def arm(self, seconds: float, late: Event) -> None:
        """Set the deadline of what comes next; `late` is what passing it means."""
        self._deadline = time.monotonic() + seconds
        self._late = late

    def stop(self) -> None:
        """Let every deadline have passed; called from other threads."""
        self._is_stopped = True

    def receive_into(self, room: memoryview) -> int:
        """Receive at least one byte; raises Interruption when none comes."""
        while True:
            self._check(self._deadline, self._late)
            try:
                count = self._socket.recv_into(room)
            except (BlockingIOError, TimeoutError):
                continue
            except OSError as error:
                raise _lost(error) from error
            if not count:
                raise Interruption(Event.TRANSPORT_CLOSED, "closed by the peer")
            return count

    def send(self, data: bytes) -> None:
        """Send everything; a peer that does not read it in time is lost."""
        deadline = time.monotonic() + self._send_seconds
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except (BlockingIOError, TimeoutError):
                if time.monotonic() >= deadline:
                    raise Interruption(Event.TRANSPORT_CLOSED, "unread") from None
            except OSError as error:
                raise _lost(error) from error

    def drain(self) -> Event:
        """Drop what still comes, until the peer closes or the deadline passes.

        Closing with bytes unread would reset the connection, and the reset may
        overtake our last PDU. Nor is our half closed first: to close is the peer's
        part (PS3.8 9.2.2), and some lose a rejection that an end of stream follows.
        """
        scrap = memoryview(bytearray(1 << 14))
        left = _LINGER_BYTES
        try:
            while left > 0:
                left -= self.receive_into(scrap)
        except Interruption as cut:
            return cut.event
        return Event.ARTIM_EXPIRED

    def _check(self, deadline: float, late: Event) -> None:
        if self._is_stopped or time.monotonic() >= deadline:
            raise Interruption(late, "deadline passed")

    def _set_tick(self, seconds: float) -> None:
        if isinstance(self._socket, ssl.SSLSocket):
            # OpenSSL asks again and again where the kernel alone keeps the time.
            self._socket.settimeout(seconds)
            return
        value = _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1_000_000))
        self._socket.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, value)


def _lost(error: OSError) -> Interruption:
    return Interruption(Event.TRANSPORT_CLOSED, type(error).__name__)
