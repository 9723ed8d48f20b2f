"""The transition table: every legal move, and nothing else."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import IllegalMove
from gateway.lifecycle import (
    FINAL,
    TRANSITIONS,
    WAITING_FOR_A_PERSON,
    WORKING,
    Event,
    State,
    next_state,
)
from gateway.lifecycle_diagram import mermaid_diagram

PAGE = Path(__file__).parents[3] / "docs" / "lifecycle.md"


def test_the_way_of_a_study_that_is_read_and_sent() -> None:
    way = [
        Event.QUIET_PERIOD_ENDED,
        Event.VIEWS_CHOSEN,
        Event.PRIOR_SETTLED,
        Event.REPORT_WRITTEN,
        Event.RESULTS_ENCODED,
        Event.RESULTS_STORED,
        Event.RESULTS_COMMITTED,
    ]
    state = State.RECEIVING
    for event in way:
        state = next_state(state, event)
    assert state is State.COMMITTED


@pytest.mark.parametrize("state", State)
def test_a_new_image_opens_a_study_in_any_state(state: State) -> None:
    assert next_state(state, Event.IMAGE_ARRIVED) is State.RECEIVING


@pytest.mark.parametrize("state", WORKING)
def test_work_that_keeps_failing_is_parked(state: State) -> None:
    assert next_state(state, Event.GAVE_UP) is State.PARKED


@given(st.sampled_from(list(product(State, Event))))
def test_a_move_that_is_not_in_the_table_raises(pair: tuple[State, Event]) -> None:
    state, event = pair
    if pair in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[pair]
    else:
        with pytest.raises(IllegalMove, match=f"{state} has no move {event}"):
            next_state(state, event)


def test_every_state_works_waits_or_is_final() -> None:
    kinds = [*WORKING, *FINAL, *WAITING_FOR_A_PERSON]
    assert sorted(kinds) == sorted(State)


def test_every_state_can_be_reached() -> None:
    assert set(TRANSITIONS.values()) == set(State)


def test_every_event_moves_something() -> None:
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_nothing_leaves_the_held_state_but_a_decision_or_a_new_image() -> None:
    events = {event for state, event in TRANSITIONS if state is State.HELD}
    assert events == {Event.RELEASED, Event.REJECTED, Event.IMAGE_ARRIVED}


def test_the_diagram_draws_every_row_of_the_table() -> None:
    drawn: set[tuple[str, str, str]] = set()
    groups = {"any": list(State), "working": list(WORKING)}
    for line in mermaid_diagram().splitlines():
        if "-->" not in line or "[*]" in line:
            continue
        source, rest = line.strip().split(" --> ")
        target, event = rest.split(": ")
        drawn |= {(name, event, target) for name in groups.get(source, [source])}
    assert drawn == {(s, e, target) for (s, e), target in TRANSITIONS.items()}


def test_the_page_shows_the_diagram_of_the_table() -> None:
    shown = PAGE.read_text("utf-8").split("```mermaid\n")[1].split("```")[0]
    assert shown == mermaid_diagram(), f"put mermaid_diagram() into {PAGE.name}"
