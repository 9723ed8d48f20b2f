"""Where earlier studies come from: an archive on loopback, or files by hand."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dicom_io.ae import AETitle, LocalAE, RemoteAE, Retrieval
from dicom_io.archive import Archive, open_archive
from dicom_io.errors import PeerFailure, PeerUnreachable
from dicom_io.identifiers import StudyQuery
from dicom_io.media import folder_sink
from gateway.pacing import RecentAnswers
from gateway.sources.priors import ArchivePriors, GivenFiles
from tests.data.ports import NOBODYS_PORT
from tests.data.stages import PRIOR_UID, STUDY_UID, Bench, bench_at, prior_film

LOCAL = LocalAE(title=AETitle("MAIRA_GW"), host="127.0.0.1", port=0)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", "ARCHIVE") as opened:
        opened.put(prior_film(tmp_path))
        opened.put(prior_film(tmp_path, "1.2.10", PatientID="P2"))
        yield opened


def source(port: int, retrieval: Retrieval = Retrieval.AUTO) -> ArchivePriors:
    remote = RemoteAE(
        name="pacs",
        title=AETitle("ARCHIVE"),
        host="127.0.0.1",
        port=port,
        retrieval=retrieval,
        deadline_seconds=10.0,
    )
    return ArchivePriors(local=LOCAL, remote=remote)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path) as opened:
        yield opened


def given(bench: Bench) -> GivenFiles:
    return GivenFiles(ledger=bench.site.ledger, spool=bench.site.spool)


def test_an_archive_is_named_as_in_the_settings() -> None:
    assert source(104).name == "pacs"


def test_an_archive_names_the_patients_studies(archive: Archive) -> None:
    found = source(archive.port).find(StudyQuery(patient_id="P1")).studies
    assert [each.study_instance_uid for each in found] == [PRIOR_UID]
    assert found[0].study_date == date(2023, 3, 2)


def test_an_archive_counts_the_instances_of_a_study(archive: Archive) -> None:
    asked = source(archive.port)
    assert [asked.count(uid) for uid in (PRIOR_UID, "1.2.11")] == [1, 0]


def test_an_archive_brings_a_study_and_says_how(
    archive: Archive, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    asked = source(archive.port, Retrieval.GET)
    assert asked.retrieve(PRIOR_UID, folder_sink(folder)).how == "c-get"
    assert [path.name for path in folder.iterdir()] == ["1.2.9.1.1.dcm"]


def test_an_archive_that_is_away_raises(tmp_path: Path) -> None:
    away = source(NOBODYS_PORT)
    with pytest.raises(PeerUnreachable):
        away.find(StudyQuery(patient_id="P1"))
    with pytest.raises(PeerUnreachable):
        away.count(PRIOR_UID)
    with pytest.raises(PeerFailure):
        away.retrieve(PRIOR_UID, folder_sink(tmp_path / "here"))


def test_given_files_answer_for_the_patient_that_is_asked_for(bench: Bench) -> None:
    bench.send(bench.film())
    bench.send(prior_film(bench.folder))
    bench.send(prior_film(bench.folder, "1.2.10", PatientID="P2"))
    found = given(bench).find(StudyQuery(patient_id="P1")).studies
    assert {each.study_instance_uid for each in found} == {STUDY_UID, PRIOR_UID}
    by_uid = {each.study_instance_uid: each for each in found}
    prior = by_uid[PRIOR_UID]
    assert (prior.study_date, prior.modalities) == (date(2023, 3, 2), ("DX",))
    assert (prior.body_part, prior.instance_count) == ("CHEST", 1)


def test_given_files_of_nobody_answer_nothing(bench: Bench) -> None:
    bench.send(bench.film())
    assert given(bench).find(StudyQuery(patient_id="P9")).studies == ()


def test_given_files_do_not_make_anybody_wait(bench: Bench) -> None:
    bench.send(bench.film())
    assert given(bench).count(STUDY_UID) is None


def test_given_files_are_here_already(bench: Bench, tmp_path: Path) -> None:
    bench.send(prior_film(bench.folder))
    folder = tmp_path / "none"
    assert given(bench).retrieve(PRIOR_UID, folder_sink(folder)).how == "given"
    assert list(folder.iterdir()) == []
    assert given(bench).name == "the given files"


def test_a_prior_is_found_among_more_than_a_hundred_given_studies(bench: Bench) -> None:
    bench.send(prior_film(bench.folder))
    bench.clock.add(seconds=1)
    for number in range(101):
        uid = f"1.2.5.{number}"
        film = {"StudyInstanceUID": uid, "SOPInstanceUID": f"{uid}.1"}
        bench.send(bench.film(uid, **film))
    found = given(bench).find(StudyQuery(patient_id="P1")).studies
    assert len(found) == 102
    assert PRIOR_UID in {each.study_instance_uid for each in found}


def test_an_archive_says_whether_all_of_a_study_came(
    archive: Archive, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    asked = source(archive.port, Retrieval.GET)
    assert asked.retrieve(PRIOR_UID, folder_sink(folder)).is_whole


def test_what_was_just_answered_is_not_asked_again(archive: Archive) -> None:
    asked = replace(source(archive.port), recent=RecentAnswers(60))
    first = asked.find(StudyQuery(patient_id="P1"))
    archive.close()
    assert asked.find(StudyQuery(patient_id="P1")) == first
    with pytest.raises(PeerFailure):
        asked.find(StudyQuery(patient_id="P2"))


def test_a_question_that_finds_no_place_says_that_the_archive_is_busy() -> None:
    asked = source(104)
    asked = replace(asked, remote=replace(asked.remote, deadline_seconds=0.01))
    with ExitStack() as held:
        for _ in range(asked.remote.max_queries):
            held.enter_context(asked.pacing.holding("pacs", 2, 1.0))
        with pytest.raises(PeerFailure, match="busy"):
            asked.find(StudyQuery(patient_id="P1"))
