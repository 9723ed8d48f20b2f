"""What stands in the address of the list, as a filter; and back."""

from datetime import UTC, datetime

import pytest
from fastapi import HTTPException
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger import Mark, Said, StudyFilter
from gateway.lifecycle import WORKING, State
from gateway.showing.study_rows import Group
from gateway.web.study_query import (
    Asked,
    described,
    filter_of,
    group_asked,
    place_of,
    place_text,
)


def test_an_empty_form_asks_nothing() -> None:
    assert filter_of(Asked()) == StudyFilter()
    assert described(Asked()) == "all studies"


def test_a_day_is_asked_whole() -> None:
    wanted = filter_of(Asked(changed_from="2026-03-02", changed_to="2026-03-02"))
    assert wanted.since == datetime(2026, 3, 2, tzinfo=UTC)
    assert wanted.until == datetime(2026, 3, 3, tzinfo=UTC)


def test_one_state_is_narrower_than_its_group() -> None:
    assert filter_of(Asked(group="working")).states == WORKING
    assert filter_of(Asked(group="working", state="held")).states == (State.HELD,)


def test_a_filter_keeps_all_that_was_asked() -> None:
    asked = Asked(peer="CT1", said="flagged", q="1.2.3", group="person")
    wanted = filter_of(asked)
    assert (wanted.calling_title, wanted.said, wanted.search) == (
        "CT1",
        Said.FLAGGED,
        "1.2.3",
    )
    assert group_asked(asked) is Group.PERSON
    assert described(asked) == "group person, peer CT1, said flagged, q 1.2.3"


@pytest.mark.parametrize(
    "asked",
    [
        Asked(state="nonsense"),
        Asked(said="nonsense"),
        Asked(changed_from="yesterday"),
        Asked(changed_to="9999-12-31"),
        Asked(group="nonsense"),
    ],
)
def test_what_is_no_filter_is_refused(asked: Asked) -> None:
    with pytest.raises(HTTPException) as refused:
        filter_of(asked)
    assert refused.value.status_code == 422


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "20260302T103000.000000",
        "20260302T103000.000000-x",
        "20269902T103000.000000-1",
        "20260302T103000.000000-²",
        "20260302T103000.000000-" + "9" * 30,
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(HTTPException):
        place_of(Asked(after=text))


def test_a_page_is_asked_from_one_side() -> None:
    place = "20260302T103000.000000-1"
    with pytest.raises(HTTPException):
        place_of(Asked(after=place, before=place))


@settings(deadline=None)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
    st.integers(1, 2**31),
)
def test_a_place_comes_back_as_it_was(at: datetime, number: int) -> None:
    mark = Mark(changed_at=at, id=number)
    assert place_of(Asked(after=place_text(mark))).after == mark


def test_a_link_changes_what_it_says_and_begins_at_the_first_page() -> None:
    asked = Asked(q="a b&c", state="held", after="20260302T103000.000000-1")
    assert asked.link("/studies", state="") == "/studies?q=a+b%26c"
    assert Asked().link("/studies") == "/studies"
