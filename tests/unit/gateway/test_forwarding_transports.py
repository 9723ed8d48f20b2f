"""What is known once a batch was sent: by receivers that misbehave on loopback."""

import socket
import threading
from dataclasses import replace

import pytest

from gateway.errors import HandoverStopped, RepositoryFailure
from gateway.forwarding.transports import Address, Transport, deliver
from tests.data.ports import NOBODYS_PORT
from tests.data.syslog import answering

LITTLE = [b"x" * 1000] * 3
MUCH = [b"x" * 1_000_000] * 32
"""More than the buffers of both ends hold."""


def read_to_the_end(connected: socket.socket) -> bytes:
    read = b""
    while piece := connected.recv(1 << 16):
        read += piece
    return read


def test_a_receiver_that_reads_all_and_ends_has_got_it() -> None:
    got: list[bytes] = []
    with answering(lambda connected, _: got.append(read_to_the_end(connected))) as at:
        deliver(at, [b"one", b"three"])
    assert got == [b"3 one5 three"]


def test_what_the_receiver_has_not_read_is_a_failure() -> None:
    def read_a_little(connected: socket.socket, _: threading.Event) -> None:
        connected.recv(100)

    with answering(read_a_little) as at, pytest.raises(RepositoryFailure):
        deliver(at, LITTLE)


def test_a_receiver_that_ends_before_all_was_sent_is_a_failure() -> None:
    def leave(connected: socket.socket, _: threading.Event) -> None:
        connected.shutdown(socket.SHUT_RDWR)

    with answering(leave) as at, pytest.raises(RepositoryFailure):
        deliver(at, MUCH)


@pytest.mark.parametrize("messages", [LITTLE, MUCH])
def test_a_receiver_that_never_reads_uses_up_its_time_alone(
    messages: list[bytes],
) -> None:
    def wait(_: socket.socket, over: threading.Event) -> None:
        over.wait(60)

    with (
        answering(wait) as at,
        pytest.raises(RepositoryFailure, match="did not read all within 1 s"),
    ):
        deliver(replace(at, seconds=1.0), messages)


def test_what_was_begun_is_not_left_to_arrive_later() -> None:
    failed, looked = threading.Event(), threading.Event()
    seen: list[str] = []

    def read_late(connected: socket.socket, _: threading.Event) -> None:
        failed.wait(60)
        try:
            read_to_the_end(connected)
        except ConnectionResetError:
            seen.append("reset")
        looked.set()

    with answering(read_late) as at:
        with pytest.raises(RepositoryFailure):
            deliver(replace(at, seconds=1.0), MUCH)
        failed.set()
        assert looked.wait(60)
    assert seen == ["reset"]


def test_a_receiver_that_talks_is_none() -> None:
    def talk(connected: socket.socket, _: threading.Event) -> None:
        read_to_the_end(connected)
        connected.sendall(b"x" * 1_000_000)

    with answering(talk) as at, pytest.raises(RepositoryFailure, match="sends"):
        deliver(at, LITTLE)


def test_a_stop_is_noticed_while_a_receiver_does_not_read() -> None:
    stopping = threading.Event()

    def stop(connected: socket.socket, over: threading.Event) -> None:
        connected.recv(1)
        stopping.set()
        over.wait(60)

    with answering(stop) as at:
        patient = replace(at, seconds=600.0)
        with pytest.raises(HandoverStopped):
            deliver(patient, MUCH, stopping.is_set)


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
def test_nobody_at_the_port_is_a_failure(transport: Transport) -> None:
    nobody = Address(host="127.0.0.1", port=NOBODYS_PORT, transport=transport)
    with pytest.raises(RepositoryFailure, match="connection refused"):
        deliver(nobody, LITTLE)


def test_a_name_that_nobody_has_is_a_failure() -> None:
    # RFC 6761 6.4: names under "invalid" do not exist.
    nobody = Address(host="repository.invalid", port=1, transport=Transport.TCP)
    with pytest.raises(RepositoryFailure):
        deliver(nobody, LITTLE)
