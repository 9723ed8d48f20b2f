"""The receiver's session on bytes of a peer, without a socket."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from dicom_io.errors import DicomError
from dicom_io.scp.acceptor import Acceptor, Limits
from dicom_io.scp.channel import Channel
from dicom_io.scp.pdu import PDU_HEADER
from dicom_io.scp.session import Node, Session
from dicom_io.scp.states import Event, Interruption
from tests.data.network import LOCAL, MODALITY, Recorder

RECORDED = Path(__file__).parent / "corpus" / "association" / "recorded"
"""An association of pynetdicom's with us: how it is played, then its bytes."""

LIMITS = Limits(max_pdu_bytes=1 << 16, pdu_seconds=5.0, idle_seconds=5.0)
REPLIES = frozenset({2, 3, 4, 6, 7})
"""A-ASSOCIATE-AC and -RJ, P-DATA-TF, A-RELEASE-RP, A-ABORT (PS3.8 9.3.1)."""

_STEPS = (1 << 16, 1, 2, 3, 7, 64, 1000, 4096)


class Wire(Channel):
    """What a peer sent, `step` bytes a read, and then it closed; replies are kept."""

    def __init__(self, sent: bytes, step: int) -> None:
        self._rest = memoryview(sent)
        self._step = step
        self.replies = bytearray()

    def arm(self, seconds: float, late: Event) -> None:
        """Nothing waits here."""

    def stop(self) -> None:
        """Nothing waits here."""

    def receive_into(self, room: memoryview) -> int:
        part = self._rest[: min(self._step, len(room))]
        if not part:
            raise Interruption(Event.TRANSPORT_CLOSED, "closed by the peer")
        room[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)

    def send(self, data: bytes) -> None:
        self.replies += data

    def drain(self) -> Event:
        return Event.TRANSPORT_CLOSED


def node_of(recorder: Recorder) -> Node:
    """Return a listener's shared part that knows one modality."""
    return Node(
        local=LOCAL, peers=(MODALITY,), sink=recorder.sink, events=recorder.events()
    )


def converse(node: Node, sent: bytes, step: int = 1 << 16) -> list[bytes]:
    """Run one association on `sent`; return the PDUs that were answered."""
    wire = Wire(sent, step)
    with Session(node, "127.0.0.1", wire.stop) as session:
        Acceptor(wire, LIMITS, session).run()
    return pdus_of(bytes(wire.replies))


@cache
def recorded() -> tuple[bytes, ...]:
    """Return the PDUs of the recording: request, messages, release."""
    return tuple(pdus_of(RECORDED.read_bytes()[1:]))


def pdus_of(stream: bytes) -> list[bytes]:
    """Cut a stream into its PDUs; the last may be cut short."""
    found = []
    while stream:
        _, length = PDU_HEADER.unpack(stream[:6].ljust(6, b"\0"))
        found.append(stream[: 6 + length])
        stream = stream[6 + length :]
    return found


def check_association(
    node: Node, recorder: Recorder, sent: bytes, step: int
) -> list[bytes]:
    """Run an association and return the PDUs that were answered.

    Raises AssertionError where it leaves something behind.

    Every instance is committed or discarded and not both, what was opened was
    closed, the answers are whole PDUs of the kinds that an acceptor sends, and
    nothing came to the last resort of the listener.
    """
    for kept in (recorder.incoming, recorder.opened, recorder.closed):
        kept.clear()
    with _no_last_resort():
        replies = converse(node, sent, step)
    assert not node.sessions
    assert len(recorder.opened) == len(recorder.closed)
    assert all(each.committed != each.discarded for each in recorder.incoming)
    for reply in replies:
        assert reply[0] in REPLIES
        assert len(reply) == 6 + int.from_bytes(reply[2:6], "big")
    return replies


def on_bytes(data: bytes) -> None:
    """Play an association: a byte that says how, and what the peer sends.

    Bit 0: as it stands, or behind an association that was accepted. The next three
    bits say in pieces of what size.
    """
    how, sent = (data[0] if data else 0), data[1:]
    prefix = recorded()[0] if how & 1 else b""
    recorder = Recorder()
    node = node_of(recorder)
    check_association(node, recorder, prefix + sent, _STEPS[how >> 1 & 7])
    if not how & 1:
        return
    kinds = Counter(reply[0] for reply in converse(node, prefix))
    assert kinds == {2: 1}, "the node does not accept any more"


@contextmanager
def _no_last_resort() -> Iterator[None]:
    """Fail where `guarded` caught, and logged, an error that has no type of ours."""
    caught: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            if error is not None and not isinstance(error, DicomError):
                caught.append(f"{record.getMessage()}: {error!r}")

    handler, logger = Handler(), logging.getLogger("dicom_io")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert not caught, caught
