"""An association as its requestor's bytes, and what the receiver makes of them."""

import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid
from pynetdicom import AE, build_context, evt, sop_class

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.scp.acceptor import Acceptor, Limits
from dicom_io.scp.channel import Channel
from dicom_io.scp.pdu import PDU_HEADER, PDV_HEADER
from dicom_io.scp.session import Node, Session
from dicom_io.sink import Sink
from tests.data import requests as rq
from tests.data.network import LOCAL, MODALITY, Recorder, listening, radiograph, written

CR = uid.ComputedRadiographyImageStorage
LIMITS = Limits(max_pdu_bytes=1 << 16, pdu_seconds=20.0, idle_seconds=20.0)
RELEASE = bytes.fromhex("05000000000400000000")
_TICK_SECONDS = 0.01
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
    path = written(folder, radiograph(Rows=1, Columns=1, PixelData=b"\1\2"))
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


@dataclass(frozen=True, kw_only=True)
class Crowded:
    """A long association, sent without waiting for answers.

    `spans` : for each instance where its place is opened, the command set being
    whole, and where its data set ends.
    """

    whole: bytes
    spans: tuple[tuple[int, int], ...]


def crowded(recording: Recording) -> Crowded:
    """Agree on a window of operations and use it: an echo and two instances.

    The first instance comes in one PDU of several values, the second in many PDUs
    with parts of its command set, parts of odd length, and parts of none.
    """
    command, data = value_of(recording.command), value_of(recording.data)
    window = (rq.MAX_LENGTH, rq.IMPLEMENTATION, rq.asynchronous(3, 3))
    stream = rq.Request(information=window).encoded + recording.echo
    opened = len(stream) + PDU_HEADER.size + PDV_HEADER.size + len(command)
    stream += data_pdu((1, 3, command), (1, 0, data[:99]), (1, 2, data[99:]))
    first = (opened, len(stream))
    stream += data_pdu((1, 1, command[:50])) + data_pdu((1, 3, command[50:]))
    opened = len(stream)
    stream += data_pdu((1, 0, b"")) + data_pdu((1, 0, data[:1]), (1, 0, data[1:7]))
    stream += data_pdu((1, 0, data[7:])) + data_pdu((1, 2, b""))
    second = (opened, len(stream))
    return Crowded(whole=stream + RELEASE, spans=(first, second))


def played(
    pieces: Iterable[bytes],
    peers: Sequence[RemoteAE] = (MODALITY,),
    limits: Limits = LIMITS,
    local: LocalAE = LOCAL,
    sink: Sink | None = None,
    *,
    stays: bool = False,
) -> Outcome:
    """Deliver `pieces` one by one, close, and tell what came of it.

    Each read of the receiver gets one piece, or the rest of one. Nothing else runs
    meanwhile: the receiver reads on this thread. `stays`: the peer says no more and
    does not close either.
    """
    recorder = Recorder()
    node = Node(
        local=local, peers=peers, sink=sink or recorder.sink, events=recorder.events()
    )
    with Line(pieces, stays=stays) as line:
        channel = Channel(line, limits.pdu_seconds)
        with Session(node, "127.0.0.1", channel.stop) as session:
            Acceptor(channel, limits, session).run()
    return Outcome(
        replies=tuple(line.replies),
        stored=tuple(bytes(each.data) for each in recorder.incoming if each.committed),
        discarded=sum(each.discarded for each in recorder.incoming),
        opened=len(recorder.opened),
        closed=len(recorder.closed),
    )


class Line(socket.socket):
    """A socket whose peer says what was written down beforehand."""

    def __init__(self, pieces: Iterable[bytes], *, stays: bool) -> None:
        super().__init__()
        self._stays = stays
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")
        self.replies: list[bytes] = []

    def recv_into(self, room: memoryview, *_: object) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
            if self._stays and not self._rest:
                threading.Event().wait(_TICK_SECONDS)
                raise BlockingIOError
        piece = self._rest[: len(room)]
        self._rest = self._rest[len(piece) :]
        room[: len(piece)] = piece
        return len(piece)

    def send(self, data: memoryview, *_: object) -> int:  # type: ignore[override]
        self.replies.append(bytes(data))
        return len(data)


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
