from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.archive import open_archive
from dicom_io.commitment import InstanceReference, request_commitment
from dicom_io.errors import PeerRefused
from tests.data.network import (
    LOCAL,
    Recorder,
    at,
    caller,
    listening,
    part10,
    radiograph,
)
from tests.data.peers import free_port

CR = "1.2.840.10008.5.1.4.1.1.1"
HELD = InstanceReference(sop_class_uid=CR, sop_instance_uid="1.2.3.1.1.1")
UNKNOWN = InstanceReference(sop_class_uid=CR, sop_instance_uid="1.2.3.9")


def test_a_report_comes_on_the_association_of_the_request(tmp_path: Path) -> None:
    with open_archive(tmp_path, "ARCHIVE") as archive:
        archive.put(part10(radiograph()))
        remote = at(archive.port, "ARCHIVE")
        report = request_commitment(caller(), remote, [HELD], "1.2.9.1")
    assert report is not None
    assert report.transaction_uid == "1.2.9.1"
    assert report.committed == {"1.2.3.1.1.1"}
    assert report.failed == ()
    assert report.peer_title == "ARCHIVE"


def test_what_the_archive_does_not_hold_is_reported_as_failed(tmp_path: Path) -> None:
    with open_archive(tmp_path, "ARCHIVE") as archive:
        archive.put(part10(radiograph()))
        remote = at(archive.port, "ARCHIVE")
        report = request_commitment(caller(), remote, [HELD, UNKNOWN], "1.2.9.2")
    assert report is not None
    assert report.committed == {"1.2.3.1.1.1"}
    assert report.failed == (("1.2.3.9", 0x0112),)


def test_a_report_on_a_new_association_reaches_our_listener(tmp_path: Path) -> None:
    recorder = Recorder()
    local = replace(LOCAL, port=free_port())
    destination = at(local.port, "MAIRA_GW")
    with open_archive(tmp_path, "ARCHIVE", move_destinations=[destination]) as archive:
        archive.reports_on_new_association = True
        archive.put(part10(radiograph()))
        remote = at(archive.port, "ARCHIVE")
        with listening(recorder, local, [remote]):
            answer = request_commitment(local, remote, [HELD], "1.2.9.3", 0.1)
            assert recorder.reported.wait(5)
    assert answer is None
    assert recorder.reports[0].transaction_uid == "1.2.9.3"
    assert recorder.reports[0].committed == {"1.2.3.1.1.1"}


def test_a_report_that_an_unknown_node_sends_is_not_believed(tmp_path: Path) -> None:
    recorder = Recorder()
    local = replace(LOCAL, port=free_port(), require_calling=False)
    destination = at(local.port, "MAIRA_GW")
    with open_archive(tmp_path, "ARCHIVE", move_destinations=[destination]) as archive:
        archive.reports_on_new_association = True
        remote = at(archive.port, "ARCHIVE")
        with listening(recorder, local, []):
            request_commitment(local, remote, [HELD], "1.2.9.4", 0.1)
    assert recorder.reports == []


def test_a_peer_without_commitment_is_refused() -> None:
    with listening(Recorder()) as listener, pytest.raises(PeerRefused):
        request_commitment(caller(), at(listener.port), [HELD], "1.2.9.5")
