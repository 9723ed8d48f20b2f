"""An instance on its way from the network into a sink."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dicom_io.errors import DicomError
from dicom_io.sink import Incoming, NoRoom
from dicom_io.status import Status
from dicom_io.traces import frames_of
from dicom_io.uid import is_uid

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")
Pieces = Sequence[bytes | memoryview]

_PIECES_CAP = 512
"""Pieces that are written at one time; the kernel takes 1024 (IOV_MAX)."""


def guarded(action: Callable[[], T], what: str) -> T | Status:
    """Call into the gateway; what it raises is recorded and becomes a status.

    The boundary around a request: a failure of ours must not end the listener.
    """
    try:
        return action()
    except NoRoom as error:
        if not error.is_told:
            LOGGER.warning("%s failed: %s", what, error)
        return _status_of(error)
    except Exception as error:  # noqa: BLE001 - around a request
        LOGGER.error("%s failed: %s", what, frames_of(error))  # noqa: TRY400
        return _status_of(error)


def _status_of(error: Exception) -> Status:
    """No room, and a full or broken disk: the sender may try again later."""
    match error:
        case NoRoom() | OSError() | MemoryError():
            return Status.OUT_OF_RESOURCES
        case DicomError():
            return Status.CANNOT_UNDERSTAND
        case _:
            return Status.PROCESSING_FAILURE


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """The command set of a C-STORE request, as text; absent values are empty."""

    sop_class_uid: str
    sop_instance_uid: str
    move_originator: str
    abstract_syntax: str
    transfer_syntax: str

    @property
    def refusal(self) -> Status | None:
        """Why the command set alone forbids the instance; None: it does not."""
        if not (is_uid(self.sop_instance_uid) and is_uid(self.sop_class_uid)):
            return Status.INVALID_INSTANCE
        if self.abstract_syntax != self.sop_class_uid:
            return Status.CLASS_NOT_SUPPORTED
        return None


class Arrival:
    """Hands the pieces of a data set to the sink, many at a time.

    Once something is refused the rest is read and dropped, so that the sender
    gets a status rather than a broken connection.
    """

    def __init__(self, opened: Incoming | Status, max_bytes: int) -> None:
        self._incoming = None if isinstance(opened, Status) else opened
        self._refusal = opened if isinstance(opened, Status) else None
        self._write = _writer(opened)
        self._left = max_bytes
        self._pieces: list[bytes | memoryview] = []

    @property
    def is_open(self) -> bool:
        """Whether the sink still holds something that is neither kept nor dropped."""
        return self._incoming is not None

    def take(self, *pieces: bytes | memoryview) -> None:
        """Take pieces, which must stay as they are until `flush`."""
        self._left -= sum(map(len, pieces))
        if self._incoming is None:
            return
        if self._left < 0:
            LOGGER.warning("instance is over the size limit")
            self._refuse(Status.OUT_OF_RESOURCES)
            return
        self._pieces += pieces
        if len(self._pieces) >= _PIECES_CAP:
            self.flush()

    def flush(self) -> None:
        """Give the sink what was taken."""
        pieces = self._pieces
        if self._incoming is None or not pieces:
            return
        self._pieces = []
        failure = guarded(lambda: self._write_some(pieces), "writing")
        if failure is not None:
            self._refuse(failure)

    def _write_some(self, pieces: Pieces) -> None:
        for start in range(0, len(pieces), _PIECES_CAP):
            self._write(pieces[start : start + _PIECES_CAP])

    def finish(self) -> Status:
        """Commit what arrived; returns what the sender is to be told."""
        self.flush()
        if self._incoming is None:
            return self._refusal or Status.PROCESSING_FAILURE
        incoming = self._incoming
        status = guarded(incoming.commit, "committing")
        if status is not Status.SUCCESS:
            self._refuse(status)
        self._incoming = None
        return status

    def drop(self) -> None:
        """Discard what was not committed."""
        if self._incoming is not None:
            self._refuse(Status.PROCESSING_FAILURE)

    def _refuse(self, status: Status) -> None:
        incoming, self._incoming = self._incoming, None
        self._refusal, self._pieces = status, []
        if incoming is not None:
            guarded(incoming.discard, "discarding")


def _writer(opened: Incoming | Status) -> Callable[[Pieces], None]:
    """Return what takes the pieces, together where the sink can (`sink.Gathering`)."""
    if isinstance(opened, Status):
        return lambda _pieces: None
    # `isinstance` of a protocol looks at all its methods, for each instance anew.
    together: Callable[[Pieces], None] | None = getattr(opened, "write_pieces", None)
    if together is not None:
        return together

    def one_by_one(pieces: Pieces) -> None:
        for piece in pieces:
            opened.write(piece)

    return one_by_one
