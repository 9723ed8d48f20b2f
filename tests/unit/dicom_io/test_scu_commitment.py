import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.archive import Archive, open_archive
from dicom_io.errors import PeerRefused
from dicom_io.scu.commitment import (
    CommitmentReport,
    InstanceReference,
    request_commitment,
)
from tests.data.network import (
    LOCAL,
    MODALITY,
    Recorder,
    at,
    caller,
    listening,
    part10,
    radiograph,
)
from tests.data.peers import until
from tests.data.ports import reserved_port

PUSH_MODEL = "1.2.840.10008.1.20.1"
PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
HELD = InstanceReference(sop_class_uid=CR, sop_instance_uid="1.2.3.1.1.1")
UNKNOWN = InstanceReference(sop_class_uid=CR, sop_instance_uid="1.2.3.9")


@contextmanager
def reporting_elsewhere(
    folder: Path, recorder: Recorder
) -> Iterator[tuple[LocalAE, RemoteAE]]:
    """Run a listener of ours, and an archive that holds a film and reports to it."""
    with reporting_archive(folder, "ARCHIVE") as (archive, local):
        archive.put(part10(radiograph()))
        remote = at(archive.port, "ARCHIVE")
        with listening(recorder, local, [remote]):
            yield local, remote


@contextmanager
def reporting_archive(folder: Path, title: str) -> Iterator[tuple[Archive, LocalAE]]:
    """Run an archive that reports on new associations, to where we are to listen."""
    with reserved_port() as port, ExitStack() as opened:
        destination = at(port, "MAIRA_GW")
        archive = opened.enter_context(
            open_archive(folder, title, move_destinations=[destination])
        )
        archive.reports_on_new_association = True
        yield archive, replace(LOCAL, port=port)


def test_a_report_comes_on_the_association_of_the_request(tmp_path: Path) -> None:
    with open_archive(tmp_path, "ARCHIVE") as archive:
        archive.put(part10(radiograph()))
        remote = at(archive.port, "ARCHIVE")
        reports: list[CommitmentReport] = []
        began = time.monotonic()
        assert request_commitment(
            caller(), remote, [HELD], "1.2.9.1", reports.append, wait_seconds=120
        )
        assert time.monotonic() - began < 60
    (report,) = reports
    assert report.transaction_uid == "1.2.9.1"
    assert report.committed == {"1.2.3.1.1.1"}
    assert report.failed == ()
    assert (report.peer_title, report.peer_name) == ("ARCHIVE", "archive")


def test_what_the_archive_does_not_hold_is_reported_as_failed(tmp_path: Path) -> None:
    with open_archive(tmp_path, "ARCHIVE") as archive:
        archive.put(part10(radiograph()))
        remote = at(archive.port, "ARCHIVE")
        reports: list[CommitmentReport] = []
        request_commitment(caller(), remote, [HELD, UNKNOWN], "1.2.9.2", reports.append)
    (report,) = reports
    assert report.committed == {"1.2.3.1.1.1"}
    assert report.failed == (("1.2.3.9", 0x0112),)


def test_a_report_on_a_new_association_reaches_our_listener(tmp_path: Path) -> None:
    recorder = Recorder()
    with reporting_elsewhere(tmp_path, recorder) as (local, remote):
        came = request_commitment(
            local, remote, [HELD], "1.2.9.3", recorder.report, wait_seconds=0.1
        )
        assert recorder.reported.wait(30)
    assert not came
    assert recorder.reports[0].transaction_uid == "1.2.9.3"
    assert recorder.reports[0].committed == {"1.2.3.1.1.1"}
    assert recorder.reports[0].peer_title == "ARCHIVE"
    assert recorder.reports[0].peer_name == "archive"


def test_nobody_waits_for_a_report_that_came_to_our_listener(tmp_path: Path) -> None:
    recorder = Recorder()
    with reporting_elsewhere(tmp_path, recorder) as (local, remote):
        began = time.monotonic()
        came = request_commitment(
            local,
            remote,
            [HELD],
            "1.2.9.6",
            recorder.report,
            wait_seconds=60,
            is_over=recorder.reported.is_set,
        )
        assert time.monotonic() - began < 30
    assert not came
    assert [report.transaction_uid for report in recorder.reports] == ["1.2.9.6"]


def test_a_report_that_an_unknown_node_sends_is_not_believed(tmp_path: Path) -> None:
    recorder = Recorder()
    with reporting_archive(tmp_path, "ARCHIVE") as (archive, local):
        remote = at(archive.port, "ARCHIVE")
        with listening(recorder, replace(local, require_calling=False), []):
            request_commitment(
                local, remote, [HELD], "1.2.9.4", recorder.report, wait_seconds=0.1
            )
    assert recorder.reports == []


def test_a_peer_without_commitment_is_refused() -> None:
    with listening(Recorder()) as listener, pytest.raises(PeerRefused):
        request_commitment(
            caller(), at(listener.port), [HELD], "1.2.9.5", Recorder().report
        )


def test_a_report_on_a_title_that_the_archive_only_sends_with_names_the_archive(
    tmp_path: Path,
) -> None:
    recorder = Recorder()
    with reporting_archive(tmp_path, "ROOM2") as (archive, local):
        remote = at(archive.port, "ROOM2")
        known = replace(MODALITY, send_titles=(AETitle("ROOM2"),))
        with listening(recorder, local, [known]):
            request_commitment(
                local, remote, [HELD], "1.2.9.6", recorder.report, wait_seconds=0.1
            )
            assert recorder.reported.wait(30)
    assert recorder.reports[0].peer_title == "ROOM2"
    assert recorder.reports[0].peer_name == "x-ray"


def test_every_report_of_the_association_is_taken_and_ours_ends_the_wait() -> None:
    reports: list[CommitmentReport] = []
    with _reporting(["1.2.9.100", "1.2.9.7"]) as (remote, statuses):
        came = request_commitment(
            caller(), remote, [HELD], "1.2.9.7", reports.append, wait_seconds=20
        )
        until(lambda: len(statuses) == 2, 30, "both reports are answered")
    assert came
    assert [each.transaction_uid for each in reports] == ["1.2.9.100", "1.2.9.7"]
    assert statuses == [0x0000, 0x0000]


def test_a_report_of_another_transaction_does_not_end_the_wait() -> None:
    reports: list[CommitmentReport] = []
    with _reporting(["1.2.9.100"]) as (remote, statuses):
        came = request_commitment(
            caller(),
            remote,
            [HELD],
            "1.2.9.8",
            reports.append,
            wait_seconds=30,
            is_over=lambda: bool(statuses),
        )
    assert not came
    assert [each.transaction_uid for each in reports] == ["1.2.9.100"]
    assert statuses == [0x0000]


def test_a_report_that_could_not_be_taken_is_answered_with_a_failure() -> None:
    def broken(_report: CommitmentReport) -> None:
        raise OSError(28, "No space left on device")

    with _reporting(["1.2.9.9"]) as (remote, statuses):
        came = request_commitment(
            caller(),
            remote,
            [HELD],
            "1.2.9.9",
            broken,
            wait_seconds=30,
            is_over=lambda: bool(statuses),
        )
    assert not came
    assert statuses == [0x0110]


@contextmanager
def _reporting(
    transactions: Sequence[str],
) -> Iterator[tuple[RemoteAE, list[int | None]]]:
    """Run an archive that reports on transactions; yields how it is answered.

    An answer that does not come is None.
    """
    statuses: list[int | None] = []
    senders: list[Thread] = []

    def send(assoc: Association) -> None:
        for transaction in transactions:
            report = Dataset()
            report.TransactionUID = transaction
            answer, _ = assoc.send_n_event_report(report, 1, PUSH_MODEL, PUSH_INSTANCE)
            statuses.append(answer.get("Status"))

    def requested(event: Event) -> tuple[int, None]:
        senders.append(Thread(target=send, args=(event.assoc,)))
        return 0x0000, None

    def sent(_event: Event) -> None:
        if senders and senders[0].ident is None:
            senders[0].start()

    ae = AE("ARCHIVE")
    ae.add_supported_context(PUSH_MODEL)
    server = ae.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_N_ACTION, requested), (evt.EVT_PDU_SENT, sent)],
    )
    assert server is not None
    try:
        yield at(int(server.server_address[1]), "ARCHIVE"), statuses
        for sender in senders:
            sender.join(30)
    finally:
        server.shutdown()
