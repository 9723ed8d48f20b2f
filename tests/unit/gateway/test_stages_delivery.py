"""Sending: each destination on its own, an outcome per instance."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)

from config.load import Table
from dicom_io.ae import AETitle, RemoteAE
from dicom_io.archive import open_archive
from dicom_io.results.kinds import PROFILES, OutputProfile
from dicom_io.status import Status
from gateway.away import note_silence
from gateway.ledger import DeliveryState
from gateway.lifecycle import Event, State
from gateway.people import Decider
from gateway.showing.review import Decision, decide
from gateway.stages import delivery
from tests.data.choosy import choosy_archive
from tests.data.network import LOCAL, Recorder, listening
from tests.data.ports import NOBODYS_PORT
from tests.data.stages import STUDY_UID, Bench, bench_at, bench_from, keep_encoded

PAUSES: Table = {
    "delivery": {
        "first_pause_seconds": 10.0,
        "max_pause_seconds": 100.0,
        "give_up_days": 5.0,
    }
}
CLASSES_OF_OLD = (
    EnhancedSRStorage,
    ComprehensiveSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)
ALL = (*CLASSES_OF_OLD, Comprehensive3DSRStorage)
US = RemoteAE(name="us", title=AETitle("MAIRA_GW"), host="127.0.0.1", port=104)


def destination(port: int, name: str = "pacs") -> RemoteAE:
    """A destination whose title is that of our recording listener."""
    return RemoteAE(
        name=name,
        title=LOCAL.title,
        host="127.0.0.1",
        port=port,
        deadline_seconds=10.0,
    )


@contextmanager
def pacs(recorder: Recorder, name: str = "pacs") -> Iterator[RemoteAE]:
    """Run a destination that answers as `recorder` says."""
    with listening(recorder, peers=(US,)) as listener:
        yield destination(listener.port, name)


def away(name: str = "pacs") -> RemoteAE:
    return destination(NOBODYS_PORT, name)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep_encoded(tmp_path_factory.mktemp("encoded"))


@pytest.fixture
def bench(kept: Path, tmp_path: Path) -> Iterator[Bench]:
    with bench_from(kept, tmp_path, PAUSES) as opened:
        yield opened


def store(bench: Bench, *destinations: RemoteAE) -> State:
    """Run the stage once with these destinations."""
    assert bench.at(destinations=destinations).turn(State.ENCODED)
    return bench.study().state


def states(bench: Bench, name: str = "pacs") -> list[DeliveryState]:
    return [row.state for row in bench.deliveries() if row.destination == name]


def sent(recorder: Recorder) -> list[str]:
    return [one.facts.sop_instance_uid for one in recorder.incoming]


def pauses(bench: Bench) -> list[timedelta]:
    now = bench.clock()
    return [row.not_before - now for row in bench.deliveries() if row.not_before]


def retry(bench: Bench) -> None:
    by = Decider(name="A. Person", why="the archive is repaired")
    decide(bench.site.ledger, STUDY_UID, Decision.RETRY, by, bench.clock())


def result_files(bench: Bench) -> list[Path]:
    with bench.site.ledger.reading() as rows:
        results = rows.results(bench.study().id)
    return [bench.site.spool.path(row.file_name) for row in results]


def all_are(state: DeliveryState, found: Sequence[DeliveryState]) -> bool:
    return len(found) == 3 and set(found) == {state}


def test_every_result_is_sent_and_its_outcome_kept(bench: Bench) -> None:
    recorder = Recorder()
    with pacs(recorder) as remote:
        assert store(bench, remote) is State.STORED
    assert all_are(DeliveryState.STORED, states(bench))
    results = {row.sop_instance_uid for row in bench.deliveries()}
    assert set(sent(recorder)) == results
    assert all(one.committed for one in recorder.incoming)
    assert any(told.startswith("pacs: 3 of 3 stored") for told in bench.told())


def test_without_a_destination_the_results_are_kept(bench: Bench) -> None:
    assert store(bench) is State.KEPT
    assert (bench.study().reason or "").startswith("no destination")


def test_a_destination_that_is_away_is_tried_later(bench: Bench) -> None:
    assert store(bench, away()) is State.ENCODED
    assert all_are(DeliveryState.PENDING, states(bench))
    assert bench.study().reason == "waits for pacs"
    assert bench.study().attempts == 0  # no failure of ours
    assert bench.study().not_before == min(
        row.not_before for row in bench.deliveries() if row.not_before
    )


def test_the_pause_before_each_try_grows(bench: Bench) -> None:
    remote = away()
    # first_pause_seconds doubled a try, up to max_pause_seconds; half of it at least.
    for longest in (10, 20, 40, 80, 100, 100):
        assert store(bench, remote) is State.ENCODED
        least, most = timedelta(seconds=longest / 2), timedelta(seconds=longest)
        assert all(least <= pause <= most for pause in pauses(bench))
        bench.clock.add(seconds=100)


def test_what_is_not_due_is_not_sent(bench: Bench) -> None:
    store(bench, away())
    recorder = Recorder()
    with pacs(recorder) as remote:
        site = bench.at(destinations=(remote,))
        assert not site.turn(State.ENCODED)
        bench.clock.add(seconds=11)
        assert site.turn(State.ENCODED)
    assert len(recorder.incoming) == 3
    assert bench.study().state is State.STORED


def test_a_lack_of_resources_is_tried_again(bench: Bench) -> None:
    with pacs(Recorder(answer=Status.OUT_OF_RESOURCES)) as remote:
        assert store(bench, remote) is State.ENCODED
    assert all_are(DeliveryState.PENDING, states(bench))
    assert all((row.detail or "").startswith("0xa700") for row in bench.deliveries())


def test_a_refusal_for_good_parks_the_study_with_the_reason(bench: Bench) -> None:
    with pacs(Recorder(answer=Status.DUPLICATE_CONFLICT)) as remote:
        assert store(bench, remote) is State.PARKED
    assert all_are(DeliveryState.REFUSED, states(bench))
    assert (bench.study().reason or "").startswith("pacs: 0xc111")


def test_a_destination_that_does_not_know_us_parks_the_study(bench: Bench) -> None:
    stranger = replace(US, title=AETitle("SOMEBODY"))
    with listening(Recorder(), peers=(stranger,)) as listener:
        assert store(bench, destination(listener.port)) is State.PARKED
    assert "our calling AE title" in (bench.study().reason or "")


def test_one_bad_destination_does_not_delay_another(bench: Bench) -> None:
    recorder = Recorder()
    with pacs(recorder, "good") as good:
        assert store(bench, away("bad"), good) is State.ENCODED
    assert all_are(DeliveryState.STORED, states(bench, "good"))
    assert all_are(DeliveryState.PENDING, states(bench, "bad"))
    assert bench.study().reason == "waits for bad"


def test_what_a_destination_has_is_not_sent_to_it_again(bench: Bench) -> None:
    recorder = Recorder()
    with pacs(recorder, "good") as good:
        bad = away("bad")
        for _ in range(3):
            assert store(bench, good, bad) is State.ENCODED
            bench.clock.add(seconds=100)
    assert len(recorder.incoming) == 3


def test_a_refusing_destination_does_not_stop_the_tries_at_another(
    bench: Bench,
) -> None:
    with pacs(Recorder(answer=Status.DUPLICATE_CONFLICT), "no") as no:
        bad = away("bad")
        assert store(bench, no, bad) is State.ENCODED
        bench.clock.add(seconds=100)
        with pacs(Recorder(), "bad") as back:
            assert store(bench, no, back) is State.PARKED
    assert all_are(DeliveryState.STORED, states(bench, "bad"))
    assert all_are(DeliveryState.REFUSED, states(bench, "no"))


def test_a_refused_result_is_not_sent_again_by_itself(bench: Bench) -> None:
    recorder = Recorder(answer=Status.DUPLICATE_CONFLICT)
    with pacs(recorder, "no") as no:
        bad = away("bad")
        for _ in range(3):
            assert store(bench, no, bad) is State.ENCODED
            bench.clock.add(seconds=100)
    assert len(recorder.incoming) == 3


def test_a_destination_that_is_away_for_too_long_is_given_up(bench: Bench) -> None:
    remote = away()
    assert store(bench, remote) is State.ENCODED
    bench.clock.add(days=5)
    assert store(bench, remote) is State.ENCODED  # not older than give_up_days
    bench.clock.add(days=1)
    assert store(bench, remote) is State.PARKED
    assert (bench.study().reason or "").startswith("pacs: ")


def test_a_person_has_refused_results_sent_again(bench: Bench) -> None:
    with pacs(Recorder(answer=Status.DUPLICATE_CONFLICT)) as remote:
        store(bench, remote)
    retry(bench)
    bench.clock.add(seconds=100)
    recorder = Recorder()
    with pacs(recorder) as remote:
        assert store(bench, remote) is State.STORED
    assert len(recorder.incoming) == 3


def test_after_a_persons_retry_the_age_begins_anew(bench: Bench) -> None:
    remote = away()
    store(bench, remote)
    bench.clock.add(days=6)
    assert store(bench, remote) is State.PARKED
    retry(bench)
    bench.clock.add(seconds=100)
    assert store(bench, remote) is State.ENCODED
    assert {row.attempts for row in bench.deliveries()} == {1}
    bench.clock.add(days=4)
    assert store(bench, remote) is State.ENCODED


def test_a_retry_leaves_what_was_stored_alone(bench: Bench) -> None:
    recorder = Recorder()
    with pacs(recorder, "good") as good:
        with pacs(Recorder(answer=Status.DUPLICATE_CONFLICT), "no") as no:
            assert store(bench, good, no) is State.PARKED
        retry(bench)
        bench.clock.add(seconds=100)
        with pacs(Recorder(), "no") as no:
            assert store(bench, good, no) is State.STORED
    assert len(recorder.incoming) == 3


def test_a_destination_that_is_set_later_is_filled(bench: Bench) -> None:
    store(bench)
    assert bench.study().state is State.KEPT
    retry(bench)
    recorder = Recorder()
    with pacs(recorder) as remote:
        assert store(bench, remote) is State.STORED
    assert len(recorder.incoming) == 3


def test_a_destination_that_is_added_while_another_is_away_is_filled(
    bench: Bench,
) -> None:
    bad = away("bad")
    store(bench, bad)
    bench.clock.add(seconds=100)
    with pacs(Recorder(), "new") as new:
        assert store(bench, bad, new) is State.ENCODED
    assert all_are(DeliveryState.STORED, states(bench, "new"))


def test_results_that_are_not_to_be_sent_stay_here(tmp_path: Path) -> None:
    overrides: Table = {**PAUSES, "results": {"phrases": ["Nodule."]}}
    recorder = Recorder()
    with bench_at(tmp_path, overrides) as bench, pacs(recorder) as remote:
        bench.reach(State.ENCODED)
        assert store(bench, remote) is State.STORED
        with bench.site.ledger.reading() as rows:
            results = rows.results(bench.study().id)
    assert (len(results), len(recorder.incoming)) == (5, 3)


def test_a_stage_that_runs_again_after_a_crash_sends_nothing_twice(
    bench: Bench,
) -> None:
    recorder = Recorder()
    with pacs(recorder) as remote:
        site = bench.at(destinations=(remote,))
        store(site, remote)
        with bench.site.ledger.writing() as rows:  # as if the move was never made
            rows.move(bench.study(), Event.COMMITMENT_FAILED, bench.clock())
        assert store(bench, remote) is State.STORED
    assert len(recorder.incoming) == 3


def test_an_archive_that_holds_the_results_already_is_content(
    bench: Bench, tmp_path: Path
) -> None:
    with open_archive(tmp_path / "archive", "MAIRA_GW") as archive:
        for row in result_files(bench):
            archive.put(row)
        assert store(bench, destination(archive.port)) is State.STORED
        assert len(archive.instances()) == 3


def test_an_archive_without_comprehensive_3d_gets_the_comprehensive_form(
    bench: Bench,
) -> None:
    with choosy_archive(CLASSES_OF_OLD) as old:
        assert store(bench, old.remote) is State.ENCODED
        bench.clock.add(seconds=1)
        assert store(bench, old.remote) is State.STORED
    assert sorted(states(bench)) == [
        DeliveryState.REPLACED,
        *[DeliveryState.STORED] * 3,
    ]
    findings = [ds for ds in old.stored if ds.SOPClassUID == ComprehensiveSRStorage]
    assert [len(ds.ContentSequence) > 0 for ds in findings] == [True]


def test_the_comprehensive_form_has_the_boxes_of_the_other(bench: Bench) -> None:
    with choosy_archive(CLASSES_OF_OLD) as old, choosy_archive(ALL, "new") as new:
        store(bench, old.remote, new.remote)
        bench.clock.add(seconds=1)
        assert store(bench, old.remote, new.remote) is State.STORED
    (plain,) = (d for d in old.stored if d.SOPClassUID == ComprehensiveSRStorage)
    (full,) = (d for d in new.stored if d.SOPClassUID == Comprehensive3DSRStorage)
    assert plain.ContentSequence == full.ContentSequence
    assert plain.SOPInstanceUID != full.SOPInstanceUID
    assert plain.SeriesInstanceUID != full.SeriesInstanceUID


def test_a_refused_class_without_another_form_is_refused(bench: Bench) -> None:
    with choosy_archive(CLASSES_OF_OLD[:2]) as old:
        store(bench, old.remote)
        bench.clock.add(seconds=1)
        assert store(bench, old.remote) is State.PARKED
    assert "is not accepted" in (bench.study().reason or "")


def test_a_destination_gets_what_its_profile_names(bench: Bench) -> None:
    with choosy_archive(ALL) as viewer:
        ohif = replace(viewer.remote, outputs=PROFILES[OutputProfile.OHIF])
        assert store(bench, ohif) is State.STORED
    assert {ds.SOPClassUID for ds in viewer.stored} == {
        Comprehensive3DSRStorage,
        EnhancedSRStorage,
    }


def new_rows(bench: Bench, name: str) -> None:
    """Put the results on their way to a destination before its first try."""
    study = bench.study()
    with bench.site.ledger.writing() as rows:
        rows.add_deliveries(study.id, study.revision, name, rows.results(study.id))


def test_a_destination_that_left_the_settings_holds_up_nothing(bench: Bench) -> None:
    assert store(bench, away("gone")) is State.ENCODED
    bench.clock.add(seconds=1000)
    with pacs(Recorder(), "new") as new:
        site = bench.at(destinations=(new,))
        assert site.turn(State.ENCODED)
        assert bench.study().state is State.STORED
        assert not site.turn(State.ENCODED)
    assert all_are(DeliveryState.PENDING, states(bench, "gone"))


def test_a_destination_that_left_before_its_first_try_counts_as_none(
    bench: Bench,
) -> None:
    new_rows(bench, "gone")
    assert store(bench) is State.KEPT
    assert bench.study().reason == "no destination"


def test_another_study_gets_its_turn_beside_one_that_is_not_delivered(
    bench: Bench,
) -> None:
    store(bench, away("gone"))
    bench.clock.add(seconds=1000)
    other = {"StudyInstanceUID": "1.2.4", "SOPInstanceUID": "1.2.4.1"}
    bench.send(bench.film("other", **other))
    bench.clock.add(seconds=60)
    site = bench.at(destinations=(away("bad"),))
    for _ in range(9):
        site.turn()
    assert bench.study("1.2.4").state is State.ENCODED


def test_a_persons_retry_sends_at_once(bench: Bench) -> None:
    with pacs(Recorder(answer=Status.DUPLICATE_CONFLICT)) as remote:
        assert store(bench, remote) is State.PARKED
    retry(bench)
    recorder = Recorder()
    with pacs(recorder) as remote:
        assert store(bench, remote) is State.STORED
    assert len(recorder.incoming) == 3


def test_a_retry_reopens_what_was_refused_though_a_destination_was_added(
    bench: Bench,
) -> None:
    with pacs(Recorder(answer=Status.DUPLICATE_CONFLICT), "old") as old:
        assert store(bench, old) is State.PARKED
    retry(bench)
    with pacs(Recorder(), "old") as old, pacs(Recorder(), "new") as new:
        assert store(bench, old, new) is State.STORED
    assert all_are(DeliveryState.STORED, states(bench, "old"))
    assert all_are(DeliveryState.STORED, states(bench, "new"))


def test_a_refused_result_is_not_sent_again_after_a_crash_before_the_move(
    bench: Bench,
) -> None:
    recorder = Recorder(answer=Status.DUPLICATE_CONFLICT)
    with pacs(recorder) as remote:
        site = bench.at(destinations=(remote,)).site
        delivery.store(site, bench.study())  # the worker dies before the move
        bench.clock.add(seconds=1000)
        delivery.store(site, bench.study())
    assert len(recorder.incoming) == 3


def test_a_destination_that_is_left_alone_is_not_called(bench: Bench) -> None:
    recorder = Recorder()
    with pacs(recorder) as remote:
        note_silence(bench.site, "pacs")
        assert store(bench, remote) is State.ENCODED
        assert recorder.incoming == []
        assert {row.attempts for row in bench.deliveries()} == {0}
        bench.clock.add(seconds=10)
        assert store(bench, remote) is State.STORED
    assert len(recorder.incoming) == 3


def test_what_waits_for_a_silent_destination_ages_though_it_is_not_called(
    bench: Bench,
) -> None:
    with pacs(Recorder()) as remote:
        for days in (0, 6):
            bench.clock.add(days=days)
            note_silence(bench.site, "pacs")
            store(bench, remote)
    assert bench.study().state is State.PARKED
