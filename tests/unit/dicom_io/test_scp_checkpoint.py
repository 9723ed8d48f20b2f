"""The thread of an association takes no answer that somebody else waits for."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.archive import open_archive
from dicom_io.contexts import message_context
from dicom_io.scp.checkpoint import Checkpoint
from dicom_io.scu.association import Proposal, associated
from tests.data.processes import wait_until

SECONDS = 30.0


class Resting:
    """A thread of an association that rests at its checkpoint, as pynetdicom's does."""

    def __init__(self) -> None:
        self.assoc = Association(AE(), "requestor")
        self.checkpoint = Checkpoint(self.assoc)
        self.checkpoint.clear()
        self.went_on = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.assoc._is_paused = True
        self._thread.start()
        wait_until(lambda: self.checkpoint._is_resting)

    def _run(self) -> None:
        self.checkpoint.wait()
        self.went_on.set()


@pytest.fixture
def resting() -> Iterator[Resting]:
    resting = Resting()
    yield resting
    resting.checkpoint.set()
    resting._thread.join(SECONDS)


def test_who_was_woken_and_stopped_again_before_it_ran_stays(resting: Resting) -> None:
    with resting.checkpoint._turn:  # the woken thread gets no turn in between
        resting.checkpoint.set()
        resting.checkpoint.clear()
    assert not resting.went_on.wait(0.2)
    assert resting.assoc._is_paused


def test_who_rests_is_said_to_whatever_was_said_before(resting: Resting) -> None:
    """Or who asks would wait for it until the peer's deadline."""
    with resting.checkpoint._turn:
        resting.assoc._is_paused = False
        resting.checkpoint.clear()
    assert resting.assoc._is_paused
    assert not resting.went_on.wait(0.2)


def test_who_went_on_is_no_longer_said_to_rest(resting: Resting) -> None:
    resting.checkpoint.set()
    assert resting.went_on.wait(SECONDS)
    assert not resting.assoc._is_paused


def test_an_open_checkpoint_stops_nobody() -> None:
    assoc = Association(AE(), "requestor")
    checkpoint = Checkpoint(assoc)
    assert checkpoint.is_set()
    assert checkpoint.wait(0)


def test_a_closed_checkpoint_may_be_waited_for_in_vain() -> None:
    checkpoint = Checkpoint(Association(AE(), "requestor"))
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
