"""What is deleted when the retention time is over, and what stays known."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from config.load import Table
from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource
from gateway.ledger import Document
from gateway.ledger.records import StudyRecord
from gateway.lifecycle import FINAL, Event, State
from gateway.running.retention import BATCH, purge
from tests.data.films import BASIC_TEXT_SR, film_instance
from tests.data.ledgers import given_study
from tests.data.stages import (
    PRIOR_UID,
    START,
    Bench,
    ScriptedPriors,
    answer,
    bench_at,
    prior_film,
)

SETTINGS: Table = {"retention": {"days": 14.0}}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path, SETTINGS) as opened:
        yield opened


@pytest.fixture
def kept(bench: Bench) -> StudyRecord:
    return bench.reach(State.KEPT)


def test_nothing_goes_before_the_time(bench: Bench, kept: StudyRecord) -> None:
    files = bench.kept_files()
    bench.clock.add(days=14)
    assert purge(bench.site) == 0
    assert (bench.study(), bench.kept_files()) == (kept, files)


def test_after_the_time_files_and_rows_are_gone(
    bench: Bench, kept: StudyRecord
) -> None:
    assert len(bench.kept_files()) == 4  # the film and three results
    bench.clock.add(days=14, seconds=1)
    assert purge(bench.site) == 1
    assert bench.kept_files() == []
    assert bench.study().state is State.PURGED
    with bench.site.ledger.reading() as rows:
        assert rows.instances(kept.study_instance_uid) == []
        assert rows.file_names() == set()


def test_the_records_of_a_purged_study_remain(bench: Bench, kept: StudyRecord) -> None:
    bench.clock.add(days=15)
    purge(bench.site)
    with bench.site.ledger.reading() as rows:
        assert rows.document(kept.id, 1, Document.REPORTS) is not None
        assert rows.moves(kept.id)[-1].event is Event.FILES_PURGED
    assert bench.told()[-1] == "4 files after their retention"


def test_a_purged_result_that_comes_back_is_still_known_as_ours(
    bench: Bench, kept: StudyRecord
) -> None:
    with bench.site.ledger.reading() as rows:
        uids = [row.sop_instance_uid for row in rows.results(kept.id)]
    bench.clock.add(days=15)
    purge(bench.site)
    with bench.site.ledger.reading() as rows:
        assert all(rows.is_own_result(uid) for uid in uids)
    bench.send(bench.film("back", SOPInstanceUID=uids[0]))
    assert bench.study().state is State.PURGED


@pytest.mark.parametrize("state", [State.RECEIVING, State.COMPLETE, State.PARKED])
def test_a_study_that_is_not_at_rest_stays(bench: Bench, state: State) -> None:
    given_study(bench.site.ledger, "1.2.50", state, START)
    bench.clock.add(days=400)
    assert purge(bench.site) == 0
    assert bench.study("1.2.50").state is state


def test_a_declined_study_is_purged_too(bench: Bench) -> None:
    given_study(bench.site.ledger, "1.2.50", State.DECLINED, START)
    bench.clock.add(days=15)
    assert purge(bench.site) == 1
    assert bench.study("1.2.50").state is State.PURGED
    assert State.DECLINED in FINAL


def test_a_purge_that_runs_again_finds_nothing(bench: Bench, kept: StudyRecord) -> None:
    bench.clock.add(days=15)
    assert [purge(bench.site), purge(bench.site)] == [1, 0]
    assert kept.state is State.KEPT


def test_one_run_purges_a_batch_and_the_next_the_rest(bench: Bench) -> None:
    with bench.site.ledger.writing() as rows:
        for number in range(BATCH + 2):
            study = rows.open_study(f"1.2.6.{number}", "MODALITY", START)
            whole = rows.move(study, Event.QUIET_PERIOD_ENDED, START)
            rows.move(whole, Event.STUDY_DECLINED, START)
    bench.clock.add(days=15)
    assert [purge(bench.site), purge(bench.site)] == [BATCH, 2]


def test_files_that_are_gone_already_do_not_stop_the_purge(
    bench: Bench, kept: StudyRecord
) -> None:
    bench.kept_files()[0].unlink()
    bench.clock.add(days=15)
    assert purge(bench.site) == 1
    assert bench.study(kept.study_instance_uid).state is State.PURGED


def test_a_new_image_after_the_purge_opens_a_revision_of_its_own(
    bench: Bench, kept: StudyRecord
) -> None:
    bench.clock.add(days=15)
    purge(bench.site)
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
    assert (bench.study().state, bench.study().revision) == (State.RECEIVING, 2)
    assert kept.revision == 1


def test_the_prior_of_a_study_goes_with_it(tmp_path: Path) -> None:
    priors = ScriptedPriors(
        answers=[answer()], holds={PRIOR_UID: [prior_film(tmp_path)]}
    )
    with bench_at(tmp_path, SETTINGS, priors=priors) as bench:
        bench.reach(State.KEPT)
        assert len(bench.kept_files()) == 5
        bench.clock.add(days=15)
        purge(bench.site)
        assert bench.kept_files() == []
        with bench.site.ledger.reading() as rows:
            assert rows.instances(PRIOR_UID) == []


def test_a_prior_that_another_study_still_needs_stays(tmp_path: Path) -> None:
    priors = ScriptedPriors(
        answers=[answer()], holds={PRIOR_UID: [prior_film(tmp_path)]}
    )
    with bench_at(tmp_path, SETTINGS, priors=priors) as bench:
        bench.reach(State.KEPT)
        bench.clock.add(days=10)
        other = {"StudyInstanceUID": "1.2.4", "SOPInstanceUID": "1.2.4.1"}
        bench.send(bench.film("second", **other))
        study = bench.study("1.2.4")
        with bench.site.ledger.writing() as rows:
            now = bench.clock()
            rows.begin_retrieval(PRIOR_UID, study.id, "archive", now, now)
        bench.clock.add(days=5)
        assert purge(bench.site) == 1
        with bench.site.ledger.reading() as rows:
            assert len(rows.instances(PRIOR_UID)) == 1


def test_what_was_quarantined_goes_with_its_study(
    bench: Bench, kept: StudyRecord
) -> None:
    bench.send(bench.film("other", PatientID="P2"))
    assert len(bench.kept_files()) == 5
    bench.clock.add(days=15)
    purge(bench.site)
    assert bench.kept_files() == []
    assert bench.study().id == kept.id


@pytest.fixture
def stray(bench: Bench) -> Path:
    """A report of others and a contradiction to it; no study is theirs."""
    attributes = {"SOPClassUID": BASIC_TEXT_SR, "Modality": "SR"}
    bench.send(bench.film("report", **attributes))
    bench.send(bench.film("other", PatientID="P2", **attributes))
    first, _ = bench.kept_files()
    return first


def test_strays_go_after_the_time_and_that_is_audited(
    bench: Bench, stray: Path
) -> None:
    bench.clock.add(days=14, seconds=1)
    assert purge(bench.site) == 0
    assert bench.kept_files() == []
    assert not stray.exists()
    assert "2 files" in bench.told()[-1]
    with bench.site.ledger.reading() as rows:
        assert rows.file_names() == set()


def test_strays_stay_before_the_time(bench: Bench, stray: Path) -> None:
    bench.clock.add(days=14)
    purge(bench.site)
    assert len(bench.kept_files()) == 2
    assert stray.is_file()


def test_a_run_without_strays_audits_none(bench: Bench) -> None:
    purge(bench.site)
    assert bench.told() == []


def test_a_document_of_a_study_that_is_here_is_no_stray(bench: Bench) -> None:
    bench.received()
    report = {"SOPClassUID": BASIC_TEXT_SR, "SOPInstanceUID": "1.2.3.9"}
    bench.send(bench.film("report", **report))
    bench.clock.add(days=400)
    purge(bench.site)
    assert len(bench.kept_files()) == 2


def test_a_prior_that_a_study_here_retrieved_is_no_stray(tmp_path: Path) -> None:
    priors = ScriptedPriors(
        answers=[answer()], holds={PRIOR_UID: [prior_film(tmp_path)]}
    )
    with bench_at(tmp_path, SETTINGS, priors=priors) as bench:
        bench.reach(State.GATHERED)
        bench.clock.add(days=400)
        purge(bench.site)
        assert len(bench.kept_files()) == 2


def test_a_current_film_that_serves_as_prior_stays_until_it_is_read(
    tmp_path: Path,
) -> None:
    with bench_at(tmp_path, SETTINGS, priors=ScriptedPriors()) as bench:
        bench.send(prior_film(tmp_path))
        bench.clock.add(seconds=60)
        bench.complete()
        while bench.turn():
            pass
        bench.clock.add(days=14)
        gathering = bench.at(priors=ScriptedPriors(answers=[answer()]))
        gathering.reach(State.GATHERED)
        assert purge(bench.site) == 0
        assert bench.turn(State.GATHERED)
        assert bench.engine.asked[-1].inputs.prior_frontal is not None
        while bench.turn():
            pass
        assert purge(bench.site) == 1
        assert bench.study(PRIOR_UID).state is State.PURGED


class LateImage:
    """A clock at whose second look, after the list was read, an image arrives."""

    def __init__(self, bench: Bench, study: StudyRecord) -> None:
        self.bench, self.study, self.looks = bench, study, 0

    def __call__(self) -> datetime:
        self.looks += 1
        if self.looks == 2:
            with self.bench.site.ledger.writing() as rows:
                rows.move(self.study, Event.IMAGE_ARRIVED, self.bench.clock())
        return self.bench.clock()


def test_a_new_image_during_the_purge_stops_only_its_own_study(bench: Bench) -> None:
    reopened = given_study(bench.site.ledger, "1.2.50", State.DECLINED, START)
    given_study(bench.site.ledger, "1.2.51", State.DECLINED, START)
    bench.clock.add(days=15)
    assert purge(bench.at(clock=LateImage(bench, reopened)).site) == 1
    assert bench.study("1.2.50").state is State.RECEIVING
    assert bench.study("1.2.51").state is State.PURGED


def test_messages_go_after_their_own_time(bench: Bench) -> None:
    order = Order(
        source=OrderSource.HL7,
        document="PL1",
        accession_number="ACC1",
        patient=film_instance().patient,
    )
    with bench.site.ledger.writing() as rows:
        rows.put_message(order, bench.clock())
    bench.clock.add(days=3650)
    purge(bench.site)
    with bench.site.ledger.reading() as rows:
        assert rows.orders("ACC1") == [order]
    bench.clock.add(seconds=1)
    purge(bench.site)
    with bench.site.ledger.reading() as rows:
        assert rows.orders("ACC1") == []
