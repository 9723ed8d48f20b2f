"""The DIMSE messages of one association: fragments in, responses out.

PS3.7 6.3 and PS3.8 Annex E: a command set, then its data set where it has one, all
in one presentation context, and the next message only behind it.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from dicom_io.scp.arrival import Arrival, StoreRequest
from dicom_io.scp.command import (
    UNRECOGNISED_OPERATION,
    Command,
    Field,
    decode_command,
    encode_response,
)
from dicom_io.scp.pdu import IS_COMMAND, IS_LAST, command_pdus
from dicom_io.scp.states import Event, Interruption
from dicom_io.scp.window import Fragment, Window
from dicom_io.status import Status

LOGGER = logging.getLogger(__name__)

_COMMAND_CAP_BYTES = 1 << 16

_MESSAGE_CAP_BYTES = 16 << 20
"""Data sets of other services: a commitment report of 100,000 instances has room."""

SLOWEST_BYTES_PER_SECOND = 1024

_LIBRARY_FIELDS = (Field.N_ACTION_RQ, Field.N_EVENT_REPORT_RQ)


class Body(Protocol):
    """Where the data set of a message goes."""

    def take(self, *pieces: memoryview) -> None:
        """Take pieces, good until `flush` has returned."""
        ...

    def flush(self) -> None:
        """Part with the memory of what was taken."""
        ...

    def drop(self) -> None:
        """Forget it: the message will not be whole."""
        ...


class ServiceUser(Protocol):
    """Who decides what becomes of messages."""

    def open(self, request: StoreRequest) -> Arrival:
        """Open a place for an instance, or say why there is none."""
        ...

    def stored(self, request: StoreRequest, status: Status) -> None:
        """Count an instance, just before the sender is answered."""
        ...

    def answered(self) -> None:
        """Hear that a message was answered, and nothing is under way."""
        ...

    def serve(self, context: PresentationContext, command: bytes, data: bytes) -> bytes:
        """Serve a request for commitment or its report; return the response's PDUs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaking:
    """What was agreed on, and how to speak.

    max_pdu_bytes : of a PDU that the peer takes, 0 for any length.
    deadline_seconds : what a message may take beside a second for each KiB.
    """

    contexts: Mapping[int, PresentationContext]
    send: Callable[[bytes], None]
    max_pdu_bytes: int
    deadline_seconds: float


class _Collected:
    """A data set that is kept in memory, within a cap, until it is whole."""

    def __init__(self) -> None:
        self.content = bytearray()

    def take(self, *pieces: memoryview) -> None:
        for data in pieces:
            if len(self.content) + len(data) > _MESSAGE_CAP_BYTES:
                raise Interruption(Event.ABORT, "message over the limit")
            self.content += data

    def flush(self) -> None:
        """Nothing is borrowed."""

    def drop(self) -> None:
        self.content.clear()


class Dialogue:
    """Puts messages together and answers them, one after the other."""

    def __init__(self, speaking: Speaking, user: ServiceUser) -> None:
        self._speaking = speaking
        self._user = user
        self._encoded = bytearray()
        self._context_id = 0
        self._command: Command | None = None
        self._body: Body | None = None
        self._finish: Callable[[], bytes] = bytes
        self._began = 0.0
        self._received = 0

    @property
    def is_within(self) -> bool:
        """Whether a message has begun and is not answered."""
        return self._command is not None or bool(self._encoded)

    def take(self, piece: Fragment) -> None:
        """Take a piece of a presentation data value.

        Raises Interruption where it does not belong here.
        """
        if not self.is_within:
            self._context_id = piece.context_id
            self._began, self._received = time.monotonic(), 0
        elif piece.context_id != self._context_id:
            raise Interruption(Event.ABORT, "messages of two contexts mixed")
        self._received += len(piece.data)
        is_end = piece.ends_value and bool(piece.control & IS_LAST)
        if piece.control & IS_COMMAND:
            self._take_command(piece.data, is_end)
        else:
            self._take_data(piece.data, is_end)

    def take_run(self, window: Window, longest: int) -> None:
        """Take what is here of the middle of a data set: nothing is to be decided."""
        if self._body is not None:
            run = window.take_run(self._context_id, longest)
            self._received += sum(map(len, run))
            self._body.take(*run)

    def flush(self) -> None:
        """Part with the memory of what was taken."""
        if self._body is not None:
            self._body.flush()

    def check_pace(self) -> None:
        """End a message that drips: each PDU in time, the whole never."""
        earned = self._received / SLOWEST_BYTES_PER_SECOND
        allowed = self._speaking.deadline_seconds + earned
        if self.is_within and time.monotonic() - self._began > allowed:
            raise Interruption(Event.ABORT, "transfer too slow")

    def end(self) -> None:
        """Forget the message that will not be whole."""
        if self._body is not None:
            self._body.drop()
        self._command = self._body = None

    def _take_command(self, data: memoryview, is_end: bool) -> None:  # noqa: FBT001
        if self._command is not None:
            raise Interruption(Event.ABORT, "command set within a data set")
        self._encoded += data
        if len(self._encoded) > _COMMAND_CAP_BYTES:
            raise Interruption(Event.ABORT, "command set over the limit")
        if is_end:
            self._begin(bytes(self._encoded))

    def _take_data(self, data: memoryview, is_end: bool) -> None:  # noqa: FBT001
        if self._body is None:
            raise Interruption(Event.ABORT, "data set before its command set")
        if data:
            self._body.take(data)
        if is_end:
            self._answer()

    def _begin(self, encoded: bytes) -> None:
        context = self._speaking.contexts.get(self._context_id)
        if context is None:
            raise Interruption(Event.ABORT, "context that was not accepted")
        try:
            self._command = decode_command(encoded)
        except ValueError as error:
            raise Interruption(Event.ABORT, str(error)) from error
        self._body, self._finish = self._service(self._command, context)
        if not self._command.has_data_set:
            self._answer()

    def _answer(self) -> None:
        reply = self._finish()
        if reply:
            self._speaking.send(reply)
        self._user.answered()
        self._encoded.clear()
        self._command = self._body = None

    def _service(
        self, command: Command, context: PresentationContext
    ) -> tuple[Body, Callable[[], bytes]]:
        """Choose who takes the data set, and who answers when it is whole."""
        body = _Collected()
        if command.field == Field.C_STORE_RQ:
            return self._store(command, context)
        if command.field == Field.C_ECHO_RQ:
            return body, lambda: self._response(command, Status.SUCCESS)
        if _is_of_library(command, context):
            return body, lambda: self._user.serve(
                context, command.encoded, bytes(body.content)
            )
        if command.wants_answer:
            return body, lambda: self._response(command, UNRECOGNISED_OPERATION)
        LOGGER.warning("message of command field %04X ignored", command.field)
        return body, bytes

    def _store(
        self, command: Command, context: PresentationContext
    ) -> tuple[Body, Callable[[], bytes]]:
        request = StoreRequest(
            sop_class_uid=command.sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
            move_originator=command.move_originator,
            abstract_syntax=str(context.abstract_syntax),
            transfer_syntax=str(context.transfer_syntax[0]),
        )
        nothing = Arrival(Status.CANNOT_UNDERSTAND, 0)
        arrival = self._user.open(request) if command.has_data_set else nothing

        def finish() -> bytes:
            status = arrival.finish()
            self._user.stored(request, status)
            return self._response(command, status)

        return arrival, finish

    def _response(self, command: Command, status: int) -> bytes:
        encoded = encode_response(command, status)
        return command_pdus(self._context_id, encoded, self._speaking.max_pdu_bytes)


def _is_of_library(command: Command, context: PresentationContext) -> bool:
    is_commitment = context.abstract_syntax == StorageCommitmentPushModel
    return is_commitment and command.field in _LIBRARY_FIELDS
