"""Saved filters and sign-offs of the audit."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Column, Select, delete, insert, or_, select, update

from gateway.ledger.review_tables import reviews, saved_filters
from gateway.ledger.rows import Rows


class Finding(StrEnum):
    """What a review came to."""

    NOTHING = "nothing-found"
    FOLLOWED_UP = "followed-up"
    """Something was found, and the note says what was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFilter:
    """A question that somebody keeps; `shared`: everybody who may read sees it."""

    owner: str
    name: str
    question: str
    shared: bool
    saved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """That somebody reviewed what `question` finds of a time.

    The log ended with `last_sequence` then, and held `records` of it.
    """

    question: str
    since: datetime
    until: datetime
    last_sequence: int
    records: int
    outcome: Finding
    note: str
    reviewer: str
    reviewed_at: datetime


class ReviewReading(Rows):
    """What is kept of reviewers."""

    def saved_filters(self, person: str) -> list[SavedFilter]:
        """Return the filters of a person and those that others share, by name."""
        table = saved_filters.c
        seen = or_(table.owner == person, table.shared.is_(True))
        found = select(*(table[name] for name in _SAVED)).where(seen)
        return self._all(SavedFilter, found.order_by(table.name, table.owner))

    def reviews(self, limit: int = 100) -> list[Review]:
        """Return the latest sign-offs, the newest first."""
        return self._reviews(select(*_review_columns()).limit(limit))

    def reviews_of(self, questions: Collection[str]) -> list[Review]:
        """Return every sign-off of these questions, the newest first."""
        asked = reviews.c.question.in_(questions)
        return self._reviews(select(*_review_columns()).where(asked))

    def _reviews(self, found: Select[*tuple[object, ...]]) -> list[Review]:
        newest = found.order_by(reviews.c.reviewed_at.desc(), reviews.c.id.desc())
        return [
            Review(**{**row, "outcome": Finding(row["outcome"])})
            for row in self._connection.execute(newest).mappings()
        ]


class ReviewWriting(Rows):
    """What changes of it."""

    def save_filter(self, saved: SavedFilter) -> None:
        """Keep a filter, instead of one of the same owner and name."""
        table = saved_filters
        values = asdict(saved)
        mine = (table.c.owner == saved.owner) & (table.c.name == saved.name)
        changed = self._connection.execute(update(table).where(mine).values(values))
        if not changed.rowcount:
            self._connection.execute(insert(table).values(values))

    def drop_filter(self, owner: str, name: str) -> bool:
        """Forget a filter; return whether there was one."""
        table = saved_filters
        mine = (table.c.owner == owner) & (table.c.name == name)
        return bool(self._connection.execute(delete(table).where(mine)).rowcount)

    def add_review(self, review: Review) -> None:
        """Keep a sign-off."""
        values = {**asdict(review), "outcome": review.outcome.value}
        self._connection.execute(insert(reviews).values(values))


def _review_columns() -> list[Column[object]]:
    return [reviews.c[name] for name in Review.__dataclass_fields__]


_SAVED = tuple(SavedFilter.__dataclass_fields__)
