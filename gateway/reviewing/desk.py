"""What reviewers ask, each question recorded in the log that it was put to.

What is on a page is found in a snapshot, however long that takes, and is read in the
short transaction that records who read it: nobody waits for a reviewer, and nothing is
shown without its record.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from config.settings import Settings
from config.values import Weekday
from gateway.audit import kinds
from gateway.audit.parts import Person
from gateway.ledger import (
    Access,
    AuditFilter,
    AuditPage,
    AuditPlace,
    AuditRecord,
    Ledger,
    Reading,
    Repeat,
)
from gateway.ledger.audit_reading import reads_through
from gateway.reviewing.asking import Question, View, is_pseudonym
from gateway.reviewing.bulk import Bulk, bulk_access, busy_steps, is_opening
from gateway.reviewing.hours import WorkingHours

COUNTED = 10_000
"""So many records are counted; of more it is said that there are more."""
LISTED = 200
"""Rows of a view that counts."""
_AT_ONCE = 5_000
_LOOKED_AT = 100_000
"""Records of people that one page looks through for what was out of hours."""
STRETCH = 200_000
"""Records that one page looks through for what no index finds; half a second's work."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What reviewers work with: the ledger, and the rules of the site.

    bulk_subjects : more patients (or studies of nobody known) than that, opened by
    one person within `bulk_window`, are bulk access. stretch : records that one page
    looks through; None: all there are, however long that takes.
    """

    ledger: Ledger
    hours: WorkingHours
    bulk_subjects: int
    bulk_window: timedelta
    stretch: int | None = STRETCH


def desk_of(settings: Settings, ledger: Ledger) -> Desk:
    """Return what reviewers of a site work with."""
    review = settings.review
    hours = WorkingHours(
        days=frozenset(get_args(Weekday).index(day) for day in review.days),
        opens=time.fromisoformat(review.opens),
        closes=time.fromisoformat(review.closes),
        zone=ZoneInfo(review.zone),
    )
    return Desk(
        ledger=ledger,
        hours=hours,
        bulk_subjects=review.bulk_patients,
        bulk_window=timedelta(minutes=review.bulk_minutes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of the log.

    after : where the next page begins; None: this is the last. count : of all
    pages, COUNTED + 1 for more; None: not counted. looked_to : the time to which the
    page looked, where it did not look through all that the question is about.
    """

    records: list[AuditRecord]
    after: AuditPlace | None
    count: int | None
    looked_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often one person did one kind of thing."""

    user: str
    kind: str
    times: int


def search(
    desk: Desk, question: Question, page: AuditPage, by: Person, now: datetime
) -> Found:
    """Return the records of a page, and record that `by` asked for them."""
    with desk.ledger.reading() as rows:
        part = _part(desk, rows, question, page)
        places, after = _places(desk, rows, part.question, page)
        count = _count(desk, rows, question, page, len(places))
    looked_to = None
    if after is None and part.ends_at is not None:
        looked_to = part.ends_at
        after = AuditPlace(recorded_at=looked_to, sequence=0)
    elif question.view is View.OUT_OF_HOURS and after and len(places) < page.limit:
        looked_to = after.recorded_at
    with desk.ledger.writing() as rows:
        records = rows.audit_records([place.sequence for place in places])
        rows.append_audit(kinds.audit_searched(by, str(question), now))
    return Found(records=records, after=after, count=count, looked_to=looked_to)


def open_record(
    desk: Desk, sequence: int, by: Person, now: datetime
) -> AuditRecord | None:
    """Return one record, None where there is none, and record that `by` opened it."""
    with desk.ledger.writing() as rows:
        found = rows.audit_records([sequence])
        if found:
            rows.append_audit(kinds.audit_viewed(by, sequence, now))
    return found[0] if found else None


def reveal_record(
    desk: Desk, sequence: int, by: Person, now: datetime
) -> AuditRecord | None:
    """Return a record with its patient as it was; that `by` asked for that is recorded.

    None: there is no such record. Raises WrongKey where the patient key is lost.
    """
    with desk.ledger.writing() as rows:
        found = rows.audit_records([sequence])
        if not found:
            return None
        shown = replace(found[0], message=rows.revealed(found[0].message))
        told = f"record {sequence}, its patient revealed"
        rows.append_audit(kinds.audit_used(by, told, now))
    return shown


def pseudonyms_of(desk: Desk, text: str) -> list[str]:
    """Return by what the log knows a patient, given as that or as a Patient ID.

    Only those of whom it has a record; raises WrongKey where the patient key is lost.
    """
    typed = text.strip()
    with desk.ledger.reading() as rows:
        found = [typed] if is_pseudonym(typed) else rows.pseudonyms(typed)
        return [
            each
            for each in dict.fromkeys(found)
            if rows.find_audit(AuditFilter(patient=each), AuditPage(limit=1))
        ]


def who_did_what(desk: Desk, wanted: AuditFilter) -> list[Tally]:
    """Return what each person did of what a filter finds, most often first.

    For the head of a history, whose records are asked for, and recorded, with it.
    """
    with desk.ledger.reading() as rows:
        counts = Counter(
            (each.user, each.event_type or each.event)
            for each in _all_accesses(rows, wanted)
        )
    most = counts.most_common(LISTED)
    return [Tally(user=user, kind=kind, times=n) for (user, kind), n in most]


def find_bulk(desk: Desk, wanted: AuditFilter, by: Person, now: datetime) -> list[Bulk]:
    """Return who opened many patients within a short time; it is recorded."""
    with desk.ledger.reading() as rows:
        opened = [
            each
            for part in _busy(desk, rows, wanted)
            for each in _all_accesses(rows, part)
            if is_opening(each)
        ]
        found = _bulk(desk, rows, opened)
    _record(desk, by, Question(wanted=wanted), "bulk access", now)
    return found[:LISTED]


def find_repeats(
    desk: Desk, wanted: AuditFilter, by: Person, now: datetime
) -> list[Repeat]:
    """Return results that a destination took more than once; it is recorded."""
    with desk.ledger.reading() as rows:
        found = rows.repeats(wanted.since or _EVER, wanted.until or now, LISTED)
    _record(desk, by, Question(wanted=wanted), "results sent twice", now)
    return found


def _record(
    desk: Desk, by: Person, question: Question, what: str, now: datetime
) -> None:
    with desk.ledger.writing() as rows:
        rows.append_audit(kinds.audit_searched(by, f"{what}: {question}", now))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one page looks through; ends_at: None: all that is left."""

    question: Question
    ends_at: datetime | None = None


def _part(desk: Desk, rows: Reading, question: Question, page: AuditPage) -> _Part:
    """Return the part of a question that a page answers in a bounded time."""
    wanted = question.wanted
    at = _end_of_stretch(desk, rows, wanted, page)
    if at is None:
        return _Part(question=question)
    if page.newest_first:
        wanted = replace(wanted, since=at)
    else:
        wanted = replace(wanted, until=at)
    return _Part(question=replace(question, wanted=wanted), ends_at=at)


def _end_of_stretch(
    desk: Desk, rows: Reading, wanted: AuditFilter, page: AuditPage
) -> datetime | None:
    """Return to which time a page looks; None: as far as the question goes.

    The numbers of the records grow with their times, as long as nobody sets the clock:
    so they tell where about `desk.stretch` records are looked through. What is looked
    through is a time, so nothing is left out where they do not.
    """
    if desk.stretch is None or not reads_through(wanted):
        return None
    of_time = AuditFilter(since=wanted.since, until=wanted.until)
    first = rows.find_audit(of_time, replace(page, limit=1))
    if not first:
        return None
    step = -desk.stretch if page.newest_first else desk.stretch
    at = rows.time_of(first[0].sequence + step)
    limits = [first[0].recorded_at]
    limits.append(
        wanted.since or _EVER if page.newest_first else wanted.until or _NEVER
    )
    is_within = at is not None and min(limits) < at < max(limits)
    return at if is_within else None


def _places(
    desk: Desk, rows: Reading, question: Question, page: AuditPage
) -> tuple[list[AuditPlace], AuditPlace | None]:
    """Return where a page's records are, and where the next page begins."""
    if question.view is View.OUT_OF_HOURS:
        return _out_of_hours(desk, rows, question, page)
    one_more = replace(page, limit=page.limit + 1)
    places = rows.find_audit(question.wanted, one_more)
    shown = places[: page.limit]
    return shown, shown[-1] if len(places) > page.limit else None


def _out_of_hours(
    desk: Desk, rows: Reading, question: Question, page: AuditPage
) -> tuple[list[AuditPlace], AuditPlace | None]:
    found: list[AuditPlace] = []
    place: AuditPlace | None = None
    for looked_at, access in enumerate(_accesses(rows, question.wanted, page)):
        if len(found) == page.limit or looked_at == _LOOKED_AT:
            return found, place
        place = AuditPlace(recorded_at=access.recorded_at, sequence=access.sequence)
        if not desk.hours.hold(access.recorded_at):
            found.append(place)
    return found, None


def _accesses(rows: Reading, wanted: AuditFilter, page: AuditPage) -> Iterator[Access]:
    """Yield what people did from the place of a page on."""
    page = replace(page, limit=_AT_ONCE)
    while True:
        some = rows.accesses(wanted, page)
        yield from some
        if len(some) < _AT_ONCE:
            return
        last = some[-1]
        place = AuditPlace(recorded_at=last.recorded_at, sequence=last.sequence)
        page = replace(page, after=place)


def _all_accesses(rows: Reading, wanted: AuditFilter) -> Iterator[Access]:
    return _accesses(rows, wanted, AuditPage(newest_first=False))


def _busy(desk: Desk, rows: Reading, wanted: AuditFilter) -> Iterator[AuditFilter]:
    """Yield whom, and when, a question about bulk access has to look at.

    A window lies within two steps of its length, so who had to do with few studies in
    each two steps in a row had no more in any window.
    """
    length = desk.bulk_window
    seconds = max(1, math.ceil(length.total_seconds()))
    steps = rows.studies_per_step(wanted, seconds)
    for user, (first, last) in busy_steps(steps, desk.bulk_subjects).items():
        since = max(wanted.since or _EVER, _EPOCH + first * timedelta(seconds=seconds))
        end = _EPOCH + (last + 1) * timedelta(seconds=seconds)
        until = min(wanted.until or _NEVER, end)
        if wanted.user in {None, user}:
            yield replace(wanted, user=user, since=since, until=until)


def _bulk(desk: Desk, rows: Reading, opened: list[Access]) -> list[Bulk]:
    """Count studies first: nobody has more patients than studies."""
    limits = desk.bulk_window, desk.bulk_subjects
    by_study = bulk_access(((each, _study(each)) for each in opened), *limits)
    suspects = {bulk.user for bulk in by_study}
    theirs = [each for each in opened if each.user in suspects]
    patients = rows.patients_of({_study(each) for each in theirs})
    subjects = ((each, patients.get(_study(each), _study(each))) for each in theirs)
    return bulk_access(subjects, *limits)


def _study(access: Access) -> str:
    return access.study_instance_uid or ""


def _count(
    desk: Desk, rows: Reading, question: Question, page: AuditPage, shown: int
) -> int | None:
    if question.view is View.OUT_OF_HOURS:
        return None
    part = _part(desk, rows, question, replace(page, after=None))
    if page.after is None and shown < page.limit:
        return shown if part.ends_at is None else None
    count = rows.count_audit(part.question.wanted, COUNTED + 1)
    return count if part.ends_at is None or count > COUNTED else None
