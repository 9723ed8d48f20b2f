"""One association from its first byte to its last: the state machine at work."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dicom_io.scp import pdu
from dicom_io.scp.channel import Channel
from dicom_io.scp.dialogue import (
    SLOWEST_BYTES_PER_SECOND,
    Dialogue,
    ServiceUser,
    Speaking,
)
from dicom_io.scp.negotiation import Rejection, Request, agree, read_request
from dicom_io.scp.pdu import EVENTS, PDU_HEADER, PduType
from dicom_io.scp.states import TRANSITIONS, Action, Event, Interruption, State
from dicom_io.scp.window import Rooms, Window, fragments

if TYPE_CHECKING:
    from collections.abc import Callable

LOGGER = logging.getLogger(__name__)

_ASSOCIATE_CAP_BYTES = 256 << 10
"""128 contexts of 30 syntaxes fit twice; the announced maximum length binds
P-DATA-TF only (PS3.8 D.1)."""

_FIXED_BYTES = 4
_FIXED_TYPES = (
    PduType.ASSOCIATE_RJ,
    PduType.RELEASE_RQ,
    PduType.RELEASE_RP,
    PduType.ABORT,
)
"""What always has so many bytes behind its header (PS3.8 9.3.4, 9.3.6 to 9.3.8)."""

_DATA_TF = int(PduType.DATA_TF)
_ANY_LENGTH = 0xFFFFFFFF
_ROOMS = Rooms(1 << 20, spare=32)
_LONGEST_LINGER_SECONDS = 5.0


class AssociationUser(ServiceUser, Protocol):
    """Who decides about an association."""

    @property
    def answers_user(self) -> bool:
        """Whether a judged request is owed a response to its user identity."""
        ...

    def judge(self, request: Request) -> Rejection | None:
        """Say why the association is not accepted; None: it is."""
        ...

    def opened(self) -> None:
        """Hear that the association is accepted."""
        ...

    def released(self) -> None:
        """Hear that the peer is done, before it is told that we are."""
        ...

    def ended(self) -> None:
        """Hear that there is no association any more; may be called again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a peer may ask of us.

    max_pdu_bytes : of a P-DATA-TF, 0 for any length: no more than the window is held.
    pdu_seconds : from the first byte of a PDU to its last; a longer one earns it anew
    with each KiB a second of it. Also the ARTIM timer.
    idle_seconds : without any PDU, before we abort.
    commits : whether it may ask for storage commitment.
    """

    max_pdu_bytes: int
    pdu_seconds: float
    idle_seconds: float
    commits: bool = False


class Acceptor:
    """The upper layer of one association, run by one thread."""

    def __init__(self, channel: Channel, limits: Limits, user: AssociationUser) -> None:
        self._channel = channel
        self._limits = limits
        self._user = user
        self._state = State.IDLE
        self._window = Window(channel.receive_into, self._flush, _ROOMS)
        self._most_data = limits.max_pdu_bytes or _ANY_LENGTH
        self._length = 0
        self._request: Request | None = None
        self._rejection: Rejection | None = None
        self._dialogue: Dialogue | None = None
        self._actions: dict[Action, Callable[[], None]] = {
            Action.AWAIT_REQUEST: self._await_request,
            Action.TAKE_REQUEST: self._take_request,
            Action.SEND_ACCEPT: self._send_accept,
            Action.SEND_REJECT: self._send_reject,
            Action.TAKE_DATA: self._take_data,
            Action.TAKE_RELEASE: user.released,
            Action.SEND_RELEASE_REPLY: lambda: channel.send(pdu.RELEASE_RP),
            Action.ABORT_AS_USER: lambda: channel.send(pdu.ABORT_BY_USER),
            Action.ABORT_AS_PROVIDER: lambda: channel.send(self._abort),
        }
        self._abort = pdu.ABORT_UNEXPECTED

    def run(self) -> None:
        """Serve the association until there is nothing left of it."""
        event: Event | None = Event.TRANSPORT_OPEN
        try:
            while event is not None:
                event = self._turn(event)
        finally:
            self._over()
            self._window.close()

    def _turn(self, event: Event) -> Event | None:
        """Act on an event and wait for the next; None: there is nothing to come."""
        try:
            self._step(event)
            return self._next()
        except Interruption as cut:
            self._tell(cut)
            if cut.event is Event.INVALID_PDU:
                self._abort = pdu.ABORT_INVALID
            return cut.event

    def _tell(self, cut: Interruption) -> None:
        """Log what ended an association; a probe of the port is no event."""
        if self._state is State.CLOSING:
            return
        is_probe = self._state is State.AWAITING_REQUEST and not self._window.touched
        level = logging.DEBUG if is_probe else logging.INFO
        LOGGER.log(level, "association cut in %s: %s", self._state.value, cut)

    def _step(self, event: Event) -> None:
        """Act as the table says.

        An action that fails leaves the state as it was, for what cut it off is the
        next event; but where the association ends, it ends all the same.
        """
        action, after = TRANSITIONS[self._state, event]
        if after in (State.CLOSING, State.IDLE):
            self._state = after
        if action in self._actions:
            self._actions[action]()
        self._state = after

    def _next(self) -> Event | None:
        match self._state:
            case State.AWAITING_REQUEST:
                return self._read_header()
            case State.AWAITING_DECISION:
                return self._decide()
            case State.ESTABLISHED:
                return self._read_next_header()
            case State.RELEASING:
                return Event.RELEASE
            case State.CLOSING:
                return self._linger()
            case State.IDLE:
                return None

    def _read_next_header(self) -> Event:
        """Wait for a PDU as an idle peer may, then for its bytes as for any PDU."""
        if not self._window.unread:
            self._channel.arm(self._limits.idle_seconds, Event.ABORT)
            self._window.fill()
        self._channel.arm(self._limits.pdu_seconds, Event.ABORT)
        return self._read_header()

    def _read_header(self) -> Event:
        kind, self._length = self._window.unpack(PDU_HEADER)
        if kind == _DATA_TF and self._length <= self._most_data:
            return Event.DATA_RECEIVED
        if kind not in EVENTS:
            raise Interruption(Event.INVALID_PDU, f"PDU type {kind:02X}")
        if self._length > self._cap(PduType(kind)):
            reason = f"PDU of {self._length} bytes is over the cap"
            raise Interruption(Event.INVALID_PDU, reason)
        if kind in _FIXED_TYPES and self._length < _FIXED_BYTES:
            raise Interruption(Event.INVALID_PDU, "PDU of a wrong length")
        if kind != PduType.ASSOCIATE_RQ:
            self._window.gather(self._length)
        return EVENTS[PduType(kind)]

    def _cap(self, kind: PduType) -> int:
        match kind:
            case PduType.DATA_TF:
                return self._most_data
            case PduType.ASSOCIATE_RQ | PduType.ASSOCIATE_AC:
                return _ASSOCIATE_CAP_BYTES
            case _:
                return _FIXED_BYTES

    def _await_request(self) -> None:
        self._channel.arm(self._limits.pdu_seconds, Event.ARTIM_EXPIRED)

    def _take_request(self) -> None:
        self._request = read_request(self._window.gather(self._length))

    def _decide(self) -> Event:
        request = self._agreed_request()
        self._rejection = request.refusal or self._user.judge(request)
        return Event.REJECT if self._rejection else Event.ACCEPT

    def _agreed_request(self) -> Request:
        if self._request is None:
            raise Interruption(Event.ABORT, "no association was asked for")
        return self._request

    def _send_accept(self) -> None:
        request = self._agreed_request()
        agreement = agree(
            request,
            self._limits.max_pdu_bytes,
            answers_user=self._user.answers_user,
            commits=self._limits.commits,
        )
        speaking = Speaking(
            contexts=agreement.contexts,
            send=self._channel.send,
            max_pdu_bytes=request.max_pdu_bytes,
            deadline_seconds=self._limits.pdu_seconds,
        )
        self._dialogue = Dialogue(speaking, self._user)
        self._channel.send(agreement.reply)
        self._user.opened()

    def _send_reject(self) -> None:
        if self._rejection is not None:
            self._channel.send(pdu.rejection(*self._rejection.code))

    def _take_data(self) -> None:
        """Take a P-DATA-TF and those that came behind it: the state stays (DT-2)."""
        dialogue = self._dialogue
        if dialogue is None:
            raise Interruption(Event.ABORT, "data before the association")
        self._take_values(dialogue)
        while True:
            dialogue.take_run(self._window, self._most_data)
            if not self._window.begins_with(_DATA_TF, PDU_HEADER.size):
                break
            self._read_header()
            if self._length > self._window.unread:  # it has to be waited for
                dialogue.check_pace()
                self._channel.arm(self._limits.pdu_seconds, Event.ABORT)
            self._take_values(dialogue)
        dialogue.check_pace()
        if not dialogue.is_within and not self._window.unread:
            self._window.rewind()

    def _take_values(self, dialogue: Dialogue) -> None:
        received, earning = 0, self._limits.pdu_seconds * SLOWEST_BYTES_PER_SECOND
        for piece in fragments(self._window, self._length):
            dialogue.take(piece)
            received += len(piece.data)
            if received >= earning:
                # The maximum length is ours to name, and may be none: a long PDU
                # on a slow line is late only once it stops coming.
                self._channel.arm(self._limits.pdu_seconds, Event.ABORT)
                received = 0

    def _flush(self) -> None:
        if self._dialogue is not None:
            self._dialogue.flush()

    def _over(self) -> None:
        """Discard what is not whole; there is no association any more."""
        if self._dialogue is not None:
            self._dialogue.end()
        self._user.ended()

    def _linger(self) -> Event:
        """Wait for the peer to close (Sta13)."""
        self._over()
        seconds = min(self._limits.pdu_seconds, _LONGEST_LINGER_SECONDS)
        self._channel.arm(seconds, Event.ARTIM_EXPIRED)
        return self._channel.drain()
