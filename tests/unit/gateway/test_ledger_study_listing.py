"""Pages of the list: every study once, in order, by indexes, whatever is asked."""

import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from gateway.ledger import (
    DeliveryState,
    Ledger,
    Mark,
    Reading,
    Said,
    StudyFilter,
    StudyPage,
    StudyRecord,
    Writing,
    schema,
    study_listing,
)
from gateway.ledger.columns import metadata
from gateway.ledger.engine import open_engine
from gateway.lifecycle import WAITING_FOR_A_PERSON, WORKING, Event, State
from tests.data.ledgers import (
    NOW,
    STUDY_UID,
    add_study,
    at,
    given_study,
    result_of,
    skip_on_postgresql,
    url_of,
)
from tests.unit.gateway.test_ledger_plans import SMALL, plans

TITLES = ("CT1", "CR-ROOM-2", "PORTABLE")
SAID = ((None, None), (0, 0), (3, 0), (5, 2))
FILTERS = {
    "all": StudyFilter(),
    "working": StudyFilter(states=WORKING),
    "person": StudyFilter(states=WAITING_FOR_A_PERSON),
    "parked": StudyFilter(states=(State.PARKED,)),
    "peer": StudyFilter(calling_title="CT1"),
    "peer and state": StudyFilter(calling_title="CT1", states=(State.PARKED,)),
    "flagged": StudyFilter(said=Said.FLAGGED),
    "findings": StudyFilter(said=Said.FINDINGS),
    "nothing found": StudyFilter(said=Said.NOTHING),
    "unread": StudyFilter(said=Said.UNREAD, states=WORKING),
    "flagged and parked": StudyFilter(said=Said.FLAGGED, states=(State.PARKED,)),
    "time": StudyFilter(since=at(5), until=at(20)),
    "time and state": StudyFilter(since=at(5), until=at(20), states=WORKING),
    "uid": StudyFilter(search="1.2.3"),
    "uid and peer": StudyFilter(search="1.2.3", calling_title="PORTABLE"),
    "accession": StudyFilter(search="ACC7"),
    "accession and said": StudyFilter(search="ACC7", said=Said.FINDINGS),
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Eighty studies, several of them changed in the same moment."""
    ledger = Ledger.open(url_of(tmp_path_factory.mktemp("listing")))
    chance = random.Random(61)  # noqa: S311 - the same each time
    states = [State.RECEIVING, State.COMPLETE, State.PARKED, State.DECLINED]
    for number in range(80):
        study = given_study(ledger, f"1.2.{number}.7", chance.choice(states))
        _describe(ledger, study, number, chance)
    yield ledger
    ledger.close()


def _describe(
    ledger: Ledger, study: StudyRecord, number: int, chance: random.Random
) -> None:
    findings, flags = chance.choice(SAID)
    values = {
        "changed_at": at(chance.randrange(25)),
        "calling_title": chance.choice(TITLES),
        "accession_number": f"ACC{number % 20}",
        "findings": findings,
        "flags": flags,
    }
    with ledger.writing() as rows:
        rows._connection.execute(
            update(schema.studies).where(schema.studies.c.id == study.id).values(values)
        )


def matches(study: StudyRecord, wanted: StudyFilter) -> bool:
    """Say the same as the filter, in the plainest way."""
    search = wanted.search
    named = search is None or (
        study.study_instance_uid.startswith(search) or study.accession_number == search
    )
    said = {
        None: True,
        Said.FINDINGS: bool(study.findings),
        Said.NOTHING: study.findings == 0,
        Said.FLAGGED: bool(study.flags),
        Said.UNREAD: study.findings is None,
    }[wanted.said]
    return (
        named
        and said
        and (not wanted.states or study.state in wanted.states)
        and wanted.calling_title in (None, study.calling_title)
        and (wanted.since is None or study.changed_at >= wanted.since)
        and (wanted.until is None or study.changed_at < wanted.until)
    )


def expected(rows: Reading, wanted: StudyFilter) -> list[int]:
    return [s.id for s in rows.studies(limit=1000) if matches(s, wanted)]


def walked(rows: Reading, wanted: StudyFilter, limit: int) -> list[int]:
    """Follow the list to its end; each page is at most as long as asked."""
    found: list[int] = []
    place: Mark | None = None
    for _ in range(200):
        page = rows.study_page(wanted, after=place, limit=limit)
        assert len(page.studies) <= limit
        found += [study.id for study in page.studies]
        place = page.older
        if place is None:
            return found
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("name", FILTERS)
def test_the_pages_of_a_filter_are_its_studies_in_order(
    ledger: Ledger, name: str
) -> None:
    with ledger.reading() as rows:
        ids = expected(rows, FILTERS[name])
        assert ids
        assert walked(rows, FILTERS[name], 7) == ids


@pytest.mark.parametrize("name", [n for n, f in FILTERS.items() if not f.search])
def test_no_study_is_missed_where_a_page_looks_at_few_rows(
    ledger: Ledger, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_listing, "MOST_LOOKED_AT", 14)
    with ledger.reading() as rows:
        assert walked(rows, FILTERS[name], 7) == expected(rows, FILTERS[name])


def test_a_page_says_how_far_back_it_looked(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_listing, "MOST_LOOKED_AT", 14)
    nobody = StudyFilter(calling_title="CT1", said=Said.FLAGGED, states=(State.KEPT,))
    with ledger.reading() as rows:
        page = rows.study_page(nobody, limit=7)
        peers = [s for s in rows.studies(limit=1000) if s.calling_title == "CT1"]
    assert not page.studies
    assert page.looked_to == page.older
    assert page.older == Mark(changed_at=peers[13].changed_at, id=peers[13].id)


def test_the_way_back_shows_the_same_pages(ledger: Ledger) -> None:
    with ledger.reading() as rows:
        first = rows.study_page(StudyFilter(), limit=10)
        second = rows.study_page(StudyFilter(), after=first.older, limit=10)
        third = rows.study_page(StudyFilter(), after=second.older, limit=10)
        assert rows.study_page(StudyFilter(), before=third.newer, limit=10).studies == (
            second.studies
        )
        again = rows.study_page(StudyFilter(), before=second.newer, limit=10)
    assert again == first
    assert first.newer is None


def test_a_beginning_that_too_many_share_is_said_to_be_cut(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_listing, "MOST_LOOKED_AT", 5)
    with ledger.reading() as rows:
        assert rows.study_page(StudyFilter(search="1.2.")).is_cut
        assert not rows.study_page(StudyFilter(search="1.2.33.7")).is_cut


def test_counting_stops(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger.reading() as rows:
        assert rows.count_studies() == 80
        monkeypatch.setattr(study_listing, "MOST_COUNTED", 9)
        assert rows.count_studies() == 9


def test_a_queue_is_as_old_as_its_longest_waiting_study(ledger: Ledger) -> None:
    with ledger.reading() as rows:
        (queue,) = rows.queues([State.PARKED])
        parked = [s for s in rows.studies(limit=99) if s.state is State.PARKED]
        (nobody,) = rows.queues([State.HELD])
    assert queue.count == len(parked)
    assert queue.since == min(study.changed_at for study in parked)
    assert (nobody.count, nobody.since) == (0, None)


def test_what_an_older_revision_left_is_not_shown(tmp_path: Path) -> None:
    ledger = Ledger.open(url_of(tmp_path))
    study = given_study(ledger, state=State.KEPT)
    with ledger.writing() as rows:
        rows.add_deliveries(study.id, 1, "pacs", [result_of(study)])
        assert rows.delivery_standing([study])[study.id].keys() == {"pacs"}
        moved = rows.move(study, Event.IMAGE_ARRIVED, NOW)
        assert rows.delivery_standing([moved]) == {}
    ledger.close()


def test_a_new_revision_has_no_report_yet(tmp_path: Path) -> None:
    ledger = Ledger.open(url_of(tmp_path))
    study = given_study(ledger, state=State.KEPT)
    with ledger.writing() as rows:
        rows.count_report(study, findings=4, flags=1)
        read = rows.study_by_id(study.id)
        assert (read.findings, read.flags) == (4, 1)
        moved = rows.move(read, Event.IMAGE_ARRIVED, NOW)
    assert (moved.findings, moved.flags) == (None, None)
    ledger.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    skip_on_postgresql()
    engine = open_engine(url_of(tmp_path_factory.mktemp("plans")))
    yield engine
    engine.dispose()


def page_of(wanted: StudyFilter, rows: Reading) -> StudyPage:
    return rows.study_page(wanted)


QUESTIONS: dict[str, Callable[[Reading], object]] = {
    **{name: partial(page_of, wanted) for name, wanted in FILTERS.items()},
    "after": lambda rows: rows.study_page(
        StudyFilter(), after=Mark(changed_at=NOW, id=9)
    ),
    "before": lambda rows: rows.study_page(
        StudyFilter(), before=Mark(changed_at=NOW, id=9)
    ),
    "count": lambda rows: rows.count_studies(WORKING),
    "queues": lambda rows: rows.queues(WORKING),
    "waiting": lambda rows: rows.deliveries_waiting("pacs", DeliveryState.PENDING, 9),
    "slots": lambda rows: rows.slots_filled([given(rows)]),
    "standing": lambda rows: rows.delivery_standing([given(rows)]),
}


def given(rows: Reading) -> StudyRecord:
    assert isinstance(rows, Writing)
    return rows.study(STUDY_UID) or add_study(rows)


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_question_goes_by_an_index(engine: Engine, name: str) -> None:
    steps = plans(engine, QUESTIONS[name])
    tables = "|".join(metadata.tables.keys() - SMALL)
    read = [step for step in steps if re.match(rf"(SCAN|SEARCH) ({tables})\b", step)]
    assert read
    for step in read:
        assert re.search(r"USING (COVERING INDEX|INDEX|INTEGER PRIMARY KEY)", step)


ORDERED = ("all", "parked", "peer", "flagged", "findings", "time", "after", "before")


@pytest.mark.parametrize("name", ORDERED)
def test_a_page_comes_in_the_order_of_its_index(engine: Engine, name: str) -> None:
    assert not [step for step in plans(engine, QUESTIONS[name]) if "TEMP" in step]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("all", "ix_studies_changed_at"),
        ("working", "ix_studies_state_changed_at"),
        ("peer", "ix_studies_calling_title_changed_at"),
        ("flagged", "ix_studies_flagged"),
        ("uid", "sqlite_autoindex_studies_1"),
        ("accession", "ix_studies_accession_number"),
        ("waiting", "ix_deliveries_state_destination_first_tried_at"),
    ],
)
def test_a_filter_goes_by_the_index_that_was_made_for_it(
    engine: Engine, name: str, index: str
) -> None:
    assert index in "\n".join(plans(engine, QUESTIONS[name]))
