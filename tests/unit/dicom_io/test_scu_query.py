import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_io.ae import RemoteAE, Retrieval
from dicom_io.archive import Archive, open_archive
from dicom_io.contexts import message_context
from dicom_io.errors import PeerFailure, PeerRefused, PeerUnreachable
from dicom_io.identifiers import StudyQuery
from dicom_io.scp.listener import Listener
from dicom_io.scu.association import Proposal, associated
from dicom_io.scu.query import (
    count_instances,
    echo,
    find_instances,
    find_studies,
)
from dicom_io.scu.retrieve import retrieve_study
from tests.data.network import (
    LOCAL,
    Recorder,
    at,
    caller,
    data_set_bytes,
    listening,
    part10,
    radiograph,
)
from tests.data.peers import until
from tests.data.ports import NOBODYS_PORT, reserved_port


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", "ARCHIVE") as opened:
        for study, number in ((1, 1), (1, 2), (2, 1)):
            opened.put(part10(radiograph(number, study)))
        opened.put(part10(radiograph(1, 3, PatientID="P-2")))
        yield opened


@pytest.fixture
def remote(archive: Archive) -> RemoteAE:
    return at(archive.port, "ARCHIVE")


def test_the_studies_of_one_patient_are_found(remote: RemoteAE) -> None:
    answers = find_studies(caller(), remote, StudyQuery(patient_id="P-1")).studies
    assert {each.study_instance_uid for each in answers} == {"1.2.3.1", "1.2.3.2"}
    assert {each.patient.patient_id for each in answers} == {"P-1"}
    assert answers[0].instance_count == 2
    assert answers[0].modalities == ("CR",)


def test_no_more_answers_are_read_than_were_asked_for(remote: RemoteAE) -> None:
    query = StudyQuery(patient_id="P-1")
    found = find_studies(caller(), remote, query, limit=1)
    assert len(found.studies) == 1
    assert found.remarks == ("archive names as many as are read, 1: there may be more",)


def test_a_wildcard_is_refused_before_any_connection() -> None:
    with pytest.raises(ValueError, match="no query is sent"):
        find_studies(caller(), at(NOBODYS_PORT), StudyQuery(patient_id="P*"))


def test_instances_of_a_study_are_counted(remote: RemoteAE) -> None:
    assert count_instances(caller(), remote, "1.2.3.1") == 2
    assert count_instances(caller(), remote, "1.2.3.99") == 0


def test_instances_of_a_study_are_named(remote: RemoteAE) -> None:
    found = find_instances(caller(), remote, "1.2.3.1")
    assert found == {"1.2.3.1.1.1", "1.2.3.1.1.2"}
    assert find_instances(caller(), remote, "1.2.3.1", "1.2.3.1.1") == found


def test_a_study_is_fetched_by_c_get_into_the_sink(
    remote: RemoteAE, archive: Archive
) -> None:
    recorder = Recorder()
    retrieved = retrieve_study(caller(), remote, "1.2.3.1", recorder.sink)
    assert (retrieved.service, retrieved.completed) == (Retrieval.GET, 2)
    assert retrieved.is_whole
    originals = [data_set_bytes(each.path) for each in archive.instances()[:2]]
    assert [bytes(each.data) for each in recorder.incoming] == originals
    assert all(each.committed for each in recorder.incoming)
    assert recorder.incoming[0].facts.peer == remote


def test_a_sink_that_refuses_makes_failed_suboperations(remote: RemoteAE) -> None:
    recorder = Recorder(answer=OSError(28, "No space left on device"))
    remote = replace(remote, retrieval=Retrieval.GET)
    retrieved = retrieve_study(caller(), remote, "1.2.3.1", recorder.sink)
    assert (retrieved.completed, retrieved.failed) == (0, 2)
    assert all(each.discarded for each in recorder.incoming)


def test_a_study_is_moved_to_our_listener(tmp_path: Path) -> None:
    recorder = Recorder()
    with reserved_port() as port, ExitStack() as opened:
        local, destination = replace(LOCAL, port=port), at(port, "MAIRA_GW")
        archive = opened.enter_context(
            open_archive(tmp_path, "ARCHIVE", move_destinations=[destination])
        )
        archive.put(part10(radiograph()))
        remote = replace(at(archive.port, "ARCHIVE"), retrieval=Retrieval.MOVE)
        with listening(recorder, local, [remote]):
            retrieved = retrieve_study(local, remote, "1.2.3.1", Recorder().sink)
    assert (retrieved.service, retrieved.completed) == (Retrieval.MOVE, 1)
    # pynetdicom names the mover here; Orthanc names who asked for the move.
    assert recorder.incoming[0].facts.move_originator == "ARCHIVE"


def test_a_peer_without_c_get_is_asked_by_c_move() -> None:
    with (
        listening(Recorder()) as listener,
        pytest.raises(PeerRefused, match="none of the SOP"),
    ):
        retrieve_study(caller(), at(listener.port), "1.2.3.1", Recorder().sink)


def test_a_move_to_an_unknown_destination_is_refused(remote: RemoteAE) -> None:
    moved = replace(remote, retrieval=Retrieval.MOVE)
    with pytest.raises(PeerRefused, match="0xa801"):
        retrieve_study(caller(), moved, "1.2.3.1", Recorder().sink)


def test_an_archive_that_is_down_is_unreachable() -> None:
    with pytest.raises(PeerUnreachable):
        echo(caller(), at(NOBODYS_PORT))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x02\x00",
        b"\x02\x00\x00\x00\x00\xb8\x00\x01",
        b"\x02\x00\xff\xff\xff\xff" + bytes(4096),
        b"\x02\x00\x00\x00\x00\x04\x00\x01\x02\x03",
        b"\x55\x00\x00\x00\x00\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
    ids=["silent", "half header", "half body", "4 GiB", "noise", "unknown", "http"],
)
def test_a_peer_that_is_no_archive_is_given_up_by_the_deadline(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=_answer, args=(server, answer))
        answering.start()
        remote = replace(at(server.getsockname()[1]), deadline_seconds=0.7)
        began = time.monotonic()
        with pytest.raises(PeerFailure):
            echo(caller(), remote)
        assert time.monotonic() - began < 20
        answering.join()


def _answer(server: socket.socket, answer: bytes) -> None:
    """Accept one connection, say `answer`, and wait until the other side closes."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        connection.sendall(answer)
        while connection.recv(4096):
            pass


def test_an_association_that_the_peer_ends_early_makes_it_unreachable() -> None:
    with (
        listening(Recorder()) as listener,
        pytest.raises(PeerUnreachable, match="ended the association"),
    ):
        _echo_after_the_end(listener)


def _echo_after_the_end(listener: Listener) -> None:
    proposal = Proposal(contexts=[message_context(Verification)])
    with associated(caller(), at(listener.port), proposal) as assoc:
        listener.close(0)
        until(lambda: not assoc.is_established, 30, "the association is aborted")
        assoc.send_c_echo()


def test_a_peer_without_query_is_refused() -> None:
    with listening(Recorder()) as listener, pytest.raises(PeerRefused):
        find_studies(caller(), at(listener.port), StudyQuery(patient_id="1"))
