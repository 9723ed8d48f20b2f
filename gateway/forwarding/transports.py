"""One batch of syslog messages over one connection, proven as far as syslog allows.

Syslog has no acknowledgement. What a receiver does owe is the end of the connection:
after our last byte we say that nothing more comes (`close_notify` of TLS, which RFC
5425 4.4 has it answer; then FIN), and wait for its end. A kernel that closes a
connection with unread bytes sends a reset instead (RFC 2525 2.17), and so does one
that gets bytes for a connection that is closed. So an end without a reset, with every
byte of ours acknowledged by TCP, says that the receiver has read the whole batch. All
else is a failure, and the batch is sent again.
"""

import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TypeVar

from dicom_io.ae import TlsOptions
from dicom_io.tls import client_context, failure_of, peer_names
from gateway.errors import HandoverStopped, RepositoryFailure
from gateway.forwarding.syslog import counted

_PIECE = 1 << 16
_CHATTER = 1 << 16
"""Bytes that a receiver may send us; syslog has it send none."""
_CONNECT_SECONDS = 10.0
_SLICE_SECONDS = 0.5
"""How soon a stop is noticed."""
_LOOK_SECONDS = 0.005

T = TypeVar("T")


class Transport(StrEnum):
    """How a repository is reached."""

    TLS = "tls"
    """RFC 5425; the other two are for a network that is trusted."""
    TCP = "tcp"
    """RFC 6587, octet counting."""
    UDP = "udp"
    """RFC 5426: nothing tells what was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a repository is, and who it must be.

    tls : None: the transport has none. names : of which its certificate must have
    one (`dicom_io.tls.peer_names`); empty: any of our authority. seconds : for a
    whole batch.
    """

    host: str
    port: int
    transport: Transport = Transport.TLS
    tls: TlsOptions | None = None
    names: frozenset[str] = field(default=frozenset())
    seconds: float = 30.0


def deliver(
    address: Address,
    messages: Sequence[bytes],
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Send a batch; raise RepositoryFailure where it may not have been read.

    Over UDP all that is known is that this machine sent it. Raises HandoverStopped
    soon after `is_over` says so.
    """
    patience = _Patience(address.seconds, is_over)
    try:
        if address.transport is Transport.UDP:
            _deliver_datagrams(address, messages, patience)
        else:
            _deliver_stream(address, messages, patience)
    except TimeoutError as error:
        why = f"did not read all within {address.seconds:g} s"
        raise RepositoryFailure(why) from error
    except OSError as error:
        raise RepositoryFailure(_why(error)) from error


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError | FileNotFoundError):
        return failure_of(error)
    return (error.strerror or type(error).__name__).lower()


class _Patience:
    """How long a batch may take, and that nobody waits once the gateway stops."""

    def __init__(self, seconds: float, is_over: Callable[[], bool]) -> None:
        self._deadline = time.monotonic() + seconds
        self._is_over = is_over

    def left(self) -> float:
        """Return the seconds left; raises TimeoutError, or HandoverStopped."""
        if self._is_over():
            raise HandoverStopped("the gateway stops")
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def of(self, connected: socket.socket, action: Callable[[], T]) -> T:
        """Do something with a socket that may be begun again where it took long."""
        while True:
            connected.settimeout(min(_SLICE_SECONDS, self.left()))
            with suppress(TimeoutError):
                return action()


def _deliver_datagrams(
    address: Address, messages: Sequence[bytes], patience: _Patience
) -> None:
    kind = socket.SOCK_DGRAM
    found = socket.getaddrinfo(address.host, address.port, type=kind)
    family, _, _, _, place = found[0]
    with socket.socket(family, kind) as datagrams:
        datagrams.connect(place)
        for message in messages:
            patience.of(datagrams, partial(datagrams.send, message))
        _demand_no_error(datagrams)


def _deliver_stream(
    address: Address, messages: Sequence[bytes], patience: _Patience
) -> None:
    seconds = min(_CONNECT_SECONDS, patience.left())
    where = (address.host, address.port)
    with socket.create_connection(where, seconds) as plain:
        _reset_at_close(plain)
        with _wrapped(plain, address) as connected:
            if isinstance(connected, ssl.SSLSocket):
                patience.of(connected, connected.do_handshake)
                _demand_name(connected, address)
            for message in messages:
                _send(connected, counted(message), patience)
            _end(connected, patience)


def _reset_at_close(plain: socket.socket) -> None:
    """Let nothing of a connection that failed arrive after it was sent again."""
    at_once = struct.pack("ii", 1, 0)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)


def _wrapped(plain: socket.socket, address: Address) -> socket.socket:
    """Return the connection with TLS over it, where the transport has it."""
    if address.tls is None:
        return plain
    context = client_context(address.tls)
    return context.wrap_socket(plain, do_handshake_on_connect=False)


def _demand_name(secured: ssl.SSLSocket, address: Address) -> None:
    if address.names and not address.names & peer_names(secured):
        raise RepositoryFailure("shows the certificate of somebody else")


def _send(connected: socket.socket, message: bytes, patience: _Patience) -> None:
    """Send all; a receiver that does not read uses up the batch's time."""
    view = memoryview(message)
    while view:
        view = view[patience.of(connected, partial(connected.send, view[:_PIECE])) :]


def _end(connected: socket.socket, patience: _Patience) -> None:
    """Say that nothing more comes, and wait until the receiver has read that."""
    if isinstance(connected, ssl.SSLSocket):
        # rsyslog (8.2302) answers with FIN alone, and that is as good: see below.
        with suppress(ssl.SSLEOFError):
            patience.of(connected, connected.unwrap)
    with socket.socket(fileno=connected.detach()) as plain:
        plain.shutdown(socket.SHUT_WR)
        heard = 0
        while piece := patience.of(plain, partial(plain.recv, _PIECE)):
            heard += len(piece)
            if heard > _CHATTER:
                raise RepositoryFailure("sends, which a receiver of syslog does not")
        while _unacknowledged(plain):
            time.sleep(min(_LOOK_SECONDS, patience.left()))
        _demand_no_error(plain)


def _unacknowledged(connected: socket.socket) -> int:
    """Return how many bytes of ours the other side's TCP has not got (tcp(7))."""
    answer = fcntl.ioctl(connected, termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


def _demand_no_error(connected: socket.socket) -> None:
    """Raise the error that came in for a socket, such as a reset."""
    number = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, "an error came in")
