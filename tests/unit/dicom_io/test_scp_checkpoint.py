"""The thread of an association takes no answer that somebody else waits for."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.pdu_primitives import A_P_ABORT
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    Verification,
)

from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.archive import open_archive
from dicom_io.contexts import message_context
from dicom_io.scp.checkpoint import Checkpoint, rest_at_checkpoint
from dicom_io.scu.association import Proposal, associated
from tests.data.processes import wait_until

SECONDS = 30.0


class Resting:
    """An association whose thread does nothing but rest at its checkpoint."""

    def __init__(self) -> None:
        self.went_on, self.may_end = threading.Event(), threading.Event()
        self.assoc = Association(AE(), "requestor")
        rest_at_checkpoint(self.assoc)
        self.assoc.run = self._run  # type: ignore[method-assign]
        checkpoint = self.assoc._reactor_checkpoint
        assert isinstance(checkpoint, Checkpoint)
        self.checkpoint = checkpoint
        self.checkpoint.clear()
        self.assoc.start()
        wait_until(lambda: self.checkpoint.is_resting)

    def _run(self) -> None:
        self.checkpoint.wait()
        self.went_on.set()
        self.may_end.wait(SECONDS)


@pytest.fixture
def resting() -> Iterator[Resting]:
    resting = Resting()
    yield resting
    resting.may_end.set()
    resting.checkpoint.set()
    resting.assoc.join(SECONDS)


def test_who_was_woken_and_stopped_again_before_it_ran_stays(resting: Resting) -> None:
    with resting.checkpoint._turn:  # the woken thread gets no turn in between
        resting.checkpoint.set()
        resting.checkpoint.clear()
    assert not resting.went_on.wait(0.2)
    assert resting.assoc._is_paused


def test_who_went_on_is_no_longer_said_to_rest(resting: Resting) -> None:
    resting.checkpoint.set()
    assert resting.went_on.wait(SECONDS)
    resting.assoc._is_paused = True
    assert not resting.assoc._is_paused


def test_a_report_that_a_third_thread_serves_does_not_wake_who_rests(
    resting: Resting,
) -> None:
    """Or whoever asks next would wait for ever: it writes that nobody rests."""
    context = build_context(StorageCommitmentPushModel)
    context.context_id = 1
    resting.assoc._accepted_cx = {1: context}
    report = N_EVENT_REPORT()
    report.AffectedSOPClassUID = StorageCommitmentPushModel
    third = threading.Thread(target=resting.assoc._serve_request, args=(report, 1))
    third.start()
    third.join(SECONDS)
    resting.checkpoint.clear()
    assert resting.assoc._is_paused


def test_an_association_that_has_not_begun_or_is_killed_takes_nothing(
    resting: Resting,
) -> None:
    fresh = Association(AE(), "requestor")
    rest_at_checkpoint(fresh)
    assert fresh._is_paused
    resting.checkpoint.set()
    assert resting.went_on.wait(SECONDS)
    resting.assoc._kill = True
    assert resting.assoc._is_paused


def test_where_no_answer_came_nobody_asks_again() -> None:
    assoc = Association(AE(), "requestor")
    rest_at_checkpoint(assoc)
    assoc.is_established = True
    assoc.dul.to_user_queue.put(A_P_ABORT())
    assoc._handle_no_response()
    with pytest.raises(RuntimeError):
        assoc.send_c_echo()


def test_an_open_checkpoint_stops_nobody() -> None:
    checkpoint = Checkpoint()
    assert checkpoint.is_set()
    assert checkpoint.wait(0)


def test_a_closed_checkpoint_may_be_waited_for_in_vain() -> None:
    checkpoint = Checkpoint()
    checkpoint.clear()
    assert not checkpoint.wait(0)


def test_an_association_of_ours_rests_at_one(tmp_path: Path) -> None:
    local = LocalAE(title=AETitle("ASKING"), host="127.0.0.1", port=0)
    proposal = Proposal(contexts=[message_context(Verification)])
    with open_archive(tmp_path, "ARCHIVE") as archive:
        remote = RemoteAE(
            name="archive", title=archive.title, host="127.0.0.1", port=archive.port
        )
        with associated(local, remote, proposal) as assoc:
            assert isinstance(assoc._reactor_checkpoint, Checkpoint)
            answers = [assoc.send_c_echo().Status for _ in range(50)]
    assert answers == [0] * 50
