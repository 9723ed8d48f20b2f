"""Studies a page at a time, in the order of their last change; never all of them.

Where one stands in the list is the time and the number of a row, not a count of rows
before it: a page costs the same wherever it lies. A filter that has no index of its own
is tried on so many rows of one that has; where these run out the page says how far back
it looked, and the next one goes on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Select, and_, func, or_, select, text, union, union_all
from sqlalchemy.sql.elements import ColumnElement

from gateway.ledger import schema
from gateway.ledger.records import StudyRecord
from gateway.ledger.rows import Rows
from gateway.lifecycle import State

MOST_LOOKED_AT = 5000
"""Rows of one index that a page looks at."""
MOST_COUNTED = 1000
"""Whoever counts studies stops here: more are "1000 or more"."""

_STUDIES = schema.studies
_NOBODY_STARTS_SO = ":"
"""The character after "9": of a UID's characters (PS3.5 9.1) none comes later."""


class Said(StrEnum):
    """What the model said about a study in its present revision."""

    FINDINGS = "findings"
    """At least one sentence."""
    NOTHING = "nothing"
    """A report without any sentence."""
    FLAGGED = "flagged"
    """A report with something that its reader should know."""
    UNREAD = "unread"
    """There is no report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in the list: the row that was last changed then."""

    changed_at: datetime
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFilter:
    """Which studies: all conditions hold; None and empty ask nothing.

    `search` is the beginning of a Study Instance UID, or a whole Accession Number.
    `since` is included, `until` is not; both are of the last change.
    """

    states: tuple[State, ...] = ()
    calling_title: str | None = None
    said: Said | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPage:
    """Studies, the newest change first, and where the list goes on.

    `newer`, `older`: places to go on from; None: there is nothing there. `looked_to`:
    what is older was not looked at. `is_cut`: more begin so than are looked at.
    """

    studies: tuple[StudyRecord, ...]
    newer: Mark | None = None
    older: Mark | None = None
    looked_to: Mark | None = None
    is_cut: bool = False


class StudyListing(Rows):
    """What the list of studies asks."""

    def study_page(
        self,
        wanted: StudyFilter,
        *,
        after: Mark | None = None,
        before: Mark | None = None,
        limit: int = 50,
    ) -> StudyPage:
        """Return the studies after a place in the list, or those just before it."""
        if before is not None:
            return self._newer_page(wanted, before, limit)
        looked_to = self._looked_to(wanted, after)
        found = self._listed(wanted, limit + 1, after=after, looked_to=looked_to)
        more = len(found) > limit
        studies = found[:limit]
        older = _mark(studies[-1]) if more else looked_to
        return StudyPage(
            studies=tuple(studies),
            newer=_mark(studies[0]) if after and studies else after,
            older=older,
            looked_to=None if more else looked_to,
            is_cut=self._is_cut(wanted),
        )

    def count_studies(self, states: Sequence[State] = ()) -> int:
        """Count the studies in any of `states` (none: in all), up to MOST_COUNTED."""
        runs = [
            select(_STUDIES.c.id).where(*run).limit(MOST_COUNTED)
            for run in _runs(StudyFilter(states=tuple(states)))
        ]
        found = sum(
            int(self._connection.scalar(select(func.count()).select_from(run)) or 0)
            for run in (each.subquery() for each in runs)
        )
        return min(found, MOST_COUNTED)

    def _newer_page(self, wanted: StudyFilter, before: Mark, limit: int) -> StudyPage:
        found = self._listed(wanted, limit + 1, before=before)
        more = len(found) > limit
        studies = found[:limit][::-1]
        if not more:  # the list begins here: fill its first page
            return self.study_page(wanted, limit=limit)
        return StudyPage(
            studies=tuple(studies),
            newer=_mark(studies[0]),
            older=_mark(studies[-1]),
            is_cut=self._is_cut(wanted),
        )

    def _listed(
        self,
        wanted: StudyFilter,
        limit: int,
        *,
        after: Mark | None = None,
        before: Mark | None = None,
        looked_to: Mark | None = None,
    ) -> list[StudyRecord]:
        upwards = before is not None
        bounds = [*_beyond(after, before), *_down_to(looked_to)]
        runs = [
            _in_order(
                select(_STUDIES).where(*run, *bounds, *_besides(wanted)),
                limit,
                upwards=upwards,
            )
            for run in _runs(wanted)
        ]
        if len(runs) == 1:
            return self._all(StudyRecord, runs[0])
        merged = union_all(*(select(run.subquery()) for run in runs)).subquery()
        order = (merged.c.changed_at, merged.c.id)
        found = select(merged).order_by(*(o if upwards else o.desc() for o in order))
        return self._all(StudyRecord, found.limit(limit))

    def _looked_to(self, wanted: StudyFilter, after: Mark | None) -> Mark | None:
        """Return where a filter without an index stops looking; None: at the end."""
        if wanted.search or not _besides(wanted):
            return None
        marks = [
            self._nth(run, after, MOST_LOOKED_AT // len(_runs(wanted)))
            for run in _runs(wanted)
        ]
        return max(
            (mark for mark in marks if mark),
            key=lambda mark: (mark.changed_at, mark.id),
            default=None,
        )

    def _nth(
        self, run: Sequence[ColumnElement[bool]], after: Mark | None, number: int
    ) -> Mark | None:
        keys = select(_STUDIES.c.changed_at, _STUDIES.c.id)
        found = _in_order(keys.where(*run, *_beyond(after, None)), 1, upwards=False)
        return self._first(Mark, found.offset(number - 1))

    def _is_cut(self, wanted: StudyFilter) -> bool:
        if not wanted.search:
            return False
        found = select(func.count()).select_from(_beginning(wanted.search).subquery())
        return int(self._connection.scalar(found) or 0) >= MOST_LOOKED_AT


def _mark(study: StudyRecord) -> Mark:
    return Mark(changed_at=study.changed_at, id=study.id)


def _runs(wanted: StudyFilter) -> list[list[ColumnElement[bool]]]:
    """Return the conditions that an index answers: one list each stretch of it."""
    columns, when = _STUDIES.c, _times(wanted)
    if wanted.search:
        named = select(_STUDIES.c.id).where(columns.accession_number == wanted.search)
        begun = select(_beginning(wanted.search).subquery())
        cut = select(named.limit(MOST_LOOKED_AT).subquery())
        return [[columns.id.in_(union(begun, cut)), *when]]
    if wanted.calling_title is not None:
        return [[columns.calling_title == wanted.calling_title, *when]]
    if wanted.states:
        return [[columns.state == state, *when] for state in wanted.states]
    if wanted.said is Said.FLAGGED:
        return [[_FLAGGED, *when]]
    return [when]


_FLAGGED: ColumnElement[bool] = text("studies.flags > 0")  # type: ignore[assignment]
"""As the partial index says it: a bound value would not be seen to be the same."""


def _besides(wanted: StudyFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that are tried on each row of `_runs`."""
    columns, searched = _STUDIES.c, bool(wanted.search)
    by_peer = wanted.calling_title is not None
    conditions: list[ColumnElement[bool]] = []
    if searched and by_peer:
        conditions.append(columns.calling_title == wanted.calling_title)
    if wanted.states and (searched or by_peer):
        conditions.append(columns.state.in_(wanted.states))
    match wanted.said:
        case Said.FLAGGED if searched or by_peer or wanted.states:
            conditions.append(columns.flags > 0)
        case Said.FINDINGS:
            conditions.append(columns.findings > 0)
        case Said.NOTHING:
            conditions.append(columns.findings == 0)
        case Said.UNREAD:
            conditions.append(columns.findings.is_(None))
        case _:
            pass
    return conditions


def _beginning(search: str) -> Select[tuple[int]]:
    """Select studies whose UID begins so."""
    column = _STUDIES.c.study_instance_uid
    begun = and_(column >= search, column < search + _NOBODY_STARTS_SO)
    return select(_STUDIES.c.id).where(begun).limit(MOST_LOOKED_AT)


def _times(wanted: StudyFilter) -> list[ColumnElement[bool]]:
    changed_at = _STUDIES.c.changed_at
    since = [] if wanted.since is None else [changed_at >= wanted.since]
    return since + ([] if wanted.until is None else [changed_at < wanted.until])


def _beyond(after: Mark | None, before: Mark | None) -> list[ColumnElement[bool]]:
    """Return the conditions of rows that come after one, or before one."""
    at, number = _STUDIES.c.changed_at, _STUDIES.c.id
    if after is not None:
        past = or_(at < after.changed_at, number < after.id)
        return [at <= after.changed_at, past]
    if before is not None:
        past = or_(at > before.changed_at, number > before.id)
        return [at >= before.changed_at, past]
    return []


def _down_to(last: Mark | None) -> list[ColumnElement[bool]]:
    """Return the conditions of rows down to one, itself included."""
    if last is None:
        return []
    at, number = _STUDIES.c.changed_at, _STUDIES.c.id
    return [at >= last.changed_at, or_(at > last.changed_at, number >= last.id)]


def _in_order(
    found: Select[*tuple[object, ...]], limit: int, *, upwards: bool
) -> Select[*tuple[object, ...]]:
    order = (_STUDIES.c.changed_at, _STUDIES.c.id)
    return found.order_by(*(o if upwards else o.desc() for o in order)).limit(limit)
