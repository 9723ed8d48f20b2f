"""An association as its requestor's bytes, and what the receiver makes of them."""

import socket
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid
from pynetdicom import AE, build_context, evt, sop_class

from dicom_io.ae import RemoteAE
from dicom_io.scp.acceptor import Acceptor, Limits
from dicom_io.scp.channel import Channel
from dicom_io.scp.pdu import PDU_HEADER, PDV_HEADER
from dicom_io.scp.session import Node, Session
from tests.data.network import LOCAL, MODALITY, Recorder, listening, radiograph, written

CR = uid.ComputedRadiographyImageStorage
LIMITS = Limits(max_pdu_bytes=1 << 16, pdu_seconds=1.0, idle_seconds=1.0)
RELEASE = bytes.fromhex("05000000000400000000")
ABORT = bytes.fromhex("07000000000400000000")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The PDUs of a requestor: request, C-ECHO, C-STORE command and data, release."""

    request: bytes
    echo: bytes
    command: bytes
    data: bytes

    @property
    def pdus(self) -> list[bytes]:
        return [self.request, self.echo, self.command, self.data, RELEASE]

    @property
    def whole(self) -> bytes:
        return b"".join(self.pdus)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the requestor was sent, and what became of its instances."""

    replies: tuple[bytes, ...]
    stored: tuple[bytes, ...]
    discarded: int
    opened: int
    closed: int

    @property
    def kinds(self) -> list[int]:
        """PDU types of the replies."""
        return [reply[0] for reply in self.replies]


def recorded(folder: Path) -> Recording:
    """Record what pynetdicom sends for one C-ECHO and one C-STORE."""
    sent: list[bytes] = []
    path = written(folder, radiograph())
    contexts = [
        build_context(CR, uid.ExplicitVRLittleEndian),
        build_context(sop_class.Verification),  # type: ignore[attr-defined]
    ]
    with listening(Recorder()) as listener:
        assoc = AE("XRAY").associate(
            "127.0.0.1",
            listener.port,
            contexts,
            "MAIRA_GW",
            evt_handlers=[(evt.EVT_DATA_SENT, lambda event: sent.append(event.data))],
        )
        assoc.send_c_echo()
        assoc.send_c_store(path)
        assoc.release()
    request, echo, command, data = sent[:4]
    return Recording(request=request, echo=echo, command=command, data=data)


def played(
    pieces: Iterable[bytes],
    peers: Sequence[RemoteAE] = (MODALITY,),
    limits: Limits = LIMITS,
) -> Outcome:
    """Deliver `pieces` one by one, close our half, and tell what came of it.

    A sequenced-packet pair keeps the pieces apart: each read of the receiver gets
    one of them.
    """
    recorder = Recorder()
    node = Node(local=LOCAL, peers=peers, sink=recorder.sink, events=recorder.events())
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        receiver = threading.Thread(target=_serve, args=(node, theirs, limits))
        receiver.start()
        sender = threading.Thread(target=_send, args=(ours, pieces))
        sender.start()
        replies = _replies(ours)
        sender.join()
        receiver.join()
    return Outcome(
        replies=tuple(replies),
        stored=tuple(bytes(each.data) for each in recorder.incoming if each.committed),
        discarded=sum(each.discarded for each in recorder.incoming),
        opened=len(recorder.opened),
        closed=len(recorder.closed),
    )


def _serve(node: Node, connected: socket.socket, limits: Limits) -> None:
    channel = Channel(connected, limits.pdu_seconds)
    with Session(node, "127.0.0.1", channel.stop) as session:
        Acceptor(channel, limits, session).run()
    connected.close()


def _send(connected: socket.socket, pieces: Iterable[bytes]) -> None:
    with suppress(OSError):  # the receiver has had enough
        for piece in pieces:
            connected.send(piece)
        connected.shutdown(socket.SHUT_WR)


def _replies(connected: socket.socket) -> list[bytes]:
    replies = []
    with suppress(OSError):
        while reply := connected.recv(1 << 16):
            replies.append(reply)
    return replies


def data_pdu(*values: tuple[int, int, bytes]) -> bytes:
    """Encode a P-DATA-TF of (context ID, control, data) values."""
    body = b"".join(
        PDV_HEADER.pack(len(data) + 2, context_id, control) + data
        for context_id, control, data in values
    )
    return PDU_HEADER.pack(4, len(body)) + body


def value_of(pdu: bytes) -> bytes:
    """Return the data of a P-DATA-TF that holds one value."""
    return pdu[PDU_HEADER.size + PDV_HEADER.size :]
