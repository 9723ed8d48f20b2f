"""A storage receiver: one thread accepts, and each connection has one of its own.

Nothing is read from a connection on the thread that accepts, and connections are
counted before anything is read from them.
"""

import logging
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLContext

from dicom_io.scp.acceptor import Acceptor, Limits
from dicom_io.scp.channel import Channel
from dicom_io.scp.crowd import Crowd
from dicom_io.scp.session import Session

LOGGER = logging.getLogger(__name__)

_BACKLOG = 128
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What a receiver asks of its owner.

    `session` is entered around each connection: the peer's address, and what ends
    the association from another thread; `refused` hears of connections that came to
    nothing before an association was asked for: address, reason; `tend` is called
    again and again. `max_connections` bounds those that are open at one time.
    """

    limits: Limits
    tls: SSLContext | None
    max_connections: int
    session: Callable[[str, Callable[[], None]], Session]
    refused: Callable[[str, str], None]
    tend: Callable[[], None]


class Receiver:
    """A bound port; raises OSError where it cannot be bound."""

    def __init__(self, host: str, port: int, reception: Reception) -> None:
        self.reception = reception
        self.crowd: Crowd[Connection] = Crowd()
        self._stopping = threading.Event()
        self._socket = _bound(host, port)

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    def serve_until_stopped(self) -> None:
        """Accept connections until `stop`."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        with self._socket:
            while not self._stopping.is_set():
                if poller.poll(_POLL_SECONDS * 1000):
                    self._accept()
                self.reception.tend()

    def stop(self) -> None:
        """Accept nothing more; associations that are open are left alone."""
        self._stopping.set()

    def _accept(self) -> None:
        try:
            connected, address = self._socket.accept()
        except OSError as error:  # gone again, or no descriptor left
            LOGGER.warning("connection not accepted: %s", type(error).__name__)
            return
        if len(self.crowd) >= self.reception.max_connections:
            LOGGER.warning("connection from %r turned away: no room", address)
            connected.close()
            return
        connection = Connection(self, connected, str(address[0]))
        self.crowd.arrived(connection)
        connection.start()


class Connection:
    """One connection, from the handshake to the last byte, on its own thread."""

    def __init__(self, receiver: Receiver, connected: socket.socket, peer: str) -> None:
        self._receiver = receiver
        self._socket = connected
        self._peer = peer

    def start(self) -> None:
        """Begin; where no thread can be had the connection is closed."""
        thread = threading.Thread(target=self._run, name="association", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            LOGGER.exception("no thread for a connection")
            self._close()

    def evict(self) -> None:
        """Close the connection from outside; its own thread then ends it."""
        LOGGER.warning("connection from %r closed to make room", self._peer)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:  # around a request
            LOGGER.exception("connection from %r failed", self._peer)
        finally:
            self._close()

    def _close(self) -> None:
        self._socket.close()
        self._receiver.crowd.left(self)

    def _serve(self) -> None:
        reception = self._receiver.reception
        try:
            self._secure(reception)
        except OSError as error:
            reason = f"TLS handshake failed: {type(error).__name__}"
            reception.refused(self._peer, reason)
            return
        channel = Channel(self._socket, reception.limits.pdu_seconds)
        with reception.session(self._peer, channel.stop) as session:
            session.at_place = lambda: self._receiver.crowd.admitted(self)
            Acceptor(channel, reception.limits, session).run()

    def _secure(self, reception: Reception) -> None:
        """Wrap the connection; ssl keeps to one deadline for the whole handshake."""
        self._socket.settimeout(reception.limits.pdu_seconds)
        if reception.tls is not None:
            plain = self._socket
            self._socket = secured = reception.tls.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            )
            secured.do_handshake()


def _bound(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        # A peer may be gone between poll and accept: never wait there.
        listening.settimeout(0)
    except OSError:
        listening.close()
        raise
    return listening
