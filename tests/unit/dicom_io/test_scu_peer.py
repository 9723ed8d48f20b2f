"""Each service goes the way that the settings name for it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.ae import AETitle, RemoteAE, WebService
from dicom_io.archive import open_archive
from dicom_io.errors import PeerUnreachable
from dicom_io.identifiers import StudyQuery
from dicom_io.scu import peer
from dicom_io.status import StoreVerdict
from tests.data.network import LOCAL, Recorder, at, radiograph, written
from tests.data.web import Answer, Service, serving

QUESTION = StudyQuery(patient_id="P-1")


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Answer(body=b"[]")) as running:
        yield running


@pytest.fixture
def both(tmp_path: Path, service: Service) -> Iterator[RemoteAE]:
    """Return an archive with one film over DIMSE, and nothing over DICOMweb."""
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        archive.put(written(tmp_path, radiograph(1)))
        yield replace(at(archive.port, "ARCHIVE"), web=service.remote().web)


def over_web_only(remote: RemoteAE, service: WebService) -> RemoteAE:
    assert remote.web is not None
    return replace(remote, web=replace(remote.web, services=frozenset({service})))


def test_a_query_goes_over_dicomweb_where_that_is_offered(both: RemoteAE) -> None:
    assert peer.find_studies(LOCAL, both, QUESTION).studies == ()
    assert peer.count_instances(LOCAL, both, "1.2.3.1") == 0
    assert peer.find_instances(LOCAL, both, "1.2.3.1") == frozenset()


def test_a_query_goes_over_dimse_where_dicomweb_does_not_offer_it(
    both: RemoteAE,
) -> None:
    remote = over_web_only(both, WebService.STORE)
    assert len(peer.find_studies(LOCAL, remote, QUESTION).studies) == 1
    assert peer.count_instances(LOCAL, remote, "1.2.3.1") == 1
    assert peer.find_instances(LOCAL, remote, "1.2.3.1") == {"1.2.3.1.1.1"}


def test_a_retrieval_goes_the_way_of_its_own_service(both: RemoteAE) -> None:
    dimse = over_web_only(both, WebService.QUERY)
    recorder = Recorder()
    brought = peer.retrieve_study(LOCAL, dimse, "1.2.3.1", recorder.sink)
    assert (brought.service, brought.completed) == ("c-get", 1)


def test_a_store_goes_the_way_of_its_own_service(
    both: RemoteAE, service: Service, tmp_path: Path
) -> None:
    film = written(tmp_path, radiograph(2))
    outcomes = peer.store_instances(
        LOCAL, over_web_only(both, WebService.STORE), [film]
    )
    assert [each[:2] for each in service.asked] == [("POST", "/dicom-web/studies")]
    assert [each.verdict for each in outcomes] == [StoreVerdict.STORED]


def test_a_peer_with_a_dimse_port_is_checked_there(
    both: RemoteAE, service: Service
) -> None:
    peer.echo(LOCAL, both)
    assert service.asked == []


def test_a_peer_without_a_dimse_port_is_checked_by_a_query(service: Service) -> None:
    peer.echo(LOCAL, service.remote())
    assert [each[0] for each in service.asked] == ["GET"]


def test_a_peer_that_is_gone_fails_its_check() -> None:
    with serving(Answer()) as gone:
        remote = gone.remote()
    with pytest.raises(PeerUnreachable):
        peer.echo(LOCAL, replace(remote, title=AETitle("GONE")))
