"""What a row of the list says of a study."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.ledger import DeliveryState, Ledger, StudyFilter, StudyRecord
from gateway.lifecycle import WORKING, State
from gateway.showing.study_rows import (
    NEXT_STEP,
    Group,
    Place,
    destination_of,
    group_of,
    list_page,
    progress_of,
    shown_study,
)
from tests.data.ledgers import NOW, at, given_study, result_of, url_of

STUDY = StudyRecord(
    id=1,
    study_instance_uid="1.2.3",
    state=State.GATHERED,
    revision=1,
    reason=None,
    calling_title="CT1",
    opened_at=NOW,
    last_arrival_at=NOW,
    changed_at=at(30),
    attempts=0,
    not_before=None,
    lease_owner=None,
    lease_until=None,
)


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_group(state: State) -> None:
    assert group_of(state) is not Group.ALL


@pytest.mark.parametrize("state", WORKING)
def test_every_state_at_work_says_what_is_next(state: State) -> None:
    progress = progress_of(replace(STUDY, state=state), NOW)
    assert progress is not None
    assert progress.step == NEXT_STEP[state]
    assert progress.done <= progress.steps


def test_a_study_that_waits_says_until_when() -> None:
    waiting = replace(STUDY, not_before=at(10), attempts=2)
    progress = progress_of(waiting, NOW)
    assert progress is not None
    assert (progress.waits_until, progress.attempts) == (at(10), 2)
    over = progress_of(waiting, at(11))
    assert over is not None
    assert over.waits_until is None


def test_a_study_that_is_over_makes_no_progress() -> None:
    assert progress_of(replace(STUDY, state=State.PARKED), NOW) is None


def test_a_row_tells_its_age_and_how_long_nothing_changed() -> None:
    shown = shown_study(STUDY, None, {}, at(90))
    assert shown.age == timedelta(seconds=90)
    assert shown.unchanged == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("counts", "word", "have", "of"),
    [
        ({DeliveryState.COMMITTED: 3}, "committed", 3, 3),
        ({DeliveryState.COMMITTED: 2, DeliveryState.STORED: 1}, "stored", 3, 3),
        ({DeliveryState.COMMITTED: 2, DeliveryState.REFUSED: 1}, "refused", 2, 3),
        ({DeliveryState.STORED: 1, DeliveryState.PENDING: 2}, "pending", 1, 3),
        ({DeliveryState.COMMITTED: 1, DeliveryState.REPLACED: 1}, "committed", 1, 1),
    ],
)
def test_a_destination_says_the_worst(
    counts: dict[DeliveryState, int], word: str, have: int, of: int
) -> None:
    shown = destination_of("pacs", counts)
    assert (shown.word, shown.have, shown.of) == (word, have, of)


def test_a_page_has_what_its_rows_show(tmp_path: Path) -> None:
    ledger = Ledger.open(url_of(tmp_path))
    kept = given_study(ledger, "1.2.1", State.KEPT, NOW)
    given_study(ledger, "1.2.2", State.PARKED, at(1))
    with ledger.writing() as rows:
        rows.add_deliveries(kept.id, 1, "pacs", [result_of(kept)])
    with ledger.reading() as rows:
        page = list_page(rows, StudyFilter(), Place(), at(60))
    ledger.close()
    assert [row.study.study_instance_uid for row in page.studies] == ["1.2.2", "1.2.1"]
    assert [d.name for d in page.studies[1].destinations] == ["pacs"]
    assert page.counts[Group.ALL] == 2
    assert page.counts[Group.PERSON] == page.counts[Group.DONE] == 1
    assert page.counts[Group.WORKING] == 0
