"""What reviewers ask of the log: what is found, and by which index."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from gateway.ledger import AuditFilter, AuditPage, AuditPlace, Ledger, Reading
from gateway.ledger.audit_reading import Lead, lead_of
from gateway.ledger.engine import open_engine
from tests.data.ledgers import (
    NOW,
    PATIENTS,
    STUDY_UID,
    at,
    audit_entry,
    skip_on_postgresql,
    url_of,
)

ALERT, ACCESSED = "110113", "110103"
ALL, FIRST = AuditFilter(), AuditPage()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path))
    yield opened
    opened.close()


def keep(ledger: Ledger, *changes: Mapping[str, object]) -> None:
    with ledger.writing() as rows:
        for each in changes:
            rows.append_audit(audit_entry(**each))


def found(ledger: Ledger, wanted: AuditFilter, page: AuditPage = FIRST) -> list[int]:
    with ledger.reading() as rows:
        return [place.sequence for place in rows.find_audit(wanted, page)]


def walked(ledger: Ledger, wanted: AuditFilter, page: AuditPage) -> list[int]:
    """Return what all pages hold, one after the other."""
    seen: list[int] = []
    for _ in range(50):
        with ledger.reading() as rows:
            places = rows.find_audit(wanted, page)
        seen += [place.sequence for place in places]
        if len(places) < page.limit:
            return seen
        page = replace(page, after=places[-1])
    raise AssertionError("the pages do not end")


KEPT: tuple[dict[str, object], ...] = (
    {},
    {
        "user": "anna",
        "event_type": "study-viewed",
        "person_role": "person",
        "recorded_at": at(1),
    },
    {
        "user": "anna",
        "action": "U",
        "person_role": "radiologist",
        "recorded_at": at(2),
    },
    {
        "event": ALERT,
        "outcome": 4,
        "address": "10.0.0.9",
        "detail": "a stranger",
        "recorded_at": at(3),
    },
    {"node": "PACS", "detail": "100% stored", "recorded_at": at(4)},
    {"outcome": 8, "study_instance_uid": "1.2.9", "recorded_at": at(5)},
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger with the records of KEPT, numbered from 1."""
    opened = Ledger.open(url_of(tmp_path_factory.mktemp("ledger")))
    keep(opened, *KEPT)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("wanted", "sequences"),
    [
        (ALL, [6, 5, 4, 3, 2, 1]),
        (AuditFilter(user="anna"), [3, 2]),
        (AuditFilter(user="anna", action="U"), [3]),
        (AuditFilter(event=ALERT), [4]),
        (AuditFilter(event="study-viewed"), [2]),
        (AuditFilter(event="study-viewed", user="bert"), []),
        (AuditFilter(event_types=("study-viewed", "x")), [2]),
        (AuditFilter(event_types=("study-viewed",), user="bert"), []),
        (AuditFilter(study_instance_uid="1.2.9"), [6]),
        (AuditFilter(study_instance_uid="1.2.9", outcome=0), []),
        (AuditFilter(failed=True), [6, 4]),
        (AuditFilter(outcome=8), [6]),
        (AuditFilter(outcome=0), [5, 3, 2, 1]),
        (AuditFilter(by_person=True), [3, 2]),
        (AuditFilter(by_person=True, event="study-viewed"), [2]),
        (AuditFilter(node="PACS"), [5]),
        (AuditFilter(address="10.0.0.9"), [4]),
        (AuditFilter(text="STRANGER"), [4]),
        (AuditFilter(text="100%"), [5]),
        (AuditFilter(text="100_"), []),
        (AuditFilter(since=at(2), until=at(4)), [4, 3]),
    ],
)
def test_a_filter_finds_what_it_says(
    kept: Ledger, wanted: AuditFilter, sequences: list[int]
) -> None:
    assert found(kept, wanted) == sequences


def test_the_records_of_a_page_come_in_its_order(kept: Ledger) -> None:
    with kept.reading() as rows:
        records = rows.audit_records([3, 1, 7])
    assert [each.sequence for each in records] == [3, 1]


def test_no_more_is_counted_than_is_asked_for(kept: Ledger) -> None:
    with kept.reading() as rows:
        assert rows.count_audit(ALL, 3) == 3
        assert rows.count_audit(ALL, 10) == len(KEPT)


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger to which each example adds records of a user of its own."""
    opened = Ledger.open(url_of(tmp_path_factory.mktemp("ledger")))
    yield opened
    opened.close()


@settings(deadline=None, max_examples=40)
@given(
    seconds=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    limit=st.integers(1, 5),
    newest_first=st.booleans(),
)
def test_pages_hold_every_record_once_in_the_order_of_time(
    growing: Ledger,
    seconds: list[int],
    limit: int,
    newest_first: bool,
) -> None:
    user = uuid4().hex
    with growing.writing() as rows:
        numbers = [
            rows.append_audit(audit_entry(user=user, recorded_at=at(each)))
            for each in seconds
        ]
    order = [number for _, number in sorted(zip(seconds, numbers, strict=True))]
    page = AuditPage(limit=limit, newest_first=newest_first)
    expected = order[::-1] if newest_first else order
    assert walked(growing, AuditFilter(user=user), page) == expected


def test_a_record_that_comes_meanwhile_moves_no_page(ledger: Ledger) -> None:
    keep(ledger, *({"recorded_at": at(second)} for second in range(4)))
    page = AuditPage(limit=2)
    with ledger.reading() as rows:
        first = rows.find_audit(ALL, page)
    keep(ledger, {"recorded_at": at(9)})
    assert found(ledger, ALL, replace(page, after=first[-1])) == [2, 1]


def test_results_that_one_destination_took_twice_are_told_from_a_retry(
    ledger: Ledger,
) -> None:
    sent = {"event_type": "results-sent", "event": "110104", "node": "PACS"}
    keep(
        ledger,
        {**sent, "study_instance_uid": "1.1"},
        {**sent, "study_instance_uid": "1.1", "recorded_at": at(5)},
        {**sent, "study_instance_uid": "1.2", "outcome": 4},
        {**sent, "study_instance_uid": "1.2"},
        {**sent, "study_instance_uid": "1.1", "node": "OTHER"},
    )
    with ledger.reading() as rows:
        (repeat,) = rows.repeats(NOW, at(60), 10)
    assert (repeat.study_instance_uid, repeat.node) == ("1.1", "PACS")
    assert (repeat.times, repeat.succeeded) == (2, 2)
    assert (repeat.first_at, repeat.last_at) == (NOW, at(5))


# By which index each question is answered.


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    skip_on_postgresql()
    engine = open_engine(url_of(tmp_path_factory.mktemp("ledger")))
    yield engine
    engine.dispose()


def plan(engine: Engine, wanted: AuditFilter, page: AuditPage) -> list[str]:
    """Return how SQLite finds a page, and how it counts."""
    asked: list[tuple[str, object]] = []

    def note(*given_: object) -> None:
        asked.append((str(given_[2]), given_[3]))

    with engine.connect() as connection:
        rows = Reading(connection, PATIENTS)
        event.listen(connection, "before_cursor_execute", note)
        rows.find_audit(wanted, page)
        rows.count_audit(wanted, 10_001)
        event.remove(connection, "before_cursor_execute", note)
        return [
            str(row[3])
            for statement, values in asked
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}",
                values,  # type: ignore[arg-type]
            )
        ]


PLANS = [
    (AuditFilter(study_instance_uid=STUDY_UID, user="a", text="x"), Lead.STUDY),
    (AuditFilter(by_person=True, event=ACCESSED, user="a"), Lead.PEOPLE),
    (AuditFilter(failed=True, user="a"), Lead.FAILURES),
    (AuditFilter(outcome=8, event=ACCESSED), Lead.FAILURES),
    (AuditFilter(user="a", since=NOW, until=at(1)), Lead.USER),
    (AuditFilter(event=ACCESSED, since=NOW), Lead.EVENT),
    (AuditFilter(event="study-viewed", until=NOW), Lead.EVENT_TYPE),
    (AuditFilter(event="study-viewed", user="a"), Lead.SCAN),
    (AuditFilter(action="D", user="a"), Lead.SCAN),
    (AuditFilter(outcome=0), Lead.SCAN),
    (AuditFilter(node="PACS"), Lead.SCAN),
    (AuditFilter(address="10.0.0.1"), Lead.SCAN),
    (AuditFilter(text="x", event=ACCESSED), Lead.SCAN),
    (AuditFilter(since=NOW, until=at(1)), Lead.SCAN),
]
INDEXES = {
    Lead.STUDY: "INDEX ix_audit_study_instance_uid_recorded_at",
    Lead.PEOPLE: "INDEX ix_audit_people",
    Lead.FAILURES: "INDEX ix_audit_failures",
    Lead.USER: "COVERING INDEX ix_audit_user_recorded_at",
    Lead.EVENT: "COVERING INDEX ix_audit_event_recorded_at",
    Lead.EVENT_TYPE: "COVERING INDEX ix_audit_event_type_recorded_at",
    Lead.SCAN: "COVERING INDEX ix_audit_scan",
}


@pytest.mark.parametrize(("wanted", "lead"), PLANS)
@pytest.mark.parametrize("newest_first", [True, False])
def test_each_filter_is_answered_by_its_index_and_sorts_no_log(
    engine: Engine, wanted: AuditFilter, lead: Lead, newest_first: bool
) -> None:
    assert lead_of(wanted) is lead
    after = AuditPlace(recorded_at=NOW, sequence=7)
    for page in (
        AuditPage(newest_first=newest_first),
        AuditPage(newest_first=newest_first, after=after),
    ):
        steps = plan(engine, wanted, page)
        used = [step for step in steps if " audit " in step]
        assert len(used) == 2
        assert all(INDEXES[lead] in step for step in used), steps
        assert "USE TEMP B-TREE FOR ORDER BY" not in steps


def test_a_patient_is_found_by_the_indexes_of_patients_and_studies(
    engine: Engine,
) -> None:
    wanted = AuditFilter(patient="a" * 64, user="a", text="x")
    assert lead_of(wanted) is Lead.PATIENT
    steps = [step for step in plan(engine, wanted, AuditPage()) if " audit " in step]
    of_patient = "INDEX ix_audit_patient_recorded_at (patient=?)"
    of_studies = "INDEX ix_audit_study_instance_uid_recorded_at (study_instance_uid=?)"
    assert all(of_patient in step or of_studies in step for step in steps)


def test_a_filter_of_time_begins_where_its_time_begins(engine: Engine) -> None:
    wanted = AuditFilter(user="a", since=NOW, until=at(1))
    steps = plan(engine, wanted, AuditPage())
    assert any("(user=? AND recorded_at>? AND recorded_at<?)" in s for s in steps)


def test_what_people_did_is_read_without_the_records(engine: Engine) -> None:
    wanted = AuditFilter(since=NOW, until=at(1))
    with engine.connect() as connection:
        asked: list[str] = []

        def note(*given_: object) -> None:
            asked.append(str(given_[2]))

        event.listen(connection, "before_cursor_execute", note)
        Reading(connection, PATIENTS).accesses(wanted, AuditPage())
        event.remove(connection, "before_cursor_execute", note)
        (statement,) = [each for each in asked if each.startswith("SELECT")]
        moments = (NOW.isoformat(" "), at(1).isoformat(" "), 100, 0)
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", moments)
        assert "USING COVERING INDEX ix_audit_people" in str(rows.all())


COUNTS: dict[str, tuple[str, Callable[[Reading], object]]] = {
    "results sent twice": (
        "COVERING INDEX ix_audit_sent",
        lambda rows: rows.repeats(NOW, at(1), 10),
    ),
    "studies of people": (
        "COVERING INDEX ix_audit_people",
        lambda rows: rows.studies_per_step(AuditFilter(), 3600),
    ),
}


@pytest.mark.parametrize("name", COUNTS)
def test_what_is_counted_is_read_from_an_index_alone(engine: Engine, name: str) -> None:
    index, count = COUNTS[name]
    asked: list[tuple[str, object]] = []

    def note(*given_: object) -> None:
        asked.append((str(given_[2]), given_[3]))

    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", note)
        count(Reading(connection, PATIENTS))
        event.remove(connection, "before_cursor_execute", note)
        ((statement, values),) = [each for each in asked if each[0].startswith("SEL")]
        steps = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}",
            values,  # type: ignore[arg-type]
        )
        assert index in str(steps.all())
