"""Orthanc as the archive."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydicom import uid

from benchmarks.rounds import free_port
from dicom_io.ae import LocalAE, RemoteAE, Retrieval
from dicom_io.identifiers import StudyQuery
from dicom_io.scu.commitment import InstanceReference, request_commitment
from dicom_io.scu.query import (
    count_instances,
    echo,
    find_instances,
    find_studies,
)
from dicom_io.scu.retrieve import retrieve_study
from dicom_io.scu.send import store_instances
from dicom_io.status import StoreVerdict
from tests.data.network import (
    LOCAL,
    Recorder,
    at,
    data_set_bytes,
    listening,
    radiograph,
    written,
)
from tests.data.peers import Orthanc, orthanc

pytestmark = pytest.mark.peers

CR = uid.ComputedRadiographyImageStorage


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running Orthanc that holds two films of one study, and who we are to it."""

    orthanc: Orthanc
    local: LocalAE
    archive: RemoteAE
    films: tuple[Path, ...]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("orthanc")
    local = replace(LOCAL, port=free_port())
    films = tuple(written(folder, radiograph(number)) for number in (1, 2))
    with orthanc(folder, {local.title: local.port}) as peer:
        archive = at(peer.port, peer.title)
        outcomes = store_instances(local, archive, films)
        assert {each.verdict for each in outcomes} == {StoreVerdict.STORED}
        yield Site(orthanc=peer, local=local, archive=archive, films=films)


def test_orthanc_answers_and_holds_what_was_sent(site: Site) -> None:
    echo(site.local, site.archive)
    identities = site.orthanc.get("/instances")
    assert isinstance(identities, list)
    held = [site.orthanc.content(f"/instances/{each}/file") for each in identities]
    assert all(any(film in each for each in held) for film in _contents(site))


def _contents(site: Site) -> list[bytes]:
    return [data_set_bytes(film) for film in site.films]


def test_orthanc_finds_the_studies_of_a_patient(site: Site) -> None:
    question = StudyQuery(patient_id="P-1")
    answers = find_studies(site.local, site.archive, question).studies
    assert [each.study_instance_uid for each in answers] == ["1.2.3.1"]
    assert answers[0].patient.sex == "F"
    assert answers[0].instance_count == 2
    nobody = StudyQuery(patient_id="P-9")
    assert find_studies(site.local, site.archive, nobody).studies == ()


def test_orthanc_counts_and_names_the_instances_of_a_study(site: Site) -> None:
    assert count_instances(site.local, site.archive, "1.2.3.1") == 2
    found = find_instances(site.local, site.archive, "1.2.3.1")
    assert found == {"1.2.3.1.1.1", "1.2.3.1.1.2"}


def test_a_study_comes_from_orthanc_by_c_get(site: Site) -> None:
    recorder = Recorder()
    retrieved = retrieve_study(site.local, site.archive, "1.2.3.1", recorder.sink)
    assert (retrieved.service, retrieved.completed) == (Retrieval.GET, 2)
    got = sorted(bytes(each.data) for each in recorder.incoming)
    assert got == sorted(_contents(site))


def test_a_study_comes_from_orthanc_by_c_move(site: Site) -> None:
    recorder = Recorder()
    archive = replace(site.archive, retrieval=Retrieval.MOVE, may_store=False)
    with listening(recorder, site.local, [archive]):
        retrieved = retrieve_study(site.local, archive, "1.2.3.1", recorder.sink)
    assert (retrieved.service, retrieved.completed) == (Retrieval.MOVE, 2)
    assert {each.facts.move_originator for each in recorder.incoming} == {"MAIRA_GW"}
    got = sorted(bytes(each.data) for each in recorder.incoming)
    assert got == sorted(_contents(site))


def test_orthanc_commits_on_a_new_association(site: Site) -> None:
    recorder = Recorder()
    uids = ("1.2.3.1.1.1", "1.2.3.1.1.2", "1.2.3.1.1.3")
    references = [InstanceReference(sop_class_uid=CR, sop_instance_uid=u) for u in uids]
    with listening(recorder, site.local, [site.archive]):
        came = request_commitment(
            site.local,
            site.archive,
            references,
            "1.2.9.1",
            recorder.report,
            wait_seconds=0.1,
        )
        assert recorder.reported.wait(15)
    assert not came
    report = recorder.reports[0]
    assert report.transaction_uid == "1.2.9.1"
    assert report.committed == set(uids[:2])
    assert [each[0] for each in report.failed] == [uids[2]]
