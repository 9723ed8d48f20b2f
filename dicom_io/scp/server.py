"""An association server that one bad connection cannot occupy.

pynetdicom shakes TLS hands on the thread that accepts, without a deadline, and
gives every connection two threads. Here the handshake runs on the connection's
own thread, and connections are counted before anything is read from them.
"""

import gc
import logging
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from socket import SHUT_RDWR, socket
from socketserver import BaseServer

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from dicom_io.scp.crowd import Crowd, origin_of
from dicom_io.scp.guard import GuardedSocket, Limits, guard_threads

LOGGER = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_COLLECT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a guarded server asks of its owner.

    `session` is entered around the life of each association's threads, with the
    peer's address; `refused` hears of connections that came to nothing before an
    association was asked for: address, reason; `tend` is called again and again.
    """

    limits: Limits
    tls: ssl.SSLContext | None
    session: Callable[[Association, str], AbstractContextManager[object]]
    refused: Callable[[str, str], None]
    tend: Callable[[], None]


class GuardedServer(ThreadedAssociationServer):
    """An association server that a silent or endless peer cannot occupy."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        ae: AE,
        address: tuple[str, int],
        contexts: list[PresentationContext],
        door: Door,
    ) -> None:
        self.door = door
        self.crowd: Crowd[GuardedHandler] = Crowd()
        self._collect_at = time.monotonic() + _COLLECT_SECONDS
        super().__init__(
            ae, address, ae.ae_title, contexts, request_handler=GuardedHandler
        )
        # A peer may be gone between select and accept: never wait there.
        if self.socket is not None:
            self.socket.settimeout(0)

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self.server_address[1])

    def verify_request(
        self,
        request: object,  # noqa: ARG002 - the signature of socketserver
        client_address: object,
    ) -> bool:
        """Turn connections away that would be more than can be held at all."""
        if len(self.crowd) < self.ae.maximum_associations:
            return True
        LOGGER.warning("connection from %r turned away: no room", client_address)
        return False

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Record what a connection's thread raised; the server goes on."""
        LOGGER.error(
            "connection from %r failed", client_address, exc_info=sys.exception()
        )

    def service_actions(self) -> None:
        """Tend the owner; collect what ended associations leave in cycles.

        The oldest generation is left to the collector: a look through all that a
        process has loaded holds up every association for some tenths of a second.
        """
        self.door.tend()
        if time.monotonic() > self._collect_at:
            self._collect_at = time.monotonic() + _COLLECT_SECONDS
            gc.collect(1)

    def serve_until_stopped(self) -> None:
        """Accept connections until `stop`."""
        self.serve_forever(_POLL_SECONDS)

    def stop(self) -> None:
        """Accept nothing more; running associations are left alone."""
        BaseServer.shutdown(self)
        self.server_close()


class GuardedHandler(RequestHandler):
    """One connection, from the handshake to the last byte, on its own thread."""

    server: GuardedServer
    request: socket

    @property
    def origin(self) -> str:
        """Where the connection comes from."""
        return origin_of(str(self.client_address[0]))

    def handle(self) -> None:
        """Shake hands, then run the association until its threads have ended."""
        self.server.crowd.arrived(self)
        try:
            self._serve()
        finally:
            self.server.shutdown_request(self.request)
            self.server.crowd.left(self)

    def evict(self) -> None:
        """Close the connection from outside; its own thread then ends it."""
        LOGGER.warning("connection from %r made room", self.client_address)
        with suppress(OSError):
            self.request.shutdown(SHUT_RDWR)

    def _serve(self) -> None:
        door, address = self.server.door, str(self.client_address[0])
        try:
            self._secure(door)
        except OSError as error:
            door.refused(address, f"TLS handshake failed: {type(error).__name__}")
            return
        assoc = self._create_association()
        assoc.bind(evt.EVT_ESTABLISHED, lambda _event: self.server.crowd.admitted(self))
        with door.session(assoc, address):
            assoc.start()
            assoc.join()
            assoc.dul.kill_dul()
            assoc.dul.join()

    def _secure(self, door: Door) -> None:
        """Wrap the connection; ssl keeps to one deadline for the whole handshake."""
        self.request.settimeout(door.limits.pdu_deadline_seconds)
        if door.tls is not None:
            plain = self.request
            self.request = secured = door.tls.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            )
            secured.do_handshake()

    def _create_association(self) -> Association:
        assoc = super()._create_association()
        plain = assoc.dul.socket
        if plain is None:
            raise ConnectionAbortedError("no socket")
        assoc.dul.socket = GuardedSocket(plain, self.server.door.limits)
        guard_threads(assoc)
        return assoc
