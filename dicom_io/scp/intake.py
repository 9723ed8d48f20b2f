"""C-STORE data sets on their way to a sink, piece by piece.

pynetdicom gathers a message's data set in memory, or in a file that it forgets
when the association breaks. Here the fragments of a C-STORE request go straight
to the sink while they arrive: memory stays flat, the reading stops while the
disk is slow, and what is cut off is discarded.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, cast

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import P_DATA

from dicom_io.malformed import MALFORMED
from dicom_io.scp.arrival import Arrival, StoreRequest, guarded
from dicom_io.sink import Incoming
from dicom_io.status import Status

if TYPE_CHECKING:
    from pynetdicom.dimse_primitives import C_STORE, DimsePrimitiveType

__all__ = [
    "IntakeOptions",
    "StoreIntake",
    "StoreRequest",
    "StoreStream",
    "finished",
    "guarded",
]

LOGGER = logging.getLogger(__name__)

_MESSAGE_CAP_BYTES = 16 << 20
"""Command sets and data sets of other services: a commitment report of 100,000
instances has room."""

_OPEN_STREAMS_CAP = 4
"""A sender waits for each answer unless it negotiated otherwise (PS3.7 D.3.3.3);
we never do."""

_SLOWEST_BYTES_PER_SECOND = 1024


class StoreStream(BytesIO):
    """Stands where pynetdicom keeps a data set, and hands each piece on."""

    def __init__(self, opened: Incoming | Status, max_bytes: int) -> None:
        super().__init__()
        self._arrival = Arrival(opened, max_bytes)
        self.is_answered = False

    @property
    def is_open(self) -> bool:
        """Whether the sink still holds something that is neither kept nor dropped."""
        return self._arrival.is_open

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        """Pass on a fragment of the data set."""
        self._arrival.take(data)
        self._arrival.flush()
        return len(data)

    def finish(self) -> Status:
        """Commit what arrived; returns what the sender is to be told."""
        return self._arrival.finish()

    def drop(self) -> None:
        """Discard what was not committed."""
        self._arrival.drop()


def finished(event: Event) -> Status:
    """Commit the instance of a C-STORE event; returns what the sender is told.

    A request without a data set never had a stream.
    """
    stream = cast("C_STORE", event.request).DataSet
    if isinstance(stream, StoreStream):
        return stream.finish()
    return Status.CANNOT_UNDERSTAND


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeOptions:
    """Who opens a place for an instance, and the limits of a transfer."""

    open: Callable[[StoreRequest], Incoming | Status]
    max_instance_bytes: int
    deadline_seconds: float


class StoreIntake(DIMSEServiceProvider):
    """A DIMSE provider that streams C-STORE data sets into a sink."""

    def __init__(self, assoc: Association, options: IntakeOptions) -> None:
        super().__init__(assoc)
        self._options = options
        self._streams: list[StoreStream] = []
        self._message_bytes = 0
        self._message_began = 0.0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of a P-DATA primitive one by one."""
        try:
            for fragment in primitive.presentation_data_value_list:
                self._take(fragment)
        except MALFORMED as error:
            LOGGER.warning("invalid DIMSE message: %s", type(error).__name__)
            self.dul.event_queue.put("Evt19")

    def drop_streams(self) -> None:
        """Discard every instance that was not committed."""
        for stream in self._streams:
            stream.drop()
        self._streams.clear()

    @property
    def is_busy(self) -> bool:
        """Whether an instance is on its way here, or its answer is on its way back."""
        return not all(each.is_answered for each in self._streams)

    def send_msg(self, primitive: "DimsePrimitiveType", context_id: int) -> None:
        """Queue a message for the peer; what is finished is answered behind it."""
        super().send_msg(primitive, context_id)
        for stream in self._streams:
            if not stream.is_open:
                stream.is_answered = True

    def _take(self, fragment: tuple[int, bytes]) -> None:
        if self.message is None:
            self._message_bytes, self._message_began = 0, time.monotonic()
        self._message_bytes += len(fragment[1])
        single = P_DATA()
        # The setter takes lists only, whatever its annotation says.
        single.presentation_data_value_list = [list(fragment)]  # type: ignore[list-item]
        super().receive_primitive(single)
        if self.message is not None:
            self._continue(self.message)

    def _continue(self, message: object) -> None:
        """Look after a message of which more is to come."""
        if isinstance(message, C_STORE_RQ):
            if not isinstance(message.data_set, StoreStream):
                message.data_set = self._opened(message)
            self._check_pace()
        elif self._message_bytes > _MESSAGE_CAP_BYTES:
            raise ValueError("message over the limit")

    def _check_pace(self) -> None:
        """End a transfer that drips: each PDU in time, the instance never."""
        elapsed = time.monotonic() - self._message_began
        earned = self._message_bytes / _SLOWEST_BYTES_PER_SECOND
        if elapsed > self._options.deadline_seconds + earned:
            raise ValueError("transfer too slow")

    def _opened(self, message: C_STORE_RQ) -> StoreStream:
        if message.data_set is not None and message.data_set.getvalue():
            raise ValueError("data set before its command set")
        self._streams = [each for each in self._streams if each.is_open]
        if len(self._streams) >= _OPEN_STREAMS_CAP:
            raise ValueError("requests beyond the negotiated window")
        request = self._request(message)
        opened = guarded(lambda: self._options.open(request), "opening")
        stream = StoreStream(opened, self._options.max_instance_bytes)
        self._streams.append(stream)
        return stream

    def _request(self, message: C_STORE_RQ) -> StoreRequest:
        def text(keyword: str) -> str:
            return str(message.command_set.get(keyword) or "")

        accepted = self.assoc.accepted_contexts
        found = [each for each in accepted if each.context_id == message.context_id]
        return StoreRequest(
            sop_class_uid=text("AffectedSOPClassUID"),
            sop_instance_uid=text("AffectedSOPInstanceUID"),
            move_originator=text("MoveOriginatorApplicationEntityTitle").strip(),
            abstract_syntax=str(found[0].abstract_syntax) if found else "",
            transfer_syntax=str(found[0].transfer_syntax[0]) if found else "",
        )
