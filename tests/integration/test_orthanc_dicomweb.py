"""Orthanc as an archive that is asked over DICOMweb alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from pydicom import uid

from dicom_io.ae import AETitle, RemoteAE, WebEndpoint
from dicom_io.errors import PeerRefused
from dicom_io.identifiers import StudyQuery
from dicom_io.scu import peer
from dicom_io.status import StoreVerdict
from tests.data.network import LOCAL, Recorder, data_set_bytes, radiograph, written
from tests.data.peers import Orthanc, orthanc, require_dicomweb

pytestmark = pytest.mark.peers


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running Orthanc that holds two films of one study and one of another."""

    orthanc: Orthanc
    archive: RemoteAE
    films: tuple[Path, ...]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("orthanc")
    films = (
        written(folder, radiograph(1, PatientName="Müller^Zoë")),
        written(folder, radiograph(2), uid.DeflatedExplicitVRLittleEndian),
        written(folder, radiograph(3, study=2, PatientID="A&B#=1 2")),
    )
    with orthanc(folder, {}, [require_dicomweb()]) as running:
        archive = RemoteAE(
            name="pacs",
            title=AETitle("ORTHANC"),
            host="",
            port=0,
            deadline_seconds=20.0,
            web=WebEndpoint(url=running.web_url),
        )
        outcomes = peer.store_instances(LOCAL, archive, films)
        assert [o.verdict for o in outcomes] == [StoreVerdict.STORED] * 3
        yield Site(orthanc=running, archive=archive, films=films)


def test_a_peer_without_a_dimse_port_is_checked_by_a_query(site: Site) -> None:
    peer.echo(LOCAL, site.archive)


def test_stow_rs_stores_the_files_as_they_lie_on_disk(site: Site) -> None:
    identities = site.orthanc.get("/instances")
    assert isinstance(identities, list)
    held = [site.orthanc.content(f"/instances/{each}/file") for each in identities]
    assert sorted(map(len, held)) == sorted(f.stat().st_size for f in site.films)
    for film in site.films:
        assert any(data_set_bytes(film) in each for each in held)


def test_qido_rs_names_the_studies_of_one_patient(site: Site) -> None:
    answers = peer.find_studies(
        LOCAL, site.archive, StudyQuery(patient_id="P-1")
    ).studies
    assert [each.study_instance_uid for each in answers] == ["1.2.3.1"]
    assert answers[0].patient.patient_id == "P-1"
    assert answers[0].patient.name == "Müller^Zoë"
    assert answers[0].patient.birth_date == date(1960, 2, 29)
    assert answers[0].study_date == date(2024, 1, 31)
    assert answers[0].accession_number == "A1"
    assert answers[0].study_description == "Thorax"
    assert answers[0].modalities == ("CR",)
    assert answers[0].instance_count == 2


def test_an_unknown_patient_has_no_studies(site: Site) -> None:
    question = StudyQuery(patient_id="P-9")
    assert peer.find_studies(LOCAL, site.archive, question).studies == ()


def test_a_patient_id_that_must_be_escaped_names_no_other_patient(site: Site) -> None:
    # Debian's plugin (1.7) leaves escapes in a query as they are and finds nobody.
    question = StudyQuery(patient_id="A&B#=1 2")
    answers = peer.find_studies(LOCAL, site.archive, question).studies
    assert {each.study_instance_uid for each in answers} <= {"1.2.3.2"}


def test_qido_rs_counts_and_names_the_instances_of_a_study(site: Site) -> None:
    assert peer.count_instances(LOCAL, site.archive, "1.2.3.1") == 2
    assert peer.count_instances(LOCAL, site.archive, "1.2.9") == 0
    found = peer.find_instances(LOCAL, site.archive, "1.2.3.1")
    assert found == {"1.2.3.1.1.1", "1.2.3.1.1.2"}
    series = peer.find_instances(LOCAL, site.archive, "1.2.3.1", "1.2.3.1.1")
    assert series == found


def test_wado_rs_brings_the_bytes_that_the_archive_holds(site: Site) -> None:
    recorder = Recorder()
    brought = peer.retrieve_study(LOCAL, site.archive, "1.2.3.1", recorder.sink)
    assert (brought.service, brought.completed, brought.is_whole) == (
        "wado-rs",
        2,
        True,
    )
    got = {each.facts.sop_instance_uid: bytes(each.data) for each in recorder.incoming}
    assert got == {film.stem: data_set_bytes(film) for film in site.films[:2]}
    assert {each.facts.transfer_syntax_uid for each in recorder.incoming} == {
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }


def test_an_instance_over_the_limit_is_refused_and_the_others_come(site: Site) -> None:
    recorder = Recorder()
    large, small = (len(data_set_bytes(film)) for film in site.films[:2])
    local = replace(LOCAL, max_instance_bytes=(large + small) // 2)
    brought = peer.retrieve_study(local, site.archive, "1.2.3.1", recorder.sink)
    assert (brought.completed, brought.failed, brought.is_whole) == (1, 1, False)
    assert sorted(each.discarded for each in recorder.incoming) == [False, True]


def test_a_study_that_the_archive_does_not_know_is_refused(site: Site) -> None:
    with pytest.raises(PeerRefused, match="HTTP 404"):
        peer.retrieve_study(LOCAL, site.archive, "1.2.9", Recorder().sink)
