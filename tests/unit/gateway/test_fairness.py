"""Turns by priority and project, on queues that are played through."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fairness import Group, Priority, Shares, Weights, more_urgent

URGENT = Group(priority=Priority.URGENT)
ROUTINE = Group(priority=Priority.ROUTINE)
BACK_FILL = Group(priority=Priority.BACK_FILL)
WEIGHTS = Weights(
    priorities={
        Priority.URGENT: 16.0,
        Priority.ROUTINE: 4.0,
        Priority.BACK_FILL: 1.0,
    },
    projects={"lung": 3.0},
)


def served(shares: Shares, waiting: Iterable[Group], turns: int) -> list[Group]:
    """Return who is served while all of these always have work."""
    queue = tuple(waiting)
    order = []
    for _ in range(turns):
        first = shares.in_turn(queue)[0]
        shares.took(first, queue)
        order.append(first)
    return order


def test_turns_follow_the_shares_while_all_wait() -> None:
    order = served(Shares(WEIGHTS), (BACK_FILL, ROUTINE, URGENT), 2100)
    assert Counter(order) == {URGENT: 1600, ROUTINE: 400, BACK_FILL: 100}


def test_a_back_fill_never_waits_longer_than_its_share_says() -> None:
    order = served(Shares(WEIGHTS), (BACK_FILL, ROUTINE, URGENT), 2100)
    at = [number for number, group in enumerate(order) if group == BACK_FILL]
    # 21 turns are a round; one of another may come before it at each end.
    assert max(b - a for a, b in pairwise(at)) <= 23


def test_who_comes_after_long_is_next_and_saved_no_turns_up() -> None:
    shares = Shares(WEIGHTS)
    served(shares, (BACK_FILL, ROUTINE), 1000)
    order = served(shares, (BACK_FILL, ROUTINE, URGENT), 21)
    assert order[0] == URGENT
    assert 15 <= order.count(URGENT) <= 17


def test_who_was_alone_has_used_nothing_up() -> None:
    shares = Shares(WEIGHTS)
    served(shares, (URGENT,), 1000)
    assert served(shares, (URGENT, BACK_FILL), 2)[0] == URGENT


def test_the_order_is_that_of_the_priorities_at_first() -> None:
    waiting = (BACK_FILL, URGENT, ROUTINE)
    assert Shares(WEIGHTS).in_turn(waiting) == [URGENT, ROUTINE, BACK_FILL]


def test_projects_of_a_priority_take_turns_by_their_weights() -> None:
    lung = Group(priority=Priority.BACK_FILL, project="lung")
    other = Group(priority=Priority.BACK_FILL, project="other")
    order = served(Shares(WEIGHTS), (lung, other), 400)
    assert Counter(order) == {lung: 300, other: 100}


def test_a_project_takes_no_turn_from_a_higher_priority() -> None:
    lung = Group(priority=Priority.BACK_FILL, project="lung")
    order = served(Shares(WEIGHTS), (lung, BACK_FILL, ROUTINE), 500)
    counted = Counter(group.priority for group in order)
    assert counted == {Priority.ROUTINE: 400, Priority.BACK_FILL: 100}


def test_who_has_no_work_any_more_is_passed_over() -> None:
    shares = Shares(WEIGHTS)
    served(shares, (BACK_FILL, URGENT), 3)
    assert shares.in_turn((BACK_FILL,)) == [BACK_FILL]
    assert shares.in_turn(()) == []


@given(
    st.lists(
        st.sets(st.sampled_from([URGENT, ROUTINE, BACK_FILL]), min_size=1), max_size=300
    )
)
def test_no_group_is_left_waiting_for_ever(queues: list[set[Group]]) -> None:
    shares, waited = Shares(WEIGHTS), Counter[Group]()
    for queue in queues:
        first = shares.in_turn(queue)[0]
        shares.took(first, queue)
        for group in (URGENT, ROUTINE, BACK_FILL):
            unserved = group in queue and group != first
            waited[group] = waited[group] + 1 if unserved else 0
        assert max(waited.values()) <= 23


@pytest.mark.parametrize("other", Priority)
def test_urgent_stays_urgent(other: Priority) -> None:
    assert more_urgent(other, Priority.URGENT) is Priority.URGENT
    assert more_urgent(Priority.BACK_FILL, other) is other
