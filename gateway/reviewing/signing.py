"""Saved filters, and who reviewed which time of the log.

A sign-off says what was looked at (a question), of which time, how far the log reached
then, and what came of it. It is never changed; a second look is a second sign-off.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.audit import kinds
from gateway.audit.parts import Person
from gateway.errors import BadQuestion
from gateway.ledger import Finding, Review, SavedFilter
from gateway.reviewing.asking import Question, of_text, to_text
from gateway.reviewing.desk import Desk

MOST_COUNTED = 1_000_000
LONGEST_NOTE, LONGEST_NAME = 1_000, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a reviewer says of what was looked at."""

    outcome: Finding
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time that nobody has signed off."""

    since: datetime
    until: datetime


def sign_off(
    desk: Desk, question: Question, verdict: Verdict, by: Person, now: datetime
) -> Review:
    """Keep that `by` reviewed what the question finds, with its audit record.

    Raises BadQuestion where the question has no time, or one that is not over, or the
    note is missing where something was followed up.
    """
    wanted = question.wanted
    if wanted.since is None or wanted.until is None:
        raise BadQuestion("a review is of a time: give since and until")
    if wanted.until > now:
        raise BadQuestion("a review is of a time that is over: until lies ahead")
    note = _note(verdict)
    with desk.ledger.reading() as rows:
        records = rows.count_audit(wanted, MOST_COUNTED)
    with desk.ledger.writing() as rows:
        first, last = rows.earliest_since(wanted.since), rows.last_sequence()
        told = f"{question}: {records} records, {verdict.outcome}. {note}"
        rows.append_audit(kinds.audit_reviewed(by, first, last, told.strip(), now))
        review = Review(
            question=scope_of(question),
            since=wanted.since,
            until=wanted.until,
            last_sequence=last,
            records=records,
            outcome=verdict.outcome,
            note=note,
            reviewer=by.name,
            reviewed_at=now,
        )
        rows.add_review(review)
    return review


def scope_of(question: Question) -> str:
    """Return what a review is of, whatever its time; "" is the whole log."""
    timeless = replace(question.wanted, since=None, until=None)
    return to_text(replace(question, wanted=timeless))


def gaps(reviews: Iterable[Review], since: datetime, until: datetime) -> list[Gap]:
    """Return the times between `since` and `until` that no review covers; pure."""
    found: list[Gap] = []
    reached = since
    for review in sorted(reviews, key=lambda each: each.since):
        if review.since > reached:
            found.append(Gap(since=reached, until=min(review.since, until)))
        reached = max(reached, review.until)
        if reached >= until:
            return found
    return [*found, Gap(since=reached, until=until)]


def not_reviewed(
    desk: Desk, scope: str, since: datetime | None, until: datetime
) -> list[Gap]:
    """Return the times that nobody has signed off for this scope.

    since : None: from the first record on. A review of the whole log covers every
    scope.
    """
    with desk.ledger.reading() as rows:
        first = since or rows.first_recorded_at()
        reviews = rows.reviews_of({scope, ""})
    return [] if first is None or first >= until else gaps(reviews, first, until)


def save_filter(desk: Desk, given: SavedFilter, by: Person) -> SavedFilter:
    """Keep a question under a name, with its audit record.

    Raises BadQuestion for what is none.
    """
    name = given.name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadQuestion(f"a filter has a name of at most {LONGEST_NAME} characters")
    saved = replace(given, name=name, question=to_text(of_text(given.question)))
    with desk.ledger.writing() as rows:
        rows.save_filter(saved)
        rows.append_audit(
            kinds.filter_saved(
                by, name, saved.question, given.saved_at, shared=given.shared
            )
        )
    return saved


def drop_filter(desk: Desk, name: str, by: Person, now: datetime) -> bool:
    """Forget a filter of one's own; whether there was one, which is recorded then."""
    with desk.ledger.writing() as rows:
        was_there = rows.drop_filter(by.name, name)
        if was_there:
            rows.append_audit(kinds.filter_deleted(by, name, now))
    return was_there


def _note(verdict: Verdict) -> str:
    note = " ".join(verdict.note.split())
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise BadQuestion(f"a note has at most {LONGEST_NOTE} characters")
    if verdict.outcome is Finding.FOLLOWED_UP and not note:
        raise BadQuestion("say in the note what was followed up")
    return note
