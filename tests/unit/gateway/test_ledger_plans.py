"""What is asked for every study or several times a second reads no whole table."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from gateway.fairness import Group, Priority
from gateway.ledger import (
    AuditColumn,
    AuditFilter,
    AuditPage,
    AuditPlace,
    CampaignState,
    Writing,
)
from gateway.ledger.engine import open_engine
from gateway.lifecycle import WORKING, Event, State
from tests.data.ledgers import (
    NOW,
    ON_POSTGRESQL,
    PATIENTS,
    STUDY_UID,
    add_study,
    at,
    audit_entry,
    given_campaign,
    new_instance,
    only_sqlite,
    result_of,
    url_of,
)

URGENT = Group(priority=Priority.URGENT)
Statement = tuple[str, object]

SCANNED = re.compile(
    r"^SCAN (\w+)\b(?! USING INDEX ix_studies_changed_at)|\bSeq Scan on (\w+)\b"
)
"""As SQLite and PostgreSQL say it. The newest of all studies are read from their index,
as many as are shown."""
EXPLAIN = "EXPLAIN" if ON_POSTGRESQL else "EXPLAIN QUERY PLAN"
SMALL = {"audit_head", "audit_repositories", "notes", "work_groups", "anon_1"}
"""Tables that do not grow with the studies; the last is of rows up to a limit."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(url_of(tmp_path))
    yield engine
    engine.dispose()


def _move(rows: Writing) -> None:
    study = add_study(rows)
    rows.move(study, Event.VIEWS_CHOSEN, NOW, audit=[audit_entry()])


def _deliver(rows: Writing) -> None:
    study = add_study(rows)
    results = [result_of(study)]
    rows.add_results(results)
    rows.add_deliveries(study.id, 1, "pacs", results)
    rows.deliveries_of_transaction("1.2.3")
    rows.results(study.id)


def _receive(rows: Writing) -> None:
    study = add_study(rows, state=State.RECEIVING)
    rows.add_instance(new_instance(), 1)
    rows.touch_study(study.id, at(1))
    rows.instance(new_instance().sop_instance_uid)
    rows.is_own_result(new_instance().sop_instance_uid)
    rows.recent_retrievals(STUDY_UID, NOW)
    rows.is_quarantined(new_instance().sop_instance_uid, "0" * 64)


def _ask(rows: Writing) -> None:
    campaign = given_campaign(rows)
    asked = rows.claim_cohort(campaign, NOW, until=at(60), next_at=at(1))
    assert asked is not None
    rows.campaign_in_flight(campaign.id, 4)
    rows.campaign_is_over(campaign.id)
    rows.campaign_counts(campaign.id)
    rows.postpone_cohort(asked, at(60), "later", 1)


def _retrieve(rows: Writing) -> None:
    study = add_study(rows)
    begun = rows.begin_retrieval(STUDY_UID, study.id, "pacs", NOW, at(1))
    rows.close_retrieval(begun.id)


QUESTIONS: dict[str, Callable[[Writing], object]] = {
    "work": lambda rows: rows.work_waiting(WORKING, NOW),
    "claim": lambda rows: rows.claim(WORKING, NOW, "worker", 60.0),
    "claim of a group": lambda rows: rows.claim(WORKING, NOW, "worker", 60.0, URGENT),
    "groups": lambda rows: rows.waiting_groups(WORKING, NOW),
    "others": lambda rows: rows.others_wait(WORKING),
    "asked by a campaign": lambda rows: rows.asked_by_campaign(STUDY_UID, NOW),
    "campaigns": lambda rows: rows.campaigns([CampaignState.RUNNING]),
    "ask": _ask,
    "free": lambda rows: rows.free_cohorts(),
    "expire": lambda rows: rows.expire_leases(NOW),
    "renew": lambda rows: rows.renew_owned("worker", NOW),
    "receiving": lambda rows: rows.receiving(),
    "list": lambda rows: rows.studies(),
    "forward": lambda rows: rows.audit_after(7, 200),
    "backlog": lambda rows: rows.backlogs(),
    "audit": lambda rows: rows.append_audit(audit_entry()),
    "move": _move,
    "deliver": _deliver,
    "receive": _receive,
    "retrieve": _retrieve,
}


def plans(engine: Engine, ask: Callable[[Writing], object]) -> list[str]:
    """Return how the database goes about every statement of a question.

    PostgreSQL reads a small table whole; it is told to do so only without an index.
    """
    asked: list[Statement] = []

    def note(*given: object) -> None:
        asked.append((str(given[2]), given[3]))

    with engine.connect() as connection:
        connection.execution_options(writing=True)
        with connection.begin():
            event.listen(connection, "before_cursor_execute", note)
            ask(Writing(connection, PATIENTS))
            event.remove(connection, "before_cursor_execute", note)
            if ON_POSTGRESQL:
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            return [
                str(row[-1])
                for statement, values in asked
                if not statement.startswith(("SAVEPOINT", "RELEASE"))
                for row in connection.exec_driver_sql(
                    f"{EXPLAIN} {statement}",
                    values,  # type: ignore[arg-type]
                )
            ]


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_frequent_question_reads_a_whole_table(engine: Engine, name: str) -> None:
    found = [SCANNED.search(step) for step in plans(engine, QUESTIONS[name])]
    assert {match[1] or match[2] for match in found if match} <= SMALL


SEARCHES: dict[AuditColumn | None, str] = {
    None: "INDEX ix_audit_scan (recorded_at>? AND recorded_at<?)",
    AuditColumn.EVENT: "INDEX ix_audit_scan (recorded_at>? AND recorded_at<?)",
    AuditColumn.USER: "INDEX ix_audit_scan (recorded_at>? AND recorded_at<?)",
    AuditColumn.OUTCOME: "INDEX ix_audit_scan (recorded_at>? AND recorded_at<?)",
    AuditColumn.STUDY: "INDEX ix_audit_study_instance_uid_recorded_at",
    AuditColumn.PATIENT: "INDEX ix_audit_patient_recorded_at",
}


@only_sqlite
@pytest.mark.parametrize("column", SEARCHES)
def test_a_search_of_programs_goes_by_time_or_by_what_few_share(
    column: AuditColumn | None, engine: Engine
) -> None:
    wanted = AuditFilter(
        since=NOW,
        until=at(60),
        among=() if column is None else ((column, {"1"}),),
    )
    page = AuditPage(newest_first=False, after=AuditPlace(recorded_at=NOW, sequence=7))
    steps = plans(engine, lambda rows: rows.find_audit(wanted, page))
    assert SEARCHES[column] in steps[0]
    # Records of one moment are put in order; the log is not.
    assert not [step for step in steps if step == "USE TEMP B-TREE FOR ORDER BY"]


@only_sqlite
def test_the_claim_looks_for_lost_leases_and_for_work_by_their_indexes(
    engine: Engine,
) -> None:
    steps = "\n".join(plans(engine, QUESTIONS["claim"]))
    assert "INDEX ix_studies_lease_until" in steps
    assert "INDEX ix_studies_state_changed_at (state=?)" in steps


@only_sqlite
def test_the_claim_of_a_group_takes_the_first_row_of_its_index(engine: Engine) -> None:
    steps = plans(
        engine, lambda rows: rows.claim([State.COMPLETE], NOW, "worker", 60.0, URGENT)
    )
    index = "INDEX ix_studies_state_priority_project_due_at"
    found = [step for step in steps if index in step]
    assert found
    assert "(state=? AND priority=? AND project=? AND due_at<?)" in found[0]
    assert not [step for step in steps if "TEMP B-TREE" in step]


@only_sqlite
def test_who_has_work_is_asked_of_the_same_index(engine: Engine) -> None:
    steps = plans(engine, lambda rows: rows.waiting_groups([State.COMPLETE], NOW))
    assert "(state=? AND priority=? AND project=? AND due_at<?)" in "".join(steps)
