"""Rows of the list of studies as a person sees them: state, age, progress, results.

Speaks of studies by their UIDs, Accession Numbers and states.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.ledger import DeliveryState, Mark, Reading, StudyFilter, StudyRecord
from gateway.lifecycle import WAITING_FOR_A_PERSON, WORKING, State

PAGE = 50


class Group(StrEnum):
    """States that a person looks at together."""

    ALL = "all"
    PERSON = "person"
    """It waits for somebody to decide."""
    WORKING = "working"
    """A worker goes on with it by itself."""
    DONE = "done"
    """Its results are where they belong, or were withdrawn."""
    NO_RESULT = "no-result"
    """It ended without a result that leaves."""
    PURGED = "purged"


STATES_OF: dict[Group, tuple[State, ...]] = {
    Group.ALL: (),
    Group.PERSON: WAITING_FOR_A_PERSON,
    Group.WORKING: WORKING,
    Group.DONE: (State.COMMITTED, State.KEPT, State.WITHDRAWN),
    Group.NO_RESULT: (State.DECLINED, State.REJECTED),
    Group.PURGED: (State.PURGED,),
}

TITLES: dict[Group, str] = {
    Group.ALL: "All",
    Group.PERSON: "Needs a person",
    Group.WORKING: "In progress",
    Group.DONE: "Done",
    Group.NO_RESULT: "No result",
    Group.PURGED: "Purged",
}

NEXT_STEP: dict[State, str] = {
    State.RECEIVING: "receiving images",
    State.COMPLETE: "choosing views",
    State.SELECTED: "finding the prior",
    State.GATHERED: "reading",
    State.REPORTED: "making results",
    State.ENCODED: "sending",
    State.STORED: "waiting for proof",
}
"""What is done with a study that stands so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which page: what follows one study, or goes before one; None: the first."""

    after: Mark | None = None
    before: Mark | None = None
    limit: int = PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a study at work is: `done` of `steps`, and what is next.

    `waits_until`: nobody takes it earlier. `at_work`: a worker has it just now.
    """

    done: int
    steps: int
    step: str
    at_work: bool
    waits_until: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """How many of a study's results a destination has, and the worst that is said."""

    name: str
    word: DeliveryState
    have: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStudy:
    """A row of the list; None: nothing is known of it yet."""

    study: StudyRecord
    group: Group
    age: timedelta
    unchanged: timedelta
    progress: Progress | None
    slots: tuple[int, int] | None
    destinations: tuple[Destination, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPage:
    """A page of the list, and how many studies stand in each group at all.

    `counts` are at most MOST_COUNTED.
    """

    studies: tuple[ShownStudy, ...]
    counts: Mapping[Group, int]
    newer: Mark | None
    older: Mark | None
    looked_to: Mark | None
    is_cut: bool


def list_page(
    rows: Reading, wanted: StudyFilter, place: Place, now: datetime
) -> ShownPage:
    """Return a page of the list with all that its rows show."""
    page = rows.study_page(
        wanted, after=place.after, before=place.before, limit=place.limit
    )
    slots = rows.slots_filled(page.studies)
    standing = rows.delivery_standing(page.studies)
    return ShownPage(
        studies=tuple(
            shown_study(s, slots.get(s.id), standing.get(s.id, {}), now)
            for s in page.studies
        ),
        counts={
            group: rows.count_studies(states) for group, states in STATES_OF.items()
        },
        newer=page.newer,
        older=page.older,
        looked_to=page.looked_to,
        is_cut=page.is_cut,
    )


def shown_study(
    study: StudyRecord,
    slots: tuple[int, int] | None,
    standing: Mapping[str, Mapping[DeliveryState, int]],
    now: datetime,
) -> ShownStudy:
    """Return a row; pure."""
    return ShownStudy(
        study=study,
        group=group_of(study.state),
        age=now - study.opened_at,
        unchanged=now - study.changed_at,
        progress=progress_of(study, now),
        slots=slots,
        destinations=tuple(
            destination_of(name, counts) for name, counts in standing.items()
        ),
    )


def group_of(state: State) -> Group:
    """Return the group that a state belongs to."""
    return next(group for group, states in STATES_OF.items() if state in states)


def progress_of(study: StudyRecord, now: datetime) -> Progress | None:
    """Return how far a study at work is; None: nobody is to go on with it."""
    if study.state not in WORKING:
        return None
    later = study.not_before is not None and study.not_before > now
    return Progress(
        done=WORKING.index(study.state) + 1,
        steps=len(WORKING),
        step=NEXT_STEP[study.state],
        at_work=study.lease_owner is not None,
        waits_until=study.not_before if later else None,
        attempts=study.attempts,
    )


def destination_of(name: str, counts: Mapping[DeliveryState, int]) -> Destination:
    """Return how a destination stands: the worst of what is said of its results."""
    there = (DeliveryState.STORED, DeliveryState.COMMITTED)
    worst_first = (DeliveryState.REFUSED, DeliveryState.PENDING, *there)
    # What is replaced by another form of itself is not to be had.
    of = sum(n for state, n in counts.items() if state is not DeliveryState.REPLACED)
    return Destination(
        name=name,
        word=next((s for s in worst_first if counts.get(s)), DeliveryState.REPLACED),
        have=sum(counts.get(state, 0) for state in there),
        of=of,
    )
