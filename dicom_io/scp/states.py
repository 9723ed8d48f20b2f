"""The upper layer's state machine, as the side that is called.

PS3.8 9.2: the states, events and actions of Table 9-10 that can occur to an
acceptor whose user answers on the same thread. It never asks for a release, so
there are no collisions (Sta7 and Sta9 to Sta12). Pure.
"""

from enum import Enum
from types import MappingProxyType


class State(Enum):
    """PS3.8 Tables 9-1 to 9-5."""

    IDLE = "Sta1"
    AWAITING_REQUEST = "Sta2"
    AWAITING_DECISION = "Sta3"
    ESTABLISHED = "Sta6"
    RELEASING = "Sta8"
    CLOSING = "Sta13"


class Event(Enum):
    """PS3.8 Table 9-10, first column."""

    ACCEPT_RECEIVED = "Evt3"
    REJECT_RECEIVED = "Evt4"
    TRANSPORT_OPEN = "Evt5"
    REQUEST_RECEIVED = "Evt6"
    ACCEPT = "Evt7"
    REJECT = "Evt8"
    DATA_RECEIVED = "Evt10"
    RELEASE_RECEIVED = "Evt12"
    RELEASE_REPLY_RECEIVED = "Evt13"
    RELEASE = "Evt14"
    ABORT = "Evt15"
    ABORT_RECEIVED = "Evt16"
    TRANSPORT_CLOSED = "Evt17"
    ARTIM_EXPIRED = "Evt18"
    INVALID_PDU = "Evt19"


class Action(Enum):
    """PS3.8 Tables 9-6 to 9-9."""

    AWAIT_REQUEST = "AE-5"
    TAKE_REQUEST = "AE-6"
    SEND_ACCEPT = "AE-7"
    SEND_REJECT = "AE-8"
    TAKE_DATA = "DT-2"
    TAKE_RELEASE = "AR-2"
    SEND_RELEASE_REPLY = "AR-4"
    CLOSED_AS_AGREED = "AR-5"
    ABORT_AS_USER = "AA-1"
    CLOSE = "AA-2"
    TAKE_ABORT = "AA-3"
    LOSE_TRANSPORT = "AA-4"
    GIVE_UP = "AA-5"
    ABORT_AS_PROVIDER = "AA-8"


_WIRE = (
    Event.ACCEPT_RECEIVED,
    Event.REJECT_RECEIVED,
    Event.REQUEST_RECEIVED,
    Event.DATA_RECEIVED,
    Event.RELEASE_RECEIVED,
    Event.RELEASE_REPLY_RECEIVED,
    Event.INVALID_PDU,
)
"""PDUs other than A-ABORT."""

_ASSOCIATED = (State.AWAITING_DECISION, State.ESTABLISHED, State.RELEASING)

Move = tuple[Action, State]

TRANSITIONS = MappingProxyType[tuple[State, Event], Move](
    {
        # What a state does not expect from the wire; the rows below are stronger.
        **{
            (State.AWAITING_REQUEST, event): (Action.ABORT_AS_USER, State.CLOSING)
            for event in _WIRE
        },
        **{
            (state, event): (Action.ABORT_AS_PROVIDER, State.CLOSING)
            for state in _ASSOCIATED
            for event in _WIRE
        },
        # Association establishment.
        (State.IDLE, Event.TRANSPORT_OPEN): (
            Action.AWAIT_REQUEST,
            State.AWAITING_REQUEST,
        ),
        (State.AWAITING_REQUEST, Event.REQUEST_RECEIVED): (
            Action.TAKE_REQUEST,
            State.AWAITING_DECISION,
        ),
        (State.AWAITING_DECISION, Event.ACCEPT): (
            Action.SEND_ACCEPT,
            State.ESTABLISHED,
        ),
        (State.AWAITING_DECISION, Event.REJECT): (Action.SEND_REJECT, State.CLOSING),
        # Data transfer and release.
        (State.ESTABLISHED, Event.DATA_RECEIVED): (
            Action.TAKE_DATA,
            State.ESTABLISHED,
        ),
        (State.ESTABLISHED, Event.RELEASE_RECEIVED): (
            Action.TAKE_RELEASE,
            State.RELEASING,
        ),
        (State.RELEASING, Event.RELEASE): (Action.SEND_RELEASE_REPLY, State.CLOSING),
        # Abort, loss and expiry.
        **{
            (state, Event.ABORT): (Action.ABORT_AS_USER, State.CLOSING)
            for state in _ASSOCIATED
        },
        **{
            (state, Event.ABORT_RECEIVED): (Action.TAKE_ABORT, State.IDLE)
            for state in _ASSOCIATED
        },
        **{
            (state, Event.TRANSPORT_CLOSED): (Action.LOSE_TRANSPORT, State.IDLE)
            for state in _ASSOCIATED
        },
        (State.AWAITING_REQUEST, Event.ABORT_RECEIVED): (Action.CLOSE, State.IDLE),
        (State.AWAITING_REQUEST, Event.TRANSPORT_CLOSED): (Action.GIVE_UP, State.IDLE),
        (State.AWAITING_REQUEST, Event.ARTIM_EXPIRED): (Action.CLOSE, State.IDLE),
        # Sta13 drops unread what still comes (AA-6), so only two things happen.
        (State.CLOSING, Event.TRANSPORT_CLOSED): (
            Action.CLOSED_AS_AGREED,
            State.IDLE,
        ),
        (State.CLOSING, Event.ARTIM_EXPIRED): (Action.CLOSE, State.IDLE),
    }
)
"""(state, event) -> (action, next state); what is not here cannot happen."""


class Interruption(Exception):  # noqa: N818 - an event, not a failure of ours
    """Something ended the reading of a PDU; `event` says what it is to the machine."""

    def __init__(self, event: Event, reason: str) -> None:
        super().__init__(reason)
        self.event = event
