"""A listener of HL7 v2 messages over MLLP (HL7 Transport Specification, MLLP R1).

A block is 0x0B, the message, 0x1C 0x0D. Every connection has a thread, a cap on the
message and a deadline: no sender makes it hold more than one message or wait for
ever. AA is said once the message is in the ledger, and not before.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address

from gateway.errors import NotReady
from gateway.sources.acknowledging import Acknowledgement, Answer
from gateway.sources.hl7 import (
    Envelope,
    Fault,
    Received,
    read_envelope,
    read_message,
)

logger = logging.getLogger(__name__)

START, END = b"\x0b", b"\x1c\x0d"
_CHUNK = 1 << 16
_CLOSE_SECONDS = 5.0

Network = IPv4Network | IPv6Network
Handler = Callable[[Received, str], Acknowledgement]
"""Keeps what was read and says what is answered; takes the sender's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpOptions:
    """Where to listen, and what a connection may cost. Times are seconds.

    `networks`: addresses that may connect; empty means any.
    """

    host: str
    port: int
    networks: Sequence[Network] = ()
    max_connections: int = 8
    max_message_bytes: int = 1 << 20
    message_seconds: float = 30.0
    idle_seconds: float = 600.0


class _TooLarge(Exception):  # noqa: N818 - says what is wrong
    """A message longer than the cap; its beginning is the argument."""

    def __init__(self, head: bytes) -> None:
        super().__init__("a message longer than the cap")
        self.head = head


class _Ended(Exception):  # noqa: N818 - says what happened
    """The connection is at its end: closed, silent, or too slow."""


class MllpListener:
    """A bound port and its connections; `close` ends them all."""

    def __init__(
        self, options: MllpOptions, handle: Handler, clock: Callable[[], datetime]
    ) -> None:
        """Bind and begin to accept; raises NotReady where the port is taken."""
        self._options, self._handle, self._clock = options, handle, clock
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        where = (options.host, options.port)
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        try:
            self._socket = socket.create_server(where, family=family)
        except OSError as error:
            raise NotReady(f"hl7: cannot listen on {where}: {error}") from error
        self._thread = threading.Thread(target=self._accept, name="mllp", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Accept nobody more; let a message that is being kept end; close."""
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(_CLOSE_SECONDS)
        self._socket.close()
        with self._lock:
            left = list(self._open.items())
        for connection, _ in left:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for _, thread in left:
            thread.join(_CLOSE_SECONDS)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, address = self._socket.accept()
            except OSError as error:
                if not self._closing.is_set():
                    logger.warning("hl7: a connection was lost at once: %s", error)
                    self._closing.wait(0.1)
                continue
            self._admit(connection, str(address[0]))

    def _admit(self, connection: socket.socket, address: str) -> None:
        """Give a connection its thread, or close it with a line in the log."""
        refusal = self._refusal(address)
        if refusal is not None:
            logger.warning("hl7: %s was not let in: %s", address, refusal)
            connection.close()
            return
        thread = threading.Thread(
            target=self._serve, args=(connection, address), name="mllp", daemon=True
        )
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def _refusal(self, address: str) -> str | None:
        if not is_allowed(address, self._options.networks):
            return "its address is in none of hl7.networks"
        with self._lock:
            full = len(self._open) >= self._options.max_connections
        return "hl7.max_connections are open" if full else None

    def _serve(self, connection: socket.socket, address: str) -> None:
        try:
            with connection:
                self._converse(_Blocks(connection, self._options), address)
        except (OSError, _Ended) as error:
            logger.info("hl7: connection of %s ended: %s", address, error)
        finally:
            with self._lock:
                del self._open[connection]

    def _converse(self, blocks: "_Blocks", address: str) -> None:
        while not self._closing.is_set():
            try:
                received = read_message(blocks.next())
            except _TooLarge as error:
                envelope = read_envelope(error.head)
                blocks.send(self._answer(envelope, _too_large(self._options)))
                logger.warning("hl7: %s sent a message over the cap", address)
                return
            answer = self._handle(received, address)
            blocks.send(self._answer(received.envelope, answer))

    def _answer(self, envelope: Envelope, answer: Acknowledgement) -> bytes:
        return answer.encode(envelope, self._clock())


def _too_large(options: MllpOptions) -> Acknowledgement:
    return Acknowledgement(
        answer=Answer.REJECT,
        fault=Fault.INTERNAL,
        text=f"longer than {options.max_message_bytes} bytes",
    )


def is_allowed(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; any does where none is named."""
    if not networks:
        return True
    peer = ip_address(address.partition("%")[0])
    mapped = getattr(peer, "ipv4_mapped", None) or peer
    return any(mapped in network for network in networks)


class _Blocks:
    """The blocks of a connection, one after the other."""

    def __init__(self, connection: socket.socket, options: MllpOptions) -> None:
        self._connection = connection
        self._options = options
        self._rest = bytearray()

    def next(self) -> bytes:
        """Return the next message; raises _TooLarge or _Ended.

        What stands between blocks is passed over, and is not kept.
        """
        self._find_start()
        end_by = time.monotonic() + self._options.message_seconds
        looked = 0
        while (end := self._rest.find(END, looked)) < 0:
            if len(self._rest) > self._options.max_message_bytes:
                raise _TooLarge(bytes(self._rest[:_CHUNK]))
            looked = max(0, len(self._rest) - 1)
            self._receive(end_by, "a block without its end")
        if end > self._options.max_message_bytes:
            raise _TooLarge(bytes(self._rest[:_CHUNK]))
        message = bytes(self._rest[:end])
        del self._rest[: end + len(END)]
        return message

    def send(self, message: bytes) -> None:
        """Send one block within the deadline of a message."""
        self._connection.settimeout(self._options.message_seconds)
        self._connection.sendall(START + message + END)

    def _find_start(self) -> None:
        end_by = time.monotonic() + self._options.idle_seconds
        while (start := self._rest.find(START)) < 0:
            self._rest.clear()
            self._receive(end_by, "nothing was said")
        del self._rest[: start + 1]

    def _receive(self, end_by: float, why: str) -> None:
        left = end_by - time.monotonic()
        if left <= 0:
            raise _Ended(why)
        self._connection.settimeout(left)
        try:
            data = self._connection.recv(_CHUNK)
        except TimeoutError as error:
            raise _Ended(why) from error
        if not data:
            raise _Ended("closed by the sender")
        self._rest += data
