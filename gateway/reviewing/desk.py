"""What reviewers ask, each question recorded in the log that it was put to.

What is on a page is found in a snapshot, however long that takes, and is read in the
short transaction that records who read it: nobody waits for a reviewer, and nothing is
shown without its record.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
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
from gateway.reviewing.asking import Question, View, is_pseudonym
from gateway.reviewing.bulk import Bulk, bulk_access, is_opening
from gateway.reviewing.hours import WorkingHours

COUNTED = 10_000
"""So many records are counted; of more it is said that there are more."""
LISTED = 200
"""Rows of a view that counts."""
_AT_ONCE = 5_000
_LOOKED_AT = 100_000
"""Records of people that one page looks through for what was out of hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What reviewers work with: the ledger, and the rules of the site.

    bulk_subjects : more patients (or studies of nobody known) than that, opened by
    one person within `bulk_window`, are bulk access.
    """

    ledger: Ledger
    hours: WorkingHours
    bulk_subjects: int
    bulk_window: timedelta


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
    pages, COUNTED + 1 for more; None: not counted.
    """

    records: list[AuditRecord]
    after: AuditPlace | None
    count: int | None


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
        places, after = _places(desk, rows, question, page)
        count = _count(rows, question, page, len(places))
    with desk.ledger.writing() as rows:
        records = rows.audit_records([place.sequence for place in places])
        rows.append_audit(kinds.audit_searched(by, str(question), now))
    return Found(records=records, after=after, count=count)


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
        opened = [each for each in _all_accesses(rows, wanted) if is_opening(each)]
        found = _bulk(desk, rows, opened)
    _record(desk, by, Question(wanted=wanted), "bulk access", now)
    return found[:LISTED]


def find_repeats(
    desk: Desk, wanted: AuditFilter, by: Person, now: datetime
) -> list[Repeat]:
    """Return results that a destination took more than once; it is recorded."""
    since = wanted.since or datetime.min.replace(tzinfo=now.tzinfo)
    with desk.ledger.reading() as rows:
        found = rows.repeats(since, wanted.until or now, LISTED)
    _record(desk, by, Question(wanted=wanted), "results sent twice", now)
    return found


def _record(
    desk: Desk, by: Person, question: Question, what: str, now: datetime
) -> None:
    with desk.ledger.writing() as rows:
        rows.append_audit(kinds.audit_searched(by, f"{what}: {question}", now))


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
    rows: Reading, question: Question, page: AuditPage, shown: int
) -> int | None:
    if question.view is View.OUT_OF_HOURS:
        return None
    if page.after is None and shown < page.limit:
        return shown
    return rows.count_audit(question.wanted, COUNTED + 1)
