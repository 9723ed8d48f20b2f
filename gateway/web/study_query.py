"""The filter of the list of studies as it stands in an address; pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, StringConstraints

from gateway.ledger import Mark, Said, StudyFilter
from gateway.lifecycle import State
from gateway.showing.study_rows import PAGE, STATES_OF, Group, Place

Word = Annotated[str, StringConstraints(max_length=64, strip_whitespace=True)]


class Asked(BaseModel):
    """What a form or a link asks, as text; empty: nothing is asked.

    `changed_from` and `changed_to` are days, UTC, both included. `after` and `before`
    are places that `place_text` wrote.
    """

    model_config = ConfigDict(frozen=True)

    group: Word = ""
    state: Word = ""
    peer: Word = ""
    said: Word = ""
    changed_from: Word = ""
    changed_to: Word = ""
    q: Word = ""
    after: Word = ""
    before: Word = ""

    def link(self, path: str, **changes: str) -> str:
        """Return a path with the same filter but for `changes`, at its first page."""
        fields = {**self.model_dump(), "after": "", "before": "", **changes}
        asked = urlencode({name: value for name, value in fields.items() if value})
        return f"{path}?{asked}" if asked else path


def filter_of(asked: Asked) -> StudyFilter:
    """Return the filter; raises HTTPException 422 for what is none."""
    last = _day(asked.changed_to, "changed_to")
    return StudyFilter(
        states=_states(asked),
        calling_title=asked.peer or None,
        said=_said(asked.said),
        since=_day(asked.changed_from, "changed_from"),
        until=last + timedelta(days=1) if last else None,
        search=asked.q or None,
    )


def group_asked(asked: Asked) -> Group:
    """Return the group of states that is looked at; raises HTTPException 422."""
    try:
        return Group(asked.group or Group.ALL)
    except ValueError:
        raise _not_understood("group") from None


def place_of(asked: Asked) -> Place:
    """Return which page is asked for; raises HTTPException 422."""
    if asked.after and asked.before:
        raise _not_understood("after and before")
    return Place(after=_mark(asked.after), before=_mark(asked.before), limit=PAGE)


def place_text(mark: Mark | None) -> str:
    """Return a place in the list as text for an address; empty: none."""
    if mark is None:
        return ""
    return f"{mark.changed_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{mark.id}"


def described(asked: Asked) -> str:
    """Say what is asked, for the audit."""
    return ", ".join(_described(asked)) or "all studies"


def _described(asked: Asked) -> Iterator[str]:
    for name, value in asked.model_dump().items():
        if value:
            yield f"{name} {value}"


def _states(asked: Asked) -> tuple[State, ...]:
    if not asked.state:
        return STATES_OF[group_asked(asked)]
    try:
        return (State(asked.state),)
    except ValueError:
        raise _not_understood("state") from None


def _said(text: str) -> Said | None:
    try:
        return Said(text) if text else None
    except ValueError:
        raise _not_understood("said") from None


def _day(text: str, name: str) -> datetime | None:
    if not text:
        return None
    try:
        day = datetime.combine(date.fromisoformat(text), time(), UTC)
        _ = day + timedelta(days=1)  # the day after must be one as well
    except (ValueError, OverflowError):
        raise _not_understood(name) from None
    return day


def _mark(text: str) -> Mark | None:
    if not text:
        return None
    at, _, number = text.partition("-")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise _not_understood("the page")
    try:
        moment = datetime.strptime(at, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:
        raise _not_understood("the page") from None
    return Mark(changed_at=moment, id=int(number))


def _not_understood(what: str) -> HTTPException:
    return HTTPException(422, f"not understood: {what}")
