"""What keeps one bad connection from costing more than itself.

pynetdicom trusts a PDU's length and waits for its bytes without end. Here each
PDU has a length cap and a deadline, in both directions of an association.
"""

import logging
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY
from typing import NoReturn

from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.fsm import StateMachine
from pynetdicom.transport import AddressInformation, AssociationSocket

from dicom_io.malformed import MALFORMED
from dicom_io.scp.patience import (
    IDLE_STATE,
    PatientProvider,
    wait_for_either,
    wait_patiently,
)

LOGGER = logging.getLogger(__name__)

# pynetdicom writes identifiers with patients in them, and text from the network
# as it came, into its log. This package says what matters in its own words.
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)

# Files are sent as they lie on disk, not decoded and encoded again.
_config.STORE_SEND_CHUNKED_DATASET = True

_HEADER_BYTES = 6
"""PDU type, reserved byte, and the length of the rest (PS3.8 9.3.1)."""

_P_DATA_TF = 0x04
_LAST_PDU_TYPE = 0x07

_ASSOCIATE_CAP_BYTES = 256 << 10
"""128 contexts of 30 syntaxes fit twice; the announced maximum length binds
P-DATA-TF only (PS3.8 D.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a connection may ask of us: bytes of one PDU and seconds to send it."""

    max_pdu_bytes: int
    pdu_deadline_seconds: float


class GuardedSocket(AssociationSocket):
    """An association's socket whose reads end, in bytes and in time."""

    def __init__(self, plain: AssociationSocket, limits: Limits) -> None:
        # Takes the plain socket's place; its constructor has already announced
        # the connection to the state machine, and must not do so again.
        vars(self).update(vars(plain))
        self._limits = limits
        self._deadline = 0.0
        self._body_follows = False
        self._is_deaf = False

    @property
    def ready(self) -> bool:
        """Whether bytes wait; unlike select, for any descriptor number."""
        return self._has_pending or wait_for_either(0, self._awaited)

    def wait(self, seconds: float, also: int) -> None:
        """Return when bytes wait here or at a descriptor, or after so long."""
        if not self._has_pending:
            wait_for_either(seconds, self._awaited, also)

    @property
    def _has_pending(self) -> bool:
        """Whether bytes were read and decrypted that nobody has asked for."""
        sock = self.socket
        if not isinstance(sock, ssl.SSLSocket) or self._awaited < 0:
            return False
        return bool(sock.pending())

    @property
    def _awaited(self) -> int:
        """The descriptor that bytes come from, negative where none will."""
        can_come = self._is_connected and not self._is_deaf
        return self.socket.fileno() if self.socket is not None and can_come else -1

    def recv(self, nr_bytes: int) -> bytearray:
        """Read a PDU's header, then its body: pynetdicom asks in this order.

        Raises OSError after closing the connection when the PDU is longer than
        the cap or does not end before its deadline.
        """
        if self._body_follows:
            self._body_follows = False
            return self._read(nr_bytes)
        self._deadline = time.monotonic() + self._limits.pdu_deadline_seconds
        header = self._read(nr_bytes)
        self._check(header)
        return header

    def send(self, bytestream: bytes) -> None:
        """Send, unless the peer does not read within the deadline."""
        if self.socket is None or self.socket.fileno() < 0:
            return  # whoever closed it has told the state machine
        self.socket.settimeout(self._limits.pdu_deadline_seconds)
        super().send(bytestream)

    def _shutdown_socket(self) -> None:
        """Close the socket, also where the peer has already gone."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(SHUT_RDWR)
            self.socket.close()

    def _check(self, header: bytearray) -> None:
        if len(header) < _HEADER_BYTES or not 0 < header[0] <= _LAST_PDU_TYPE:
            # pynetdicom ends both, the second with an A-ABORT; where the next PDU
            # would begin is not known.
            self._is_deaf = True
            return
        length = int.from_bytes(header[2:], "big")
        is_data = header[0] == _P_DATA_TF
        cap = self._limits.max_pdu_bytes if is_data else _ASSOCIATE_CAP_BYTES
        if length > cap:
            self._cut(f"PDU of {length} bytes, over the cap of {cap}")
        self._body_follows = True

    def _read(self, count: int) -> bytearray:
        """Read `count` bytes, or fewer where the peer closes."""
        buffer = bytearray(count)
        view = memoryview(buffer)
        filled = 0
        while filled < count:
            got = self._read_into(view[filled:])
            if not got:
                return bytearray(view[:filled])
            filled += got
        return buffer

    def _read_into(self, view: memoryview) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0 or self.socket is None:
            self._cut("PDU not whole within its deadline")
        self.socket.settimeout(left)
        try:
            return self.socket.recv_into(view)
        except TimeoutError:
            self._cut("PDU not whole within its deadline")

    def _cut(self, reason: str) -> NoReturn:
        LOGGER.warning("connection cut: %s", reason)
        self._shutdown_socket()
        self._is_connected = False
        raise ConnectionAbortedError(reason)


class GuardedStateMachine(StateMachine):
    """The upper layer's state machine; what it cannot follow ends the connection.

    Events of a hostile or dying peer overtake those of our side, and pynetdicom
    then leaves the connection's threads to each other.
    """

    def do_action(self, event: str) -> None:
        """Act on `event`, and wake who waits when there is nothing to come."""
        try:
            super().do_action(event)
        except MALFORMED as error:
            LOGGER.warning("connection ended: %s at %s", type(error).__name__, event)
            if self.dul.socket is not None:
                self.dul.socket.close()
            self.dul.kill_dul()
            self._wake()
        if self.current_state == IDLE_STATE and self.dul.assoc.is_acceptor:
            self._wake()
        if isinstance(self.dul, PatientProvider):
            self.dul.something_happened()

    def _wake(self) -> None:
        """Answer nothing to threads that wait for the peer, to the deadline."""
        self.dul.to_user_queue.put(None)
        self.dul.assoc.dimse.msg_queue.put((None, None))


def guard_threads(assoc: Association) -> None:
    """Guard the threads of an association that was not started.

    Its socket is, or will be, a `GuardedSocket`.
    """
    assoc.dul.state_machine = GuardedStateMachine(assoc.dul)
    wait_patiently(assoc)


class GuardedAE(AE):
    """Our application entity as requestor, with guarded sockets.

    The deadline bounds the connection, the negotiation and each answer.
    """

    def __init__(self, title: str, limits: Limits) -> None:
        super().__init__(title)
        self._limits = limits
        self.maximum_pdu_size = limits.max_pdu_bytes
        self.connection_timeout = limits.pdu_deadline_seconds
        self.acse_timeout = limits.pdu_deadline_seconds
        self.dimse_timeout = limits.pdu_deadline_seconds
        self.network_timeout = limits.pdu_deadline_seconds

    def _create_socket(
        self,
        assoc: Association,
        address: AddressInformation,
        tls_args: tuple[ssl.SSLContext, str] | None,
    ) -> AssociationSocket:
        plain = super()._create_socket(assoc, address, tls_args)
        if plain.socket is not None:
            # Command and data set are two writes: with Nagle's algorithm the second
            # waits for the peer's delayed acknowledgement, 40 ms an instance.
            plain.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        guard_threads(assoc)
        return GuardedSocket(plain, self._limits)
