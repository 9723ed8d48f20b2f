"""Retraction: what was withdrawn, who is told, and what the documents say."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)

from config.load import Table
from dicom_io.ae import Proof, RemoteAE
from gateway.errors import IllegalMove, NoSuchStudy, RoleNotStated
from gateway.ledger import DeliveryState
from gateway.lifecycle import Event, State
from gateway.people import Decider, PersonRole
from gateway.showing.review import Decision, decide
from gateway.stages import delivery
from gateway.stages.withdrawal import retract
from tests.data.choosy import ChoosyArchive, choosy_archive
from tests.data.ports import NOBODYS_PORT
from tests.data.stages import STUDY_UID, Bench, bench_at

CLASSES = (
    EnhancedSRStorage,
    Comprehensive3DSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)
A_PHRASE: Table = {
    "results": {"tasks": [], "phrases": ["Left effusion."], "send_phrases": True}
}
ANNA = Decider(name="Anna", why="wrong patient <b>", role=PersonRole.RADIOLOGIST)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path) as opened:
        yield opened


@pytest.fixture
def archive() -> Iterator[ChoosyArchive]:
    with choosy_archive(CLASSES) as opened:
        yield opened


def without_proof(*remotes: RemoteAE) -> tuple[RemoteAE, ...]:
    return tuple(replace(remote, proof=Proof.NONE) for remote in remotes)


def withdraw(bench: Bench, by: Decider = ANNA) -> None:
    retract(bench.site.ledger, STUDY_UID, by, bench.clock())


def finish(bench: Bench) -> State:
    while bench.turn():
        pass
    return bench.study().state


def newest(archive: ChoosyArchive) -> Dataset:
    return archive.stored[-1]


def predecessors(ds: Dataset) -> set[str]:
    return {
        str(item.ReferencedSOPInstanceUID)
        for study in ds.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def words(ds: Dataset) -> str:
    found: list[str] = []
    for item in ds.get("ContentSequence", ()):
        found += [str(item.get("TextValue", "")), words(item)]
    return " ".join(found)


def test_who_got_results_gets_a_narrative_that_withdraws_them(
    bench: Bench, archive: ChoosyArchive
) -> None:
    told = bench.at(destinations=without_proof(archive.remote))
    told.reach(State.COMMITTED)
    sent = list(archive.stored)
    withdraw(told)
    assert finish(told) is State.WITHDRAWN
    assert len(archive.stored) == len(sent) + 1
    last = newest(archive)
    assert last.SOPClassUID == EnhancedSRStorage
    assert "WITHDRAWN" in words(last)
    assert "Reason, given by a radiologist: wrong patient <b>" in words(last)
    documents = {str(d.SOPInstanceUID) for d in sent if d.Modality == "SR"}
    assert predecessors(last) == documents


def test_a_withdrawal_names_no_person(bench: Bench, archive: ChoosyArchive) -> None:
    told = bench.at(destinations=without_proof(archive.remote))
    told.reach(State.COMMITTED)
    withdraw(told)
    finish(told)
    assert "Anna" not in str(newest(archive))
    assert any("Anna (radiologist): wrong patient" in line for line in told.told())


def test_a_withdrawal_has_a_series_of_its_own(
    bench: Bench, archive: ChoosyArchive
) -> None:
    told = bench.at(destinations=without_proof(archive.remote))
    told.reach(State.COMMITTED)
    withdraw(told)
    finish(told)
    series = [str(ds.SeriesInstanceUID) for ds in archive.stored]
    assert len(set(series)) == len(series)


def test_who_never_got_a_result_is_not_told(bench: Bench) -> None:
    with ExitStack() as open_archives:
        had = open_archives.enter_context(choosy_archive(CLASSES, "had"))
        new = open_archives.enter_context(choosy_archive(CLASSES, "new"))
        first = bench.at(destinations=without_proof(had.remote))
        first.reach(State.COMMITTED)
        withdraw(first)
        both = bench.at(destinations=without_proof(had.remote, new.remote))
        assert finish(both) is State.WITHDRAWN
        assert (len(had.stored), len(new.stored)) == (4, 0)


def test_results_that_stayed_here_are_withdrawn_here(bench: Bench) -> None:
    bench.reach(State.KEPT)
    withdraw(bench)
    assert finish(bench) is State.WITHDRAWN
    assert bench.deliveries() == []


def test_who_may_have_got_a_result_is_told_though_nothing_was_answered(
    bench: Bench,
) -> None:
    silent = RemoteAE(
        name="pacs",
        title=bench.site.local.title,
        host="127.0.0.1",
        port=NOBODYS_PORT,
        deadline_seconds=5.0,
    )
    tried = bench.at(destinations=(silent,))
    tried.reach(State.ENCODED)
    tried.turn(State.ENCODED)
    withdraw(tried)
    tried.turn(State.REPORTED)
    tried.turn(State.ENCODED)
    assert [row.state for row in tried.deliveries()] == [DeliveryState.PENDING]


def test_who_is_being_sent_results_when_they_are_retracted_is_told(
    bench: Bench,
) -> None:
    told: list[Bench] = []

    def retract_at_once() -> None:
        withdraw(told[0])
        assert told[0].turn(State.REPORTED)
        assert told[0].turn(State.ENCODED)

    with choosy_archive(CLASSES, meanwhile=retract_at_once) as archive:
        told.append(bench.at(destinations=without_proof(archive.remote)))
        told[0].reach(State.ENCODED)
        told[0].turn(State.ENCODED)
        assert finish(told[0]) is State.WITHDRAWN
    assert "WITHDRAWN" in words(newest(archive)) + words(archive.stored[1])


def test_a_sending_that_has_not_begun_when_results_are_retracted_sends_nothing(
    bench: Bench,
) -> None:
    with choosy_archive(CLASSES, "late") as late:
        remotes = without_proof(late.remote)
        sends = bench.at(destinations=remotes)
        sends.reach(State.ENCODED)
        study = sends.study()
        with sends.site.ledger.writing() as rows:
            results = rows.results(study.id, study.revision)
            rows.add_deliveries(study.id, study.revision, "late", results)
            due = rows.deliveries(study.id, study.revision, "late")
        withdraw(sends)
        delivery._send(sends.site, study, remotes[0], due)
    assert late.stored == []


def test_who_got_results_while_they_were_retracted_is_told(bench: Bench) -> None:
    sending: list[Bench] = []
    with ExitStack() as open_archives:
        first = open_archives.enter_context(
            choosy_archive(CLASSES, "first", lambda: withdraw(sending[0]))
        )
        second = open_archives.enter_context(choosy_archive(CLASSES, "second"))
        remotes = without_proof(first.remote, second.remote)
        sending.append(bench.at(destinations=remotes))
        sending[0].reach(State.ENCODED)
        sending[0].turn(State.ENCODED)
        assert finish(sending[0]) is State.WITHDRAWN
    # All destinations are sent to at once: the second may have begun, or not.
    assert len(first.stored) == 4
    assert len(second.stored) in (0, 4)
    for archive in (first, second):
        assert not archive.stored or "WITHDRAWN" in words(newest(archive))


def test_a_withdrawal_is_sent_whatever_of_the_reading_is_sent_now(
    tmp_path: Path, archive: ChoosyArchive
) -> None:
    with bench_at(tmp_path, A_PHRASE) as opened:
        sends = opened.at(destinations=without_proof(archive.remote))
        sends.reach(State.COMMITTED)
        wanted = sends.site.settings
        results = wanted.results.model_copy(update={"send_phrases": False})
        changed = wanted.model_copy(update={"results": results})
        silent = sends.at(settings=changed)
        withdraw(silent)
        assert finish(silent) is State.WITHDRAWN
    assert "WITHDRAWN" in words(newest(archive))


def test_the_ledger_keeps_what_was_withdrawn(bench: Bench) -> None:
    bench.reach(State.KEPT)
    withdraw(bench)
    finish(bench)
    study = bench.study()
    assert (study.state, study.revision) == (State.WITHDRAWN, 2)
    with bench.site.ledger.reading() as rows:
        kinds = [result.kind for result in rows.results(study.id)]
    assert sorted(kinds) == ["findings-sr", "gsps", "narrative-sr", "withdrawal-sr"]


def test_a_withdrawal_is_unverified_preliminary_and_for_research(bench: Bench) -> None:
    bench.reach(State.KEPT)
    withdraw(bench)
    finish(bench)
    study = bench.study()
    with bench.site.ledger.reading() as rows:
        (made,) = rows.results(study.id, study.revision)
    data = bench.site.spool.path(made.file_name).read_bytes()
    ds = dcmread(BytesIO(data))
    assert ds.SOPInstanceUID == made.sop_instance_uid
    assert (ds.VerificationFlag, ds.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert ds.ContentQualification == "RESEARCH"


def test_a_late_image_after_a_withdrawal_is_read_anew(bench: Bench) -> None:
    bench.reach(State.KEPT)
    withdraw(bench)
    finish(bench)
    bench.send(bench.film("late", SOPInstanceUID="1.2.3.99"))
    bench.clock.add(seconds=60)
    assert bench.complete() == 1
    assert finish(bench) is State.KEPT
    assert bench.study().revision == 3


def test_results_are_withdrawn_though_what_came_later_was_rejected(
    bench: Bench, archive: ChoosyArchive
) -> None:
    told = bench.at(destinations=without_proof(archive.remote))
    told.reach(State.COMMITTED)
    told.send(told.film("late", SOPInstanceUID="1.2.3.99"))
    with told.site.ledger.writing() as rows:
        rows.move(told.study(), Event.GAVE_UP, told.clock())
    decide(told.site.ledger, STUDY_UID, Decision.REJECT, ANNA, told.clock())
    withdraw(told)
    assert finish(told) is State.WITHDRAWN
    assert "WITHDRAWN" in words(newest(archive))


@pytest.mark.parametrize("state", [State.GATHERED, State.REPORTED, State.RECEIVING])
def test_a_study_without_results_cannot_be_retracted(
    bench: Bench, state: State
) -> None:
    if state is State.RECEIVING:
        bench.send(bench.film())
    else:
        bench.reach(state)
    with pytest.raises(IllegalMove, match="no results"):
        withdraw(bench)
    assert bench.study().state is state


def test_a_study_is_not_retracted_twice(bench: Bench) -> None:
    bench.reach(State.KEPT)
    withdraw(bench)
    finish(bench)
    with pytest.raises(IllegalMove):
        withdraw(bench)


def test_a_retraction_is_decided_in_a_role(bench: Bench) -> None:
    bench.reach(State.KEPT)
    with pytest.raises(RoleNotStated, match="radiologist"):
        withdraw(bench, replace(ANNA, role=None))


def test_an_unknown_study_cannot_be_retracted(bench: Bench) -> None:
    with pytest.raises(NoSuchStudy):
        retract(bench.site.ledger, "1.2.3.4.5", ANNA, bench.clock())


def test_a_withdrawal_that_stopped_is_retracted_again_not_read(bench: Bench) -> None:
    bench.reach(State.KEPT)
    withdraw(bench)
    study = bench.study()
    with bench.site.ledger.reading() as rows:
        (film,) = rows.instances(STUDY_UID)
    frontal = bench.site.spool.path(film.file_name)
    hidden = frontal.rename(frontal.with_suffix(".gone"))
    for _ in range(20):
        bench.turn(State.REPORTED)
        bench.clock.add(seconds=3600)
    assert bench.study().state is State.PARKED
    with pytest.raises(IllegalMove, match="retract it again"):
        decide(bench.site.ledger, STUDY_UID, Decision.RETRY, ANNA, bench.clock())
    hidden.rename(frontal)
    withdraw(bench)
    assert finish(bench) is State.WITHDRAWN
    assert bench.study().revision == study.revision + 1
