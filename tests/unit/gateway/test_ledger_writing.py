"""Instances, documents, results, deliveries, retrievals and the purge."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import LedgerFailure, LostRace
from gateway.ledger import DeliveryState, Document, Ledger, Role, StudyRecord
from gateway.lifecycle import Event, State
from tests.data.ledgers import (
    NOW,
    STUDY_UID,
    add_study,
    at,
    given_study,
    new_instance,
    result_of,
    url_of,
)

PRIOR_UID = "1.2.826.0.1.3680043.10.543.2"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path))
    yield ledger
    ledger.close()


@pytest.fixture
def study(ledger: Ledger) -> StudyRecord:
    return given_study(ledger)


def test_an_instance_is_read_back_as_it_was_written(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        added = rows.add_instance(new_instance(7), 3)
    with ledger.reading() as rows:
        assert rows.instance(added.sop_instance_uid) == added
    assert (added.revision, added.size, added.role) == (3, 1007, Role.CURRENT)
    assert added.received_at == NOW


def test_an_instance_is_recorded_once(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        first = rows.add_instance(new_instance(), 1)
        with pytest.raises(LostRace):
            rows.add_instance(new_instance(), 2)
        # The transaction goes on as if the second had not been tried.
        rows.add_instance(new_instance(2), 1)
    with ledger.reading() as rows:
        assert rows.instance(first.sop_instance_uid) == first
        assert len(rows.instances(STUDY_UID)) == 2


def test_instances_are_listed_by_study_and_role(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        rows.add_instance(new_instance(2), 1)
        rows.add_instance(new_instance(1), 1)
        rows.add_instance(new_instance(3, role=Role.DOCUMENT), 1)
        rows.add_instance(new_instance(4, PRIOR_UID, Role.RETRIEVED), 0)
    with ledger.reading() as rows:
        everything = rows.instances(STUDY_UID)
        current = rows.instances(STUDY_UID, {Role.CURRENT})
    assert [i.sop_instance_uid[-1] for i in everything] == ["2", "1", "3"]
    assert [i.sop_instance_uid[-1] for i in current] == ["2", "1"]


def test_a_quarantined_instance_is_none_of_the_study(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        rows.quarantine(new_instance(), "other content")
    with ledger.reading() as rows:
        assert rows.instances(STUDY_UID) == []
        assert rows.file_names() == {new_instance().file_name}


def test_a_document_of_an_earlier_run_is_replaced(
    ledger: Ledger, study: StudyRecord
) -> None:
    with ledger.writing() as rows:
        rows.put_document(study.id, 1, Document.VIEWS, '{"run": 1}')
        rows.put_document(study.id, 1, Document.VIEWS, '{"run": 2}')
    with ledger.reading() as rows:
        assert rows.document(study.id, 1, Document.VIEWS) == '{"run": 2}'
        assert rows.document(study.id, 2, Document.VIEWS) is None
        assert rows.document(study.id, 1, Document.PRIOR) is None


def test_a_document_needs_its_study(ledger: Ledger) -> None:
    with (
        pytest.raises(LedgerFailure, match=r"(?i)foreign key"),
        ledger.writing() as rows,
    ):
        rows.put_document(77, 1, Document.VIEWS, "{}")


def test_results_are_recorded_once(ledger: Ledger, study: StudyRecord) -> None:
    results = [result_of(study, 1), result_of(study, 2)]
    with ledger.writing() as rows:
        rows.add_results(results[:1])
        rows.add_results(results)
    with ledger.reading() as rows:
        assert rows.results(study.id, 1) == results
        assert rows.results(study.id, 2) == []
        assert rows.results(study.id) == results


def test_our_own_results_are_known(ledger: Ledger, study: StudyRecord) -> None:
    result = result_of(study)
    with ledger.writing() as rows:
        rows.add_results([result])
    with ledger.reading() as rows:
        assert rows.is_own_result(result.sop_instance_uid)
        assert not rows.is_own_result(result.sop_instance_uid + "0")


def test_deliveries_are_put_out_once_a_destination(
    ledger: Ledger, study: StudyRecord
) -> None:
    results = [result_of(study, 1), result_of(study, 2)]
    with ledger.writing() as rows:
        rows.add_deliveries(study.id, 1, "pacs", results[:1])
        rows.add_deliveries(study.id, 1, "pacs", results)
        rows.add_deliveries(study.id, 1, "research", results[:1])
    with ledger.reading() as rows:
        everything = rows.deliveries(study.id, 1)
        to_pacs = rows.deliveries(study.id, 1, "pacs")
    assert [row.destination for row in everything] == ["pacs", "pacs", "research"]
    assert [row.file_name for row in to_pacs] == [r.file_name for r in results]
    assert {row.state for row in everything} == {DeliveryState.PENDING}


def test_a_delivery_changes_only_in_what_is_named(
    ledger: Ledger, study: StudyRecord
) -> None:
    with ledger.writing() as rows:
        rows.add_deliveries(study.id, 1, "pacs", [result_of(study)])
        (row,) = rows.deliveries(study.id, 1)
        rows.update_delivery(
            row.id, now=at(1), attempts=1, detail="A700", not_before=at(61)
        )
        rows.update_delivery(row.id, now=at(61), state=DeliveryState.STORED)
        (row,) = rows.deliveries(study.id, 1)
    assert (row.state, row.attempts, row.detail) == (DeliveryState.STORED, 1, "A700")
    assert (row.first_tried_at, row.not_before) == (at(1), at(61))


def test_the_age_of_a_delivery_begins_anew_with_no_attempts(
    ledger: Ledger, study: StudyRecord
) -> None:
    with ledger.writing() as rows:
        rows.add_deliveries(study.id, 1, "pacs", [result_of(study)])
        (row,) = rows.deliveries(study.id, 1)
        rows.update_delivery(row.id, now=at(1), attempts=1)
        rows.update_delivery(row.id, now=at(9000), attempts=0)
        assert rows.deliveries(study.id, 1)[0].first_tried_at is None
        rows.update_delivery(row.id, now=at(9001), attempts=1)
        assert rows.deliveries(study.id, 1)[0].first_tried_at == at(9001)


def test_a_commitment_finds_the_deliveries_of_its_transaction(
    ledger: Ledger, study: StudyRecord
) -> None:
    with ledger.writing() as rows:
        results = [result_of(study, 1), result_of(study, 2)]
        rows.add_deliveries(study.id, 1, "pacs", results)
        first, _ = rows.deliveries(study.id, 1)
        rows.update_delivery(first.id, now=at(1), transaction_uid="2.25.1")
    with ledger.reading() as rows:
        found = rows.deliveries_of_transaction("2.25.1")
        assert [row.id for row in found] == [first.id]
        assert rows.deliveries_of_transaction("2.25.2") == []


def test_a_retrieval_is_open_until_it_is_closed(
    ledger: Ledger, study: StudyRecord
) -> None:
    with ledger.writing() as rows:
        begun = rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        assert rows.open_retrieval(PRIOR_UID, at(599)) == begun
        assert rows.open_retrieval(STUDY_UID, at(1)) is None
        rows.close_retrieval(begun.id)
        assert rows.open_retrieval(PRIOR_UID, at(1)) is None


def test_recent_retrievals_are_those_of_the_study_newest_first(
    ledger: Ledger, study: StudyRecord
) -> None:
    with ledger.writing() as rows:
        rows.begin_retrieval(STUDY_UID, study.id, "pacs", NOW, at(900))
        first = rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        second = rows.begin_retrieval(PRIOR_UID, study.id, "other", at(1), at(700))
        replaced = replace(first, closed=True)
        assert rows.recent_retrievals(PRIOR_UID, at(599)) == [second, replaced]
        assert rows.recent_retrievals(PRIOR_UID, at(650)) == [second]


def test_a_retrieval_expires(ledger: Ledger, study: StudyRecord) -> None:
    with ledger.writing() as rows:
        rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        assert rows.open_retrieval(PRIOR_UID, at(600)) is None


def test_studies_are_listed_newest_change_first(ledger: Ledger) -> None:
    for number, state in enumerate([State.KEPT, State.PARKED, State.KEPT]):
        given_study(ledger, f"1.2.{number}", state, at(number))
    with ledger.reading() as rows:
        everything = [s.study_instance_uid for s in rows.studies()]
        kept = rows.studies(states={State.KEPT})
        second = rows.studies(limit=1, offset=1)
    assert everything == ["1.2.2", "1.2.1", "1.2.0"]
    assert [s.study_instance_uid for s in kept] == ["1.2.2", "1.2.0"]
    assert [s.study_instance_uid for s in second] == ["1.2.1"]


def test_studies_are_counted_by_state(ledger: Ledger) -> None:
    given_study(ledger, "1.2.0", State.KEPT)
    given_study(ledger, "1.2.1", State.KEPT)
    given_study(ledger, "1.2.2", State.RECEIVING)
    with ledger.reading() as rows:
        counts = rows.counts()
        assert [s.study_instance_uid for s in rows.receiving()] == ["1.2.2"]
    assert (counts[State.KEPT], counts[State.RECEIVING]) == (2, 1)
    assert counts[State.HELD] == 0
    assert set(counts) == set(State)


def test_only_what_rested_long_enough_is_purgeable(ledger: Ledger) -> None:
    given_study(ledger, "1.2.0", State.KEPT, at(0))
    given_study(ledger, "1.2.1", State.KEPT, at(100))
    given_study(ledger, "1.2.2", State.PARKED, at(0))
    with ledger.reading() as rows:
        due = rows.purgeable({State.KEPT}, at(100), 10)
    assert [study.study_instance_uid for study in due] == ["1.2.0"]


def test_the_purge_names_every_file_of_the_study(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        study = add_study(rows, state=State.KEPT)
        rows.add_instance(new_instance(1), 1)
        rows.add_results([result_of(study)])
        held = rows.file_names()
        assert set(rows.forget_files(study.id)) == held
        assert rows.file_names() == set()
        assert rows.forget_files(study.id) == []


def test_a_purged_result_is_still_known_as_ours(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        study = add_study(rows, state=State.KEPT)
        rows.add_results([result_of(study)])
        rows.forget_files(study.id)
    with ledger.reading() as rows:
        assert rows.is_own_result(result_of(study).sop_instance_uid)
        assert rows.results(study.id) == [result_of(study)]


def test_the_purge_takes_the_prior_that_was_retrieved_for_the_study(
    ledger: Ledger,
) -> None:
    prior = new_instance(1, PRIOR_UID, Role.RETRIEVED)
    with ledger.writing() as rows:
        study = add_study(rows, state=State.KEPT)
        rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        rows.add_instance(prior, 0)
        assert rows.forget_files(study.id) == [prior.file_name]


def test_the_purge_leaves_a_prior_that_another_study_needs(ledger: Ledger) -> None:
    prior = new_instance(1, PRIOR_UID, Role.RETRIEVED)
    with ledger.writing() as rows:
        first = add_study(rows, "1.2.1", State.KEPT)
        second = add_study(rows, "1.2.2", State.KEPT)
        for study in (first, second):
            rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        rows.add_instance(prior, 0)
        assert rows.forget_files(first.id) == []
        rows.move(first, Event.FILES_PURGED, at(1))
        assert rows.forget_files(second.id) == [prior.file_name]


def test_the_purge_leaves_a_prior_that_is_a_study_here(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        study = add_study(rows, state=State.KEPT)
        add_study(rows, PRIOR_UID, State.KEPT)
        rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        rows.add_instance(new_instance(1, PRIOR_UID, Role.RETRIEVED), 0)
        assert rows.forget_files(study.id) == []


@pytest.mark.parametrize(
    ("events", "due"),
    [
        ((), 0),
        ((Event.PRIOR_SETTLED, Event.REPORT_HELD), 0),
        ((Event.PRIOR_SETTLED, Event.GAVE_UP), 1),
    ],
)
def test_what_serves_a_study_at_work_as_prior_is_not_purgeable(
    ledger: Ledger, events: tuple[Event, ...], due: int
) -> None:
    with ledger.writing() as rows:
        add_study(rows, PRIOR_UID, State.KEPT)
        study = add_study(rows, state=State.SELECTED)
        rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        for event in events:
            study = rows.move(study, event, NOW)
        assert len(rows.purgeable({State.KEPT}, at(1), 10)) == due


def test_a_prior_is_purgeable_once_nobody_is_at_work_on_it(
    ledger: Ledger,
) -> None:
    with ledger.writing() as rows:
        prior = add_study(rows, PRIOR_UID, State.KEPT)
        for uid in ("1.2.1", "1.2.2"):
            study = add_study(rows, uid, State.KEPT)
            rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        due = rows.purgeable({State.KEPT}, at(1), 10)
    assert prior in due


def test_files_of_no_study_are_strays_once_they_are_old(ledger: Ledger) -> None:
    document = new_instance(role=Role.DOCUMENT)
    contradiction = replace(
        document, file_name="instances/2", digest="blake3:" + "f" * 64
    )
    with ledger.writing() as rows:
        rows.add_instance(document, 0)
        rows.quarantine(contradiction, "other content")
        assert rows.forget_strays(NOW) == []
        strays = rows.forget_strays(at(1))
        assert strays == [document.file_name, contradiction.file_name]
        assert rows.forget_strays(at(1)) == []
    with ledger.reading() as rows:
        assert rows.file_names() == set()


def test_files_of_a_study_that_is_here_are_no_strays(
    ledger: Ledger, study: StudyRecord
) -> None:
    with ledger.writing() as rows:
        rows.add_instance(new_instance(role=Role.DOCUMENT), study.revision)
        assert rows.forget_strays(at(1)) == []


def test_a_prior_becomes_a_stray_when_the_study_that_asked_is_purged(
    ledger: Ledger,
) -> None:
    prior = new_instance(1, PRIOR_UID, Role.RETRIEVED)
    with ledger.writing() as rows:
        study = add_study(rows, state=State.KEPT)
        rows.begin_retrieval(PRIOR_UID, study.id, "pacs", NOW, at(600))
        rows.add_instance(prior, 0)
        assert rows.forget_strays(at(1)) == []
        rows.move(study, Event.FILES_PURGED, at(1))
        assert rows.forget_strays(at(1)) == [prior.file_name]


def test_a_contradiction_is_known_by_its_uid_and_its_bytes(ledger: Ledger) -> None:
    new = new_instance()
    with ledger.writing() as rows:
        rows.quarantine(new, "other content")
        assert rows.is_quarantined(new.sop_instance_uid, new.digest)
        assert not rows.is_quarantined(new.sop_instance_uid, "f" * 64)
        assert not rows.is_quarantined("1.2.3.99", new.digest)


def test_a_lost_file_is_named_anew_and_what_is_purged_is_not(ledger: Ledger) -> None:
    again = replace(new_instance(), file_name="instances/again", size=7)
    with ledger.writing() as rows:
        added = rows.add_instance(new_instance(), 1)
        rows.replace_file(added.id, again)
        found = rows.instance(added.sop_instance_uid)
        assert found == replace(added, file_name="instances/again", size=7)
    with pytest.raises(LostRace), ledger.writing() as rows:
        rows.replace_file(added.id + 1, again)


def test_a_purged_image_may_come_again(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        study = add_study(rows, state=State.KEPT)
        rows.add_instance(new_instance(), 1)
        rows.forget_files(study.id)
        again = rows.add_instance(new_instance(), 2)
    assert again.revision == 2


def test_what_is_remembered_last_is_recalled(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        assert rows.recall("device-uid") is None
        rows.remember("device-uid", "2.25.1")
        rows.remember("device-uid", "2.25.2")
    with ledger.reading() as rows:
        assert rows.recall("device-uid") == "2.25.2"


def test_a_snapshot_does_not_see_later_changes(ledger: Ledger) -> None:
    given_study(ledger, "1.2.1")
    with ledger.reading() as rows:
        before = rows.counts()
        given_study(ledger, "1.2.2")
        assert rows.counts() == before
    with ledger.reading() as rows:
        assert rows.counts()[State.COMPLETE] == 2
