"""A storage receiver: one thread accepts, and each connection has one of its own.

Nothing is read from a connection on the thread that accepts, and connections are
counted before anything is read from them.
"""

import errno
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLContext

from dicom_io.scp.acceptor import Acceptor, Limits
from dicom_io.scp.channel import Channel
from dicom_io.scp.crowd import Crowd, origin_of
from dicom_io.scp.session import Session
from dicom_io.tls import failure_of, peer_names

LOGGER = logging.getLogger(__name__)

_BACKLOG = 128
_POLL_SECONDS = 0.1

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What accept says where this machine has no room for a connection."""

NO_ROOM = "no room for a connection"
ANYBODY = "::"
"""Stands for the address of a peer that could not be accepted."""

MADE_ROOM = "closed to make room: no association after a while"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What a receiver asks of its owner.

    `tls` returns what a new connection is secured by. `session` is entered around each
    connection: the peer's address, what ends the association from another thread, and
    the names of its certificate. `refused` hears of connections that came to nothing
    before an association was asked for: address, reason; `shut_out` of those that there
    was no room for, and must not wait. `max_connections` bounds those that are open at
    one time, `max_per_address` those of one address.
    """

    limits: Limits
    tls: Callable[[], SSLContext] | None
    max_connections: int
    max_per_address: int
    session: Callable[[str, Callable[[], None], frozenset[str]], Session]
    refused: Callable[[str, str], None]
    shut_out: Callable[[str, str], None]


class Receiver:
    """A bound port; raises OSError where it cannot be bound."""

    def __init__(self, host: str, port: int, reception: Reception) -> None:
        self.reception = reception
        self.crowd: Crowd[Connection] = Crowd()
        self.beat = time.monotonic()
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
                self.beat = time.monotonic()

    def stop(self) -> None:
        """Accept nothing more; associations that are open are left alone."""
        self._stopping.set()

    def _accept(self) -> None:
        try:
            connected, address = self._socket.accept()
        except OSError as error:
            self._miss(error)
            return
        peer = str(address[0])
        if self._is_full(peer):
            connected.close()
            self.reception.shut_out(peer, NO_ROOM)
            return
        connection = Connection(self, connected, peer)
        self.crowd.arrived(connection)
        connection.start()

    def _is_full(self, peer: str) -> bool:
        reception, crowd = self.reception, self.crowd
        if len(crowd) >= reception.max_connections:
            return True
        return crowd.count(origin_of(peer)) >= reception.max_per_address

    def _miss(self, error: OSError) -> None:
        """Go on where a peer is gone again; make room where no descriptor is left.

        The peer that could not be accepted is still there: without a pause it would
        be tried again without end.
        """
        if error.errno in _EXHAUSTED:
            self.reception.shut_out(ANYBODY, "no descriptor left for a connection")
            self.crowd.evict_one()
            self._stopping.wait(_POLL_SECONDS)


class Connection:
    """One connection, from the handshake to the last byte, on its own thread."""

    def __init__(self, receiver: Receiver, connected: socket.socket, peer: str) -> None:
        self._receiver = receiver
        self._socket = connected
        self._peer = peer
        self.origin = origin_of(peer)

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
        self._receiver.reception.shut_out(self._peer, MADE_ROOM)
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
            reason = f"TLS handshake failed: {failure_of(error)}"
            reception.refused(self._peer, reason)
            return
        channel = Channel(self._socket, reception.limits.pdu_seconds)
        names, crowd = peer_names(self._socket), self._receiver.crowd
        with reception.session(self._peer, channel.stop, names) as session:
            session.at_place = lambda: crowd.admitted(self)
            session.at_end = lambda: crowd.waits(self)
            Acceptor(channel, reception.limits, session).run()

    def _secure(self, reception: Reception) -> None:
        """Wrap the connection; ssl keeps to one deadline for the whole handshake."""
        self._socket.settimeout(reception.limits.pdu_seconds)
        if reception.tls is not None:
            plain = self._socket
            self._socket = secured = reception.tls().wrap_socket(
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
