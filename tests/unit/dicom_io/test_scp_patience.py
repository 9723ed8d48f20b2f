"""The library's threads are woken by what happens, and look for little else."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_io.archive import open_archive
from dicom_io.contexts import message_context
from dicom_io.scp.checkpoint import Checkpoint
from dicom_io.scp.patience import Bell, PatientProvider, wait_for_either
from dicom_io.scu.association import Proposal, associated
from tests.data.network import at, caller
from tests.data.peers import until

SECONDS = 30.0
PROPOSAL = Proposal(contexts=[message_context(Verification)])


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with open_archive(tmp_path, "ARCHIVE") as archive:
        yield archive.port


def looks_of(assoc: Association, seconds: float) -> float:
    """Count how often a second the provider looks at its connection."""
    seen, look, began = 0, assoc.dul._is_transport_event, time.monotonic()

    def counted() -> bool:
        nonlocal seen
        seen += 1
        return look()

    assoc.dul._is_transport_event = counted  # type: ignore[method-assign]
    time.sleep(seconds)
    return seen / (time.monotonic() - began)


def test_an_association_on_which_nothing_happens_is_hardly_looked_at(port: int) -> None:
    with associated(caller(), at(port, "ARCHIVE"), PROPOSAL) as assoc:
        assert looks_of(assoc, 1.0) <= 40  # the library's own: up to 1000
        assert assoc.send_c_echo().Status == 0


def test_both_ends_of_ours_wait(port: int) -> None:
    before = {*threading.enumerate()}
    with associated(caller(), at(port, "ARCHIVE"), PROPOSAL):
        begun = {*threading.enumerate()} - before
        assert len([t for t in begun if isinstance(t, PatientProvider)]) == 2


def test_nothing_of_an_association_is_left(port: int) -> None:
    held = Path("/proc/self/fd")
    if not held.exists():
        pytest.skip("this system does not list open files")
    before = len([*held.iterdir()])
    for _ in range(20):
        with associated(caller(), at(port, "ARCHIVE"), PROPOSAL) as assoc:
            assoc.send_c_echo()
    until(lambda: len([*held.iterdir()]) <= before, SECONDS, "descriptors are closed")


def test_a_bell_that_was_rung_wakes_until_it_is_silenced() -> None:
    bell = Bell()
    assert not wait_for_either(0, bell.fileno())
    threading.Timer(0.05, bell.ring).start()
    assert wait_for_either(SECONDS, bell.fileno(), -1)
    bell.silence()
    assert not wait_for_either(0, bell.fileno())
    bell.close()


def test_a_bell_may_be_rung_too_often_and_too_late() -> None:
    bell = Bell()
    for _ in range(10_000):
        bell.ring()
    assert wait_for_either(0, bell.fileno())
    bell.close()
    bell.ring()


def test_a_thread_that_is_stopped_stays_though_it_is_called() -> None:
    checkpoint = Checkpoint()
    checkpoint.clear()
    checkpoint.call()
    assert not checkpoint.wait(0.1)
