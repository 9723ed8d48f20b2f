"""A known peer is answered while others attack the port."""

import os
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from dicom_io.ae import AETitle
from dicom_io.scp.listener import Listener
from dicom_io.scu.query import echo
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from tests.data.attacks import Attack, attacks, under
from tests.data.certificates import authority
from tests.data.conversation import Recording, recorded
from tests.data.network import (
    LOCAL,
    MODALITY,
    Recorder,
    at,
    caller,
    listening,
    radiograph,
    written,
)
from tests.data.peers import until

ECHOES = 5
GENEROUS_SECONDS = 30.0
"""For one C-ECHO, on a machine that is busy with other things."""

KNOWN = replace(
    MODALITY, title=AETitle("KNOWN"), networks=(ip_network("127.0.0.1/32"),)
)

_NAMES = (
    "nothing is sent",
    "half a header",
    "half a request",
    "a header byte by byte",
    "a request byte by byte",
    "a data set byte by byte",
    "fragments of nothing",
    "a request of 4 GiB",
    "a request of 0 bytes",
    "an item longer than its request",
    "data of 2 GiB",
    "data before any request",
    "an unknown type of PDU",
    "HTTP",
    "500 idle associations",
    "associations without end",
    "aborts within a data set",
    "strangers",
    "connections that close at once",
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Attack]:
    sent: Recording = recorded(tmp_path_factory.mktemp("session"))
    return dict(attacks(sent))


def test_every_attack_of_the_table_is_tried(table: dict[str, Attack]) -> None:
    assert tuple(table) == _NAMES


def _echo_milliseconds(listener: Listener) -> float:
    """Be answered as the known peer; return how long it took."""
    began = time.monotonic()
    known = replace(at(listener.port), deadline_seconds=GENEROUS_SECONDS)
    echo(caller("KNOWN"), known)
    taken = time.monotonic() - began
    assert taken < GENEROUS_SECONDS
    return taken * 1000


@pytest.fixture
def free_again() -> Iterator[None]:
    """Demand that an attack leaves neither threads nor descriptors behind."""
    threads, files = threading.active_count(), _open_files()
    yield
    until(lambda: threading.active_count() <= threads, 20, "threads end")
    until(lambda: _open_files() <= files, 20, "files are closed")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("free_again")
@pytest.mark.parametrize("name", _NAMES)
def test_a_known_peer_is_answered_throughout(
    table: dict[str, Attack],
    name: str,
) -> None:
    recorder = Recorder()
    with (
        listening(recorder, LOCAL, [MODALITY, KNOWN]) as listener,
        under(table[name], listener.port) as assault,
    ):
        waits = [_echo_milliseconds(listener) for _ in range(ECHOES)]
        assert assault.opened >= min(table[name].connections, 200)
    print(f"{name}: {max(waits):.0f} ms at most")  # noqa: T201 - shown by -rP
    # However many connections came to nothing, each reason has at most one line an
    # address and minute, and one line more with their number.
    assert len(recorder.refused) <= 12
    assert all(each.discarded or each.committed for each in recorder.incoming)


def test_an_instance_is_taken_while_associations_are_held(
    table: dict[str, Attack], tmp_path: Path
) -> None:
    recorder = Recorder()
    with (
        listening(recorder, LOCAL, [MODALITY, KNOWN]) as listener,
        under(table["500 idle associations"], listener.port),
    ):
        until(lambda: len(recorder.opened) >= 20, 20, "the places are taken")
        path = written(tmp_path, radiograph())
        (outcome,) = store_instances(caller("KNOWN"), at(listener.port), [path])
    assert outcome.status == Status.SUCCESS


@pytest.mark.usefixtures("free_again")
@pytest.mark.parametrize("name", ["nothing is sent", "a header byte by byte", "HTTP"])
def test_a_known_peer_is_answered_by_tls_throughout(
    table: dict[str, Attack], tmp_path: Path, name: str
) -> None:
    node = authority(tmp_path / "own").node("xray")
    local = replace(LOCAL, tls=node)
    with (
        listening(Recorder(), local, [MODALITY, KNOWN]) as listener,
        under(table[name], listener.port),
    ):
        for _ in range(3):
            echo(caller("KNOWN"), replace(at(listener.port), tls=node))


@pytest.fixture
def _few_descriptors() -> Iterator[None]:
    """Lower the number of descriptors to what is open now and forty more.

    Numbers below the highest that are free are taken first, for what ran before may
    have left many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    fillers = [os.open(os.devnull, os.O_RDONLY)]
    while fillers[-1] < highest:
        fillers.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 41, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for filler in fillers:
        os.close(filler)


@pytest.mark.usefixtures("_few_descriptors")
def test_a_machine_without_a_descriptor_left_goes_on_once_there_is_one() -> None:
    recorder = Recorder()
    attack = Attack(connections=200, drip=b"\1")
    with listening(recorder, LOCAL, [KNOWN]) as listener:
        held = [Path("/dev/null").open("rb") for _ in range(20)]  # noqa: SIM115
        try:
            with under(attack, listener.port):
                until(lambda: bool(recorder.refused), 20, "it is told")
        finally:
            for file in held:
                file.close()
        _echo_milliseconds(listener)
    assert len(recorder.refused) <= 8


def test_descriptors_above_1024_serve_as_any(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    if wanted < 2048:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    held = [Path("/dev/null").open("rb") for _ in range(1500)]  # noqa: SIM115
    try:
        recorder = Recorder()
        with listening(recorder) as listener:
            path = written(tmp_path, radiograph())
            (outcome,) = store_instances(caller(), at(listener.port), [path])
    finally:
        for file in held:
            file.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert outcome.status == Status.SUCCESS
