import pytest

from dicom_io.scp.states import TRANSITIONS, Action, Event, State

ASSOCIATED = [State.AWAITING_DECISION, State.ESTABLISHED, State.RELEASING]

# PS3.8 Table 9-10, the columns of Sta2, Sta3, Sta6 and Sta8, read from the standard.
TABLE = {
    "Evt3": ("AA-1", "AA-8", "AA-8", "AA-8"),
    "Evt4": ("AA-1", "AA-8", "AA-8", "AA-8"),
    "Evt6": ("AE-6", "AA-8", "AA-8", "AA-8"),
    "Evt7": (None, "AE-7", None, None),
    "Evt8": (None, "AE-8", None, None),
    "Evt10": ("AA-1", "AA-8", "DT-2", "AA-8"),
    "Evt12": ("AA-1", "AA-8", "AR-2", "AA-8"),
    "Evt13": ("AA-1", "AA-8", "AA-8", "AA-8"),
    "Evt14": (None, None, None, "AR-4"),
    "Evt15": (None, "AA-1", "AA-1", "AA-1"),
    "Evt16": ("AA-2", "AA-3", "AA-3", "AA-3"),
    "Evt17": ("AA-5", "AA-4", "AA-4", "AA-4"),
    "Evt18": ("AA-2", None, None, None),
    "Evt19": ("AA-1", "AA-8", "AA-8", "AA-8"),
}


@pytest.mark.parametrize("event", TABLE)
def test_the_actions_are_those_of_the_standard(event: str) -> None:
    states = [State("Sta2"), State("Sta3"), State("Sta6"), State("Sta8")]
    moves = [TRANSITIONS.get((state, Event(event))) for state in states]
    assert tuple(move and move[0].value for move in moves) == TABLE[event]


def test_a_closing_association_ends_by_the_peer_or_by_time() -> None:
    rows = {
        key[1]: move for key, move in TRANSITIONS.items() if key[0] is State.CLOSING
    }
    assert rows == {
        Event.TRANSPORT_CLOSED: (Action.CLOSED_AS_AGREED, State.IDLE),
        Event.ARTIM_EXPIRED: (Action.CLOSE, State.IDLE),
    }


@pytest.mark.parametrize("state", ASSOCIATED)
@pytest.mark.parametrize(
    "event", [Event.ABORT, Event.ABORT_RECEIVED, Event.TRANSPORT_CLOSED]
)
def test_every_associated_state_can_be_aborted_and_lost(
    state: State, event: Event
) -> None:
    assert TRANSITIONS[state, event][1] in (State.CLOSING, State.IDLE)


def test_every_state_is_reached_from_idle() -> None:
    reached = {State.IDLE}
    for _ in State:
        reached |= {to for (at, _), (_, to) in TRANSITIONS.items() if at in reached}
    assert reached == set(State)
