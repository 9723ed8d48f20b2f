"""Questions to the audit log, quick however long it has grown.

A page begins after the last record of the page before (no OFFSET), in the order of
time. Which records are on it is found in an index alone; only those are read. Decision
58 has the figures behind the choice of an index.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Select,
    and_,
    case,
    cast,
    extract,
    func,
    or_,
    select,
)
from sqlalchemy.sql.elements import ColumnElement

from gateway.audit.message import Outcome
from gateway.ledger import schema
from gateway.ledger.records import (
    Access,
    AuditColumn,
    AuditFilter,
    AuditPage,
    AuditPlace,
    AuditRecord,
    Repeat,
)
from gateway.ledger.rows import Rows, selected

_AUDIT = schema.audit
_EVENT_ID = re.compile(r"1101[01]\d")
"""CID 400 (PS3.16) has the events 110100 to 110114; types of events begin at 110120."""


_AT_ONCE = 500
"""Values of one statement."""


class Lead(StrEnum):
    """By which index a question is answered."""

    STUDY = "study_instance_uid"
    PATIENT = "patient"
    PEOPLE = "person_role"
    FAILURES = "failed"
    USER = "user"
    EVENT_TYPE = "event_type"
    EVENT = "event"
    SCAN = "scan"
    """The index that has every column but the message, from one end of the time."""


class AuditReading(Rows):
    """What reviewers and their programs ask of the log."""

    def find_audit(self, wanted: AuditFilter, page: AuditPage) -> list[AuditPlace]:
        """Return where the records of a page are."""
        columns = _AUDIT.c.recorded_at, _AUDIT.c.sequence
        found = select(*columns).where(*conditions(wanted), *_beyond(page))
        return self._all(AuditPlace, _ordered(found, page).limit(page.limit))

    def audit_records(self, sequences: Collection[int]) -> list[AuditRecord]:
        """Return the records with these numbers, in the order that is given."""
        found = selected(AuditRecord, _AUDIT).where(_AUDIT.c.sequence.in_(sequences))
        by_number = {each.sequence: each for each in self._all(AuditRecord, found)}
        return [by_number[number] for number in sequences if number in by_number]

    def count_audit(self, wanted: AuditFilter, at_most: int) -> int:
        """Count what a filter finds; nothing beyond `at_most` is looked at."""
        some = select(_AUDIT.c.sequence).where(*conditions(wanted)).limit(at_most)
        counted = select(func.count()).select_from(some.subquery())
        return int(self._connection.scalar(counted) or 0)

    def accesses(self, wanted: AuditFilter, page: AuditPage) -> list[Access]:
        """Return what people did, from the index of people alone where it suffices."""
        of_people = replace(wanted, by_person=True)
        found = selected(Access, _AUDIT).where(*conditions(of_people), *_beyond(page))
        return self._all(Access, _ordered(found, page).limit(page.limit))

    def studies_per_step(
        self, wanted: AuditFilter, seconds: int
    ) -> list[tuple[str, int, int]]:
        """Return how many studies each person had to do with in each step of time.

        User, step and count; step n begins n times `seconds` after 1970 (UTC).
        """
        table = _AUDIT.c
        # Hidden, else SQLite takes the index of users, for their order.
        user = func.coalesce(table.user, "").label("who")
        at = cast(extract("epoch", table.recorded_at), BigInteger)
        step = (at // seconds).label("step")
        found = (
            select(user, step, func.count(table.study_instance_uid.distinct()))
            .where(*conditions(replace(wanted, by_person=True)))
            .group_by("who", "step")
        )
        rows = self._connection.execute(found)
        return [(str(who), int(step), int(count)) for who, step, count in rows]

    def first_recorded_at(self) -> datetime | None:
        """Return the time of the earliest record; None: there is none."""
        earliest = select(_AUDIT.c.recorded_at).order_by(_AUDIT.c.recorded_at)
        found: datetime | None = self._connection.scalar(earliest.limit(1))
        return found

    def time_of(self, sequence: int) -> datetime | None:
        """Return the time of a record; None: there is none with this number."""
        asked = select(_AUDIT.c.recorded_at).where(_AUDIT.c.sequence == sequence)
        found: datetime | None = self._connection.scalar(asked)
        return found

    def earliest_since(self, since: datetime) -> int:
        """Return the number of the earliest record since then; 0: there is none."""
        (place,) = self.find_audit(
            AuditFilter(since=since), AuditPage(newest_first=False, limit=1)
        ) or [AuditPlace(recorded_at=since, sequence=0)]
        return place.sequence

    def last_sequence(self) -> int:
        """Return the number of the newest record; 0: there is none."""
        return int(self._connection.scalar(select(func.max(_AUDIT.c.sequence))) or 0)

    def patients_of(self, study_instance_uids: Collection[str]) -> dict[str, str]:
        """Return the pseudonym of each study's patient, as far as the log has it."""
        table = _AUDIT.c
        found: dict[str, str] = {}
        studies = list(study_instance_uids)
        for start in range(0, len(studies), _AT_ONCE):
            some = studies[start : start + _AT_ONCE]
            asked = select(table.study_instance_uid, func.max(table.patient)).where(
                table.study_instance_uid.in_(some), table.patient.is_not(None)
            )
            rows = self._connection.execute(asked.group_by(table.study_instance_uid))
            found.update((str(study), str(patient)) for study, patient in rows)
        return found

    def repeats(self, since: datetime, until: datetime, limit: int) -> list[Repeat]:
        """Return results that one destination took whole more than once.

        Most often first. What was sent is read from an index of its own, whatever the
        time; that is hidden from SQLite, which would take another index for it.
        """
        table = _AUDIT.c
        at = func.coalesce(table.recorded_at, since)
        whole = func.sum(case((table.outcome == Outcome.SUCCESS, 1), else_=0))
        found = (
            select(
                table.study_instance_uid,
                table.node,
                func.count().label("times"),
                whole.label("succeeded"),
                func.min(table.recorded_at).label("first_at"),
                func.max(table.recorded_at).label("last_at"),
            )
            .where(
                schema.SENT,
                at >= since,
                at < until,
                table.study_instance_uid.is_not(None),
                table.node.is_not(None),
            )
            .group_by(table.study_instance_uid, table.node)
            .having(whole > 1)
            .order_by(whole.desc(), func.max(table.recorded_at).desc())
        )
        return self._all(Repeat, found.limit(limit))


def lead_of(wanted: AuditFilter) -> Lead:
    """Return the index that answers a question without reading many rows in vain.

    What a study, a patient, people or failures have is little, so the rest of the
    question is put to the rows. A user or an event may have half of the log: its
    index serves that question alone.
    """
    among = {column for column, _ in wanted.among}
    study, patient = wanted.study_instance_uid, wanted.patient
    few = (
        (Lead.STUDY, study is not None or AuditColumn.STUDY in among),
        (Lead.PATIENT, patient is not None or AuditColumn.PATIENT in among),
        (Lead.PEOPLE, wanted.by_person),
        (Lead.FAILURES, _asks_failures(wanted)),
    )
    rest = (wanted.action, wanted.outcome, wanted.node, wanted.address, wanted.text)
    is_alone = not among and all(each is None for each in rest)
    asks_event = wanted.event is not None or bool(wanted.event_types)
    many = (
        (Lead.USER, is_alone and wanted.user is not None and not asks_event),
        (
            Lead(_event_column(wanted.event)),
            is_alone and asks_event and wanted.user is None,
        ),
    )
    return next((lead for lead, leads in (*few, *many) if leads), Lead.SCAN)


def reads_through(wanted: AuditFilter) -> bool:
    """Whether many records must be read for what few of them may have."""
    table = (wanted.action, wanted.outcome, wanted.node, wanted.address, wanted.text)
    match lead_of(wanted):
        case Lead.SCAN:
            return True
        case Lead.PEOPLE:
            return any(each is not None for each in table)
        case _:
            return False


def conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    """Return what holds for every record of the filter."""
    lead = lead_of(wanted)
    equal = {
        "study_instance_uid": wanted.study_instance_uid,
        "user": wanted.user,
        _event_column(wanted.event): wanted.event,
        "action": wanted.action,
        "node": wanted.node,
        "address": wanted.address,
    }
    return [
        *(
            _equal(name, value, leads=name == lead.value)
            for name, value in equal.items()
            if value is not None
        ),
        *_event_types(wanted, leads=lead is Lead.EVENT_TYPE),
        *(_among(column, values, lead) for column, values in wanted.among),
        *_outcome(wanted),
        *_time(wanted),
        *([] if wanted.patient is None else [_of_patient(wanted.patient)]),
        *([_AUDIT.c.person_role.is_not(None)] if wanted.by_person else []),
        *([] if wanted.text is None else [_has_text(wanted.text)]),
    ]


def _event_column(event: str | None) -> str:
    return "event" if event and _EVENT_ID.fullmatch(event) else "event_type"


def _equal(name: str, value: str, *, leads: bool) -> ColumnElement[bool]:
    """Compare a column; one that does not lead hides from the choice of an index.

    SQLite keeps no statistics here and takes the index of any equality, though half
    of the log may have that value.
    """
    column = _AUDIT.c[name]
    return column == value if leads else func.coalesce(column, "") == value


def _event_types(wanted: AuditFilter, *, leads: bool) -> list[ColumnElement[bool]]:
    if not wanted.event_types:
        return []
    column = _AUDIT.c.event_type
    asked = column if leads else func.coalesce(column, "")
    return [asked.in_(wanted.event_types)]


def _among(
    name: AuditColumn, values: Collection[str], lead: Lead
) -> ColumnElement[bool]:
    column = _AUDIT.c[name.value]
    if name is AuditColumn.OUTCOME:
        return column.in_([int(value) for value in values])
    asked = column if name.value == lead.value else func.coalesce(column, "")
    return asked.in_(values)


def _of_patient(pseudonym: str) -> ColumnElement[bool]:
    """Return what is about a patient: named so, or about a study that is theirs."""
    studies = select(_AUDIT.c.study_instance_uid).where(
        _AUDIT.c.patient == pseudonym, _AUDIT.c.study_instance_uid.is_not(None)
    )
    return or_(_AUDIT.c.patient == pseudonym, _AUDIT.c.study_instance_uid.in_(studies))


def _asks_failures(wanted: AuditFilter) -> bool:
    return wanted.failed or (wanted.outcome or 0) > 0


def _outcome(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    column = _AUDIT.c.outcome
    asked = []
    if _asks_failures(wanted):
        # Word for word the condition of its index, else that is not used.
        asked.append(column > 0)
    if wanted.outcome is not None:
        asked.append(column == wanted.outcome)
    return asked


def _time(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    column = _AUDIT.c.recorded_at
    since = [] if wanted.since is None else [column >= wanted.since]
    return since + ([] if wanted.until is None else [column < wanted.until])


def _has_text(text: str) -> ColumnElement[bool]:
    return func.coalesce(_AUDIT.c.detail, "").icontains(text, autoescape=True)


def _beyond(page: AuditPage) -> list[ColumnElement[bool]]:
    """Return what holds for the records after the last one that was seen."""
    if page.after is None:
        return []
    time, number = _AUDIT.c.recorded_at, _AUDIT.c.sequence
    at, last = page.after.recorded_at, page.after.sequence
    if page.newest_first:
        return [time <= at, or_(time < at, and_(time == at, number < last))]
    return [time >= at, or_(time > at, and_(time == at, number > last))]


def _ordered(
    found: Select[*tuple[object, ...]], page: AuditPage
) -> Select[*tuple[object, ...]]:
    time, number = _AUDIT.c.recorded_at, _AUDIT.c.sequence
    if page.newest_first:
        return found.order_by(time.desc(), number.desc())
    return found.order_by(time, number)
