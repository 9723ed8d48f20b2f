"""WADO-RS as user (PS3.18 10.4): a study into a sink, piece by piece.

Not by the library's client, which holds each instance in memory whole, whatever
its size, and ends at the first that it cannot parse. Here memory stays flat, an
instance over the limit or broken costs itself alone, and the bytes are the archive's.
"""

import logging
from collections.abc import Iterator
from email.message import Message
from io import BytesIO
from math import inf
from urllib.parse import urlsplit
from uuid import uuid4

from pydicom.filereader import read_dataset
from requests import Response

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.errors import PeerFailure, PeerUnreachable
from dicom_io.scp.intake import StoreStream, guarded
from dicom_io.scu.answers import retrieve_identifier
from dicom_io.scu.multipart import Malformed, Parts
from dicom_io.scu.suboperations import Retrieved
from dicom_io.scu.web_session import Exchange, exchange
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.status import Status
from dicom_io.uid import is_uid

LOGGER = logging.getLogger(__name__)

WADO_RS = "wado-rs"

_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""As it is stored: nothing is to be transcoded (PS3.18 8.7.3)."""

_PIECE_BYTES = 1 << 20
_META_START = 128 + 4
_GROUP_LENGTH_BYTES = 12
_META_CAP_BYTES = 64 << 10
_UNREADABLE = (AttributeError, NotImplementedError, ValueError, OSError, LookupError)
_SUB_OPERATIONS_FAILED = 0xB000
"""What a C-GET would have ended with (PS3.4 C.4.3.1.4)."""


def retrieve_study(
    local: LocalAE,
    remote: RemoteAE,
    study_instance_uid: str,
    sink: Sink,
    seconds: float = inf,
) -> Retrieved:
    """Fetch a study into `sink`. Raises the PeerFailure kinds.

    An instance has the peer's deadline to come, the study as many as it has
    instances, and `seconds` at most.
    """
    study = str(retrieve_identifier(study_instance_uid).StudyInstanceUID)
    receiver = _Receiver(local, remote, sink)
    with exchange(remote) as call:
        call.watch.limit(seconds)
        response = call.get_stream(f"studies/{study}", _ACCEPT)
        try:
            _receive(response, receiver, call)
        except Malformed as error:
            raise PeerFailure(f"{remote.name} answered WADO-RS: {error}") from error
        finally:
            receiver.drop()
            response.close()
    return receiver.result()


def _receive(response: Response, receiver: "_Receiver", call: Exchange) -> None:
    media_type, boundary = _media_type(response)
    pieces: Iterator[bytes] = response.iter_content(_PIECE_BYTES)
    if media_type == "multipart/related":
        _receive_parts(pieces, Parts(boundary), receiver, call)
    elif media_type == "application/dicom":
        # Against the standard, but common where a study has one instance.
        for piece in pieces:
            receiver.write(piece)
        receiver.end()
    elif any(pieces):
        raise Malformed("the answer is not multipart/related")


def _receive_parts(
    pieces: Iterator[bytes], parts: Parts, receiver: "_Receiver", call: Exchange
) -> None:
    for piece in pieces:
        for body in parts.feed(piece):
            if body is None:
                receiver.end()
                call.watch.renew()
            else:
                receiver.write(body)
    if not parts.is_ended:
        raise PeerUnreachable("a study over WADO-RS was cut off")


def _media_type(response: Response) -> tuple[str, str]:
    """Return the media type, in small letters, and the boundary."""
    header = Message()
    header["Content-Type"] = response.headers.get("Content-Type", "")
    return header.get_content_type(), header.get_boundary("")


class _Receiver:
    """Takes instances as Part 10 files, one after the other."""

    def __init__(self, local: LocalAE, remote: RemoteAE, sink: Sink) -> None:
        self._local, self._remote, self._sink = local, remote, sink
        self._association_id = uuid4().hex
        self._head = bytearray()
        self._stream: StoreStream | None = None
        self._completed = self._failed = 0

    def write(self, piece: bytes) -> None:
        """Take the next bytes of the present file."""
        if self._stream is not None:
            self._stream.write(piece)
            return
        self._head += piece
        if len(self._head) < _META_START + _GROUP_LENGTH_BYTES:
            return
        start = _data_set_start(self._head)
        if len(self._head) >= start:
            limit = self._local.max_instance_bytes
            self._stream = StoreStream(self._opened(self._head[:start]), limit)
            self._stream.write(bytes(self._head[start:]))
            self._head.clear()

    def end(self) -> None:
        """Make the present file durable."""
        stream = self._stream
        status = stream.finish() if stream else Status.CANNOT_UNDERSTAND
        if status is Status.SUCCESS:
            self._completed += 1
        else:
            LOGGER.warning("instance of %s not taken: %r", self._remote.name, status)
            self._failed += 1
        self._stream = None
        self._head.clear()

    def drop(self) -> None:
        """Forget a file that did not come to its end."""
        if self._stream is not None:
            self._stream.drop()

    def result(self) -> Retrieved:
        """Say how it ended."""
        return Retrieved(
            service=WADO_RS,
            completed=self._completed,
            failed=self._failed,
            warning=0,
            status=_SUB_OPERATIONS_FAILED if self._failed else Status.SUCCESS,
        )

    def _opened(self, head: bytes | bytearray) -> Incoming | Status:
        """Open a place for the instance that the file meta announces."""
        meta = _meta(head)
        if meta is None:
            return Status.CANNOT_UNDERSTAND
        sop_class, sop_instance, syntax = meta
        if not (is_uid(sop_class) and is_uid(sop_instance)):
            return Status.INVALID_INSTANCE
        facts = StoreFacts(
            association_id=self._association_id,
            calling_title=self._remote.title,
            called_title=self._local.title,
            peer_address=_host(self._remote),
            peer=self._remote,
            sop_class_uid=sop_class,
            sop_instance_uid=sop_instance,
            transfer_syntax_uid=syntax,
            move_originator=None,
        )
        return guarded(lambda: self._sink(facts), "opening")


def _host(remote: RemoteAE) -> str:
    return (urlsplit(remote.web.url).hostname if remote.web else None) or ""


def _data_set_start(head: bytes | bytearray) -> int:
    """Return where the data set begins; 0 where this is not Part 10 (PS3.10 7.1)."""
    group_length = b"\x02\x00\x00\x00UL\x04\x00"
    if not head.startswith(b"DICM" + group_length, 128):
        return 0
    length = int.from_bytes(head[140:144], "little")
    start = _META_START + _GROUP_LENGTH_BYTES + length
    return start if start <= _META_CAP_BYTES else 0


def _meta(head: bytes | bytearray) -> tuple[str, str, str] | None:
    """Return SOP class, SOP instance and transfer syntax; None: cannot be read."""
    try:
        group = BytesIO(head[_META_START:])
        meta = read_dataset(group, is_implicit_VR=False, is_little_endian=True)
        return (
            str(meta.MediaStorageSOPClassUID),
            str(meta.MediaStorageSOPInstanceUID),
            str(meta.TransferSyntaxUID),
        )
    except _UNREADABLE:
        return None
