"""A relay on loopback that keeps what both ends of an association said."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO

from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode

from dicom_io.scp.pdu import IS_COMMAND, IS_LAST, PDU_HEADER, PDV_HEADER, PduType

_PIECE = 1 << 18
_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Pdu:
    """A PDU: its type and what follows its header."""

    kind: int
    body: bytes

    @property
    def encoded(self) -> bytes:
        """The whole PDU."""
        return PDU_HEADER.pack(self.kind, len(self.body)) + self.body


@dataclass
class Tap:
    """A port that stands before another, and the bytes of each direction."""

    port: int
    requested: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)

    @property
    def longest_pdu(self) -> int:
        """Bytes of the longest P-DATA-TF of the requestor."""
        data = (each for each in pdus(self.requested) if each.kind == PduType.DATA_TF)
        return max((len(each.body) for each in data), default=0)

    @property
    def was_aborted(self) -> bool:
        """Whether the acceptor ended the association by A-ABORT."""
        return any(each.kind == PduType.ABORT for each in pdus(self.answered))

    @property
    def answers(self) -> list[Dataset]:
        """The command sets of the acceptor, in their order."""
        return [_decoded(each.command) for each in messages(self.answered)]

    @property
    def data_sets(self) -> dict[str, bytes]:
        """The data sets of the requestor by the SOP Instance UID of their commands."""
        return {
            str(_decoded(each.command).AffectedSOPInstanceUID): each.data
            for each in messages(self.requested)
            if each.data
        }


def _decoded(command: bytes) -> Dataset:
    return decode(BytesIO(command), is_implicit_vr=True, is_little_endian=True)


def pdus(stream: bytes | bytearray) -> Iterator[Pdu]:
    """Walk the PDUs of one direction; what is cut off at the end is left out."""
    at = 0
    while at + PDU_HEADER.size <= len(stream):
        kind, length = PDU_HEADER.unpack_from(stream, at)
        at += PDU_HEADER.size
        if at + length > len(stream):
            return
        yield Pdu(kind, bytes(stream[at : at + length]))
        at += length


@dataclass(slots=True)
class Message:
    """A DIMSE message as its fragments make it (PS3.7 6.3.1)."""

    command: bytes = b""
    data: bytes = b""


def messages(stream: bytes | bytearray) -> list[Message]:
    """Put the messages of one direction together."""
    found: list[Message] = []
    parts: dict[bool, list[bytes]] = {True: [], False: []}
    for control, data in _values(stream):
        is_command = bool(control & IS_COMMAND)
        parts[is_command].append(data)
        if control & IS_LAST:
            whole = b"".join(parts[is_command])
            parts[is_command].clear()
            if is_command:
                found.append(Message(command=whole))
            else:
                found[-1].data = whole
    return found


def _values(stream: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    """Walk the presentation data values: control header and fragment."""
    for each in pdus(stream):
        at = 0
        while each.kind == PduType.DATA_TF and at < len(each.body):
            length, _, control = PDV_HEADER.unpack_from(each.body, at)
            yield control, each.body[at + PDV_HEADER.size : at + 4 + length]
            at += 4 + length


@contextmanager
def tapped(port: int) -> Iterator[Tap]:
    """Relay one connection after the other to `port`, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        tap = Tap(port=int(listening.getsockname()[1]))
        accepting = threading.Thread(target=_accept, args=(listening, port, tap))
        accepting.start()
        try:
            yield tap
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            accepting.join(_WAIT_SECONDS)
    assert not accepting.is_alive()


def _accept(listening: socket.socket, port: int, tap: Tap) -> None:
    with suppress(OSError):
        while True:
            near, _ = listening.accept()
            far = socket.create_connection(("127.0.0.1", port), _WAIT_SECONDS)
            _relay(near, far, tap)


def _relay(near: socket.socket, far: socket.socket, tap: Tap) -> None:
    """Relay both directions until both have ended."""
    with near, far:
        for each in (near, far):
            each.settimeout(_WAIT_SECONDS)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_pump, args=(far, near, tap.answered))
        back.start()
        _pump(near, far, tap.requested)
        back.join()


def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            kept += piece
            target.sendall(piece)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RD if each is source else socket.SHUT_WR)
