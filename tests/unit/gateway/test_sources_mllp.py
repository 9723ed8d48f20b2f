"""The MLLP listener against senders that keep to nothing."""

import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol

import pytest

from gateway.ledger import Ledger
from gateway.sources.ledger_messages import MessageIntake
from gateway.sources.mllp import MllpListener, MllpOptions, is_allowed
from tests.data.ledgers import NOW, url_of
from tests.data.messages import ACCESSION, STUDY_UID, order, result

OPTIONS = MllpOptions(host="127.0.0.1", port=0, message_seconds=30.0, idle_seconds=30.0)


class Open(Protocol):
    def __call__(self, **changes: object) -> MllpListener: ...


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def listen(ledger: Ledger) -> Iterator[Open]:
    opened: list[MllpListener] = []
    intake = MessageIntake(ledger=ledger, clock=lambda: NOW)

    def make(**changes: object) -> MllpListener:
        options = replace(OPTIONS, **changes)  # type: ignore[arg-type]
        opened.append(MllpListener(options, intake.take, lambda: NOW))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@contextmanager
def connected(listener: MllpListener) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", listener.port), timeout=20) as sender:
        yield sender


def answer(sender: socket.socket) -> str:
    """Return the next block, "" at the end of the connection."""
    data = b""
    while not data.endswith(b"\x1c\r"):
        try:
            more = sender.recv(4096)
        except ConnectionResetError:
            more = b""
        if not more:
            return data.decode()
        data += more
    return data[1:-2].decode()


def framed(message: bytes) -> bytes:
    return b"\x0b" + message + b"\x1c\r"


def test_a_message_is_kept_before_it_is_accepted(listen: Open, ledger: Ledger) -> None:
    with connected(listen()) as sender:
        sender.sendall(framed(result()) + framed(order()))
        assert "MSA|AA|CTRL-7" in answer(sender)
        assert "MSA|AA|CTRL-7" in answer(sender)
    with ledger.reading() as rows:
        assert len(rows.outside_reports(STUDY_UID, None)) == 1
        assert len(rows.orders(ACCESSION)) == 1


def test_what_cannot_be_read_is_answered_and_the_connection_goes_on(
    listen: Open,
) -> None:
    with connected(listen()) as sender:
        sender.sendall(framed(b"no HL7"))
        said = answer(sender)
        assert "MSA|AE" in said
        assert "ERR|||102^^HL70357|E" in said
        sender.sendall(framed(result().replace(b"ORU^R01", b"ADT^A01")))
        assert "MSA|AR|CTRL-7" in answer(sender)
        sender.sendall(framed(order()))
        assert "MSA|AA|CTRL-7" in answer(sender)


def test_a_block_without_its_end_is_closed_at_the_deadline(listen: Open) -> None:
    with connected(listen(message_seconds=0.2)) as sender:
        sender.sendall(b"\x0b" + order())
        assert answer(sender) == ""


def test_a_silent_connection_is_closed(listen: Open) -> None:
    with connected(listen(idle_seconds=0.2)) as sender:
        assert answer(sender) == ""


def test_a_slow_sender_does_not_stretch_the_deadline(listen: Open) -> None:
    with connected(listen(message_seconds=0.3)) as sender:
        sender.settimeout(0.05)
        sender.sendall(b"\x0b")
        sent = 0
        for _ in range(2000):
            try:
                sender.sendall(b"A")
                sent += 1
                if sender.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert sent < 1000


def test_a_segment_of_100_megabytes_is_refused_in_flat_memory(listen: Open) -> None:
    tracemalloc.start()
    head, filler = b"\x0b" + result() + b"\rOBX|", b"x" * (1 << 20)
    with connected(listen()) as sender:
        try:
            sender.sendall(head)
            for _ in range(100):
                sender.sendall(filler)
        except OSError:
            pass  # closed while we were still sending, as it should be
        said = answer(sender)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "MSA|AR|CTRL-7" in said
    assert peak < 16 << 20


def test_addresses_outside_of_the_networks_are_not_let_in(listen: Open) -> None:
    with connected(listen(networks=(ip_network("10.0.0.0/8"),))) as sender:
        assert answer(sender) == ""
    assert is_allowed("::ffff:10.1.2.3", (ip_network("10.0.0.0/8"),))
    assert not is_allowed("192.168.1.1", (ip_network("10.0.0.0/8"),))


def test_of_twenty_connections_only_the_allowed_are_open(listen: Open) -> None:
    listener = listen(max_connections=8)
    senders = [
        socket.create_connection(("127.0.0.1", listener.port), timeout=20)
        for _ in range(20)
    ]
    try:
        for each in senders[:8]:
            each.sendall(framed(order()))
            assert "MSA|AA" in answer(each)
        assert [answer(each) for each in senders[8:]] == [""] * 12
    finally:
        for each in senders:
            each.close()
