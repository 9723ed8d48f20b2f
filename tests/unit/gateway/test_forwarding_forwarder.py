"""The audit is handed on in order and none is lost; what fails is said once."""

import re
import socket
import struct
import threading
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.audit.message import Patient
from gateway.forwarding import forwarder
from gateway.forwarding.forwarder import Pauses, Route, drain, forward
from gateway.forwarding.syslog import Origin
from gateway.forwarding.transports import Address, Transport, deliver
from gateway.ledger import AuditFilter, Backlog, Ledger
from gateway.log_keeping.sealing import find_signer, seal
from tests.data.ledgers import NOW, at, audit_entry, url_of
from tests.data.stages import SetClock
from tests.data.syslog import answering
from tests.unit.gateway.test_forwarding_transports import read_to_the_end

NOWHERE = Address(host="127.0.0.1", port=1, transport=Transport.TCP)
NUMBER = re.compile(rb'sequenceId="(\d+)"')


@dataclass
class Hand:
    """A log, the way to one repository, and the clock of the sender."""

    ledger: Ledger
    route: Route
    clock: SetClock = field(default_factory=SetClock)

    def drain(self) -> None:
        drain(self.route, self.ledger, self.clock)

    def add(self, count: int, **changes: object) -> None:
        with self.ledger.writing() as rows:
            for _ in range(count):
                rows.append_audit(audit_entry(**changes))

    def to(self, address: Address) -> None:
        self.route = replace(self.route, address=address)

    @property
    def backlog(self) -> Backlog:
        with self.ledger.reading() as rows:
            return rows.backlogs()[0]

    def said(self) -> list[str]:
        """Return the event types of the log that are about repositories."""
        with self.ledger.reading() as rows:
            found = rows.audit(AuditFilter(limit=100_000))
        types = [record.event_type or "" for record in found]
        return [each for each in types if each.startswith("forwarding")]


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    ledger = Ledger.open(url_of(tmp_path))
    with ledger.writing() as rows:
        rows.enlist_repositories(["hospital"])
    route = Route(
        name="hospital",
        address=NOWHERE,
        origin=Origin(host="h", installation="1.2"),
        pauses=Pauses(first=10.0, most=60.0, failures_in_a_row=3),
    )
    yield Hand(ledger=ledger, route=route)
    ledger.close()


@dataclass
class Repository:
    """A repository that keeps the numbers of what it reads."""

    numbers: list[int] = field(default_factory=list)
    kept: bytes = b""

    def take(self, connected: socket.socket, _: threading.Event) -> None:
        read = read_to_the_end(connected)
        self.kept += read
        self.numbers += [int(number) for number in NUMBER.findall(read)]

    @property
    def checkpoints(self) -> list[bytes]:
        """Return what checkpoints hold, by the counted octets of each message."""
        found, rest = [], self.kept
        while rest:
            size, _, rest = rest.partition(b" ")
            message, rest = rest[: int(size)], rest[int(size) :]
            if b" MERKLE+CHECKPOINT " in message:
                found.append(b64decode(message.partition(b"\xef\xbb\xbf")[2]))
        return found


def test_each_record_is_sent_once_and_in_order(hand: Hand) -> None:
    repository = Repository()
    with answering(repository.take) as address:
        hand.to(address)
        hand.add(500)
        hand.drain()
        hand.add(3)
        hand.drain()
        hand.drain()
    assert repository.numbers == [*range(1, 504)]
    assert hand.backlog.records == 0
    assert hand.backlog.oldest is None


def test_a_repository_that_fails_is_left_alone_longer_each_time(hand: Hand) -> None:
    hand.add(1)
    pauses = []
    for _ in range(5):
        hand.drain()
        until = hand.backlog.repository.not_before
        assert until is not None
        pauses.append((until - hand.clock()).total_seconds())
        hand.clock.now = until
    # Doubling from 10 s to at most 60 s, half of it at least.
    for pause, longest in zip(pauses, (10, 20, 40, 60, 60), strict=True):
        assert longest / 2 <= pause <= longest


def test_it_is_not_tried_before_its_pause_is_over(hand: Hand) -> None:
    hand.add(1)
    hand.drain()
    repository = Repository()
    with answering(repository.take) as address:
        hand.to(address)
        hand.drain()
        assert repository.numbers == []
        hand.clock.add(seconds=10)
        hand.drain()
    assert repository.numbers == [1]


def test_failing_and_resuming_are_audited_once_each(hand: Hand) -> None:
    hand.add(1)
    for _ in range(6):
        hand.drain()
        hand.clock.add(seconds=60)
    assert hand.said() == ["forwarding-failed"]
    failing = hand.backlog.repository
    assert (failing.failures, failing.failing_since) == (6, NOW)
    assert failing.detail == "connection refused"
    repository = Repository()
    with answering(repository.take) as address:
        hand.to(address)
        hand.drain()
    assert hand.said() == ["forwarding-failed", "forwarding-resumed"]
    assert repository.numbers == [1, 2, 3]
    assert hand.backlog.repository.detail is None


def test_a_short_failure_is_no_event(hand: Hand) -> None:
    hand.add(1)
    hand.drain()
    hand.clock.add(seconds=60)
    with answering(Repository().take) as address:
        hand.to(address)
        hand.drain()
    assert hand.said() == []
    assert hand.backlog.repository.failures == 0


def test_what_was_read_but_not_noted_is_sent_again_as_it_was(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deliver_and_die(address: Address, messages: list[bytes], *_: object) -> None:
        deliver(address, messages)
        raise KeyboardInterrupt

    repository = Repository()
    hand.add(2)
    with answering(repository.take) as address:
        hand.to(address)
        with monkeypatch.context() as patched:
            patched.setattr(forwarder, "deliver", deliver_and_die)
            with pytest.raises(KeyboardInterrupt):
                hand.drain()
        hand.clock.add(seconds=address.seconds + 10)
        hand.drain()
    assert repository.numbers == [1, 2, 1, 2]
    half = len(repository.kept) // 2
    assert repository.kept[:half] == repository.kept[half:]


def test_of_two_processes_one_sends(hand: Hand) -> None:
    repository = Repository()
    sent: list[bool] = []

    def meanwhile(connected: socket.socket, over: threading.Event) -> None:
        sent.append(forward(hand.route, hand.ledger, hand.clock))
        repository.take(connected, over)

    hand.add(2)
    with answering(meanwhile) as address:
        hand.to(address)
        hand.drain()
    assert sent == [False]
    assert repository.numbers == [1, 2]


def test_a_stop_is_no_failure(hand: Hand) -> None:
    stopping = threading.Event()

    def stop(_: socket.socket, over: threading.Event) -> None:
        stopping.set()
        over.wait(60)

    hand.add(1)
    with answering(stop) as address:
        hand.to(replace(address, seconds=600.0))
        drain(hand.route, hand.ledger, hand.clock, stopping.is_set)
    repository = hand.backlog.repository
    assert (repository.failures, repository.not_before) == (0, None)


def test_a_backlog_has_a_length_and_an_age(hand: Hand) -> None:
    hand.add(1)
    with answering(Repository().take) as address:
        hand.to(address)
        hand.drain()
    hand.add(1, recorded_at=at(30))
    hand.add(1, recorded_at=at(60))
    assert (hand.backlog.records, hand.backlog.oldest) == (2, at(30))


def test_a_message_too_long_for_a_datagram_is_named_and_not_sent(hand: Hand) -> None:
    hand.add(1, message="<short/>")
    hand.add(1, message=f"<{'long' * 1000}/>")
    hand.add(1, message="<last/>")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        port = receiver.getsockname()[1]
        udp = Address(host="127.0.0.1", port=port, transport=Transport.UDP)
        hand.to(udp)
        hand.route = replace(hand.route, max_datagram_bytes=2048)
        hand.drain()
        got = [receiver.recv(65536) for _ in range(3)]
    assert got[0].endswith(b"<short/>")
    assert got[1].endswith(b"<last/>")
    assert b"record 2, 4" in got[2]
    assert hand.said() == ["forwarding-skipped"]
    assert hand.backlog.records == 0


def test_each_checkpoint_follows_the_last_record_that_it_covers(
    hand: Hand, tmp_path: Path
) -> None:
    signer = find_signer(tmp_path / "audit.key", hand.ledger)
    repository = Repository()
    hand.add(2)
    seal(hand.ledger, signer, NOW)
    hand.add(1)
    with answering(repository.take) as address:
        hand.to(address)
        hand.drain()
        assert repository.numbers == [1, 2, 2, 3]
        seal(hand.ledger, signer, at(60))
        hand.drain()
        hand.drain()
    assert repository.numbers == [1, 2, 2, 3, 3]
    with hand.ledger.reading() as rows:
        bodies = [kept.body.encode() for kept in rows.checkpoints()]
    assert repository.checkpoints == bodies


def test_a_checkpoint_waits_for_the_records_that_it_covers(
    hand: Hand, tmp_path: Path
) -> None:
    hand.add(201)
    seal(hand.ledger, find_signer(tmp_path / "audit.key", hand.ledger), NOW)
    repository = Repository()
    with answering(repository.take) as address:
        hand.to(address)
        assert forward(hand.route, hand.ledger, hand.clock)
        assert repository.checkpoints == []
        hand.drain()
    assert len(repository.checkpoints) == 1
    assert repository.numbers == [*range(1, 202), 201]


def test_a_checkpoint_that_was_changed_stops_nothing(
    hand: Hand, tmp_path: Path
) -> None:
    signer = find_signer(tmp_path / "audit.key", hand.ledger)
    hand.add(2)
    seal(hand.ledger, signer, NOW)
    with hand.ledger.writing() as rows:
        rows._connection.exec_driver_sql("UPDATE audit_checkpoints SET body = 'x'")
    repository = Repository()
    with answering(repository.take) as address:
        hand.to(address)
        hand.drain()
    assert repository.numbers == [1, 2]


@pytest.mark.parametrize("in_clear", [True, False])
def test_who_the_patients_are_is_told_where_the_site_wants_it(
    hand: Hand, *, in_clear: bool
) -> None:
    repository = Repository()
    patient = Patient(patient_id="ANN-4711", issuer="SITE")
    hand.add(1, patient=patient, message="<AuditMessage></AuditMessage>")
    with answering(repository.take) as address:
        hand.to(address)
        hand.route = replace(hand.route, in_clear=in_clear)
        hand.drain()
    assert (b'"ANN-4711"' in repository.kept) is in_clear
    assert (b'"sealed:' in repository.kept) is not in_clear


def test_after_failures_less_is_sent_at_one_time(hand: Hand) -> None:
    """A slow line, or one message that the repository chokes on, ends nothing."""
    sizes: list[int] = []

    def choke(connected: socket.socket, _: threading.Event) -> None:
        read = read_to_the_end(connected)
        sizes.append(len(NUMBER.findall(read)))
        if sizes[-1] > 60:
            reset = struct.pack("ii", 1, 0)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)

    hand.add(201)
    with answering(choke) as address:
        hand.to(address)
        for _ in range(8):
            hand.drain()
            hand.clock.add(seconds=60)
    assert sizes[:3] == [200, 100, 50]
    assert hand.backlog.records == 0


def test_after_any_number_of_failures_one_record_is_sent(hand: Hand) -> None:
    hand.add(1)
    for _ in range(12):
        hand.drain()
        hand.clock.add(seconds=60)
    with answering(Repository().take) as address:
        hand.to(address)
        hand.drain()
    assert hand.backlog.records == 0


def test_a_repository_that_is_no_longer_named_is_forgotten(hand: Hand) -> None:
    with hand.ledger.writing() as rows:
        rows.enlist_repositories(["other"])
        assert rows.repository("hospital") is None
        assert rows.repository("other") is not None
    hand.add(1)
    assert not forward(hand.route, hand.ledger, hand.clock)


def test_what_some_repository_lacks_is_known(hand: Hand) -> None:
    hand.add(2)
    with answering(Repository().take) as address:
        hand.to(address)
        hand.drain()
    with hand.ledger.writing() as rows:
        assert rows.handed_to_all() == 2
        rows.enlist_repositories(["hospital", "new"])
        assert rows.handed_to_all() == 0
        rows.enlist_repositories([])
        assert rows.handed_to_all() is None


def test_a_clock_that_is_set_leaves_the_pause_as_long_as_it_was(hand: Hand) -> None:
    hand.add(1)
    hand.drain()
    before = hand.backlog.repository.not_before
    with hand.ledger.writing() as rows:
        rows.move_times(timedelta(hours=-3))
    after = hand.backlog.repository.not_before
    assert before is not None
    assert after is not None
    assert abs(before - after - timedelta(hours=3)) < timedelta(seconds=1)
