"""The audit handed on to Debian's rsyslog: over TLS, TCP, UDP, and after a day."""

import os
import random
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.rounds import free_port
from config.load import Table
from dicom_io.ae import TlsOptions
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from gateway.audit import kinds, verifier
from gateway.audit.message import AuditEntry
from gateway.audit.verifying import Kind
from gateway.errors import RepositoryFailure
from gateway.forwarding.forwarder import Pauses, Route, drain
from gateway.forwarding.syslog import AUDIT_MSGID, CHECKPOINT_MSGID, Origin
from gateway.forwarding.transports import Address, Transport, deliver
from gateway.ledger import AuditFilter, Ledger
from gateway.log_keeping.exporting import write_bundle
from gateway.log_keeping.sealing import find_signer, seal
from gateway.log_keeping.verification import name_of, verify_ledger
from tests.data.certificates import authority, trusting
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.ledgers import NOW, audit_entry, url_of
from tests.data.peers import until
from tests.data.sites import MODALITY, running_gateway, site_settings
from tests.data.stages import SetClock
from tests.data.syslog import Rsyslog, answering, rsyslog

DAY_OF_MESSAGES = int(os.environ.get("AUDIT_MESSAGES", "1000"))
PIECES = ("<", "&", "]]>", '"', "'", "\0", "\n", "\x85", "😀", "ä", "\ud800", "#011")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path))
    with opened.writing() as rows:
        rows.enlist_repositories(["hospital"])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TlsOptions]:
    """Certificates of one authority, and of another."""
    own = authority(tmp_path_factory.mktemp("ca") / "own")
    other = authority(tmp_path_factory.mktemp("ca") / "other")
    return {
        "repository": own.node("repository"),
        "gateway": own.node("gateway"),
        "stranger": trusting(other.node("stranger"), own),
        "trusting-others": trusting(own.node("deceived"), other),
    }


def route_to(address: Address, most_seconds: float = 60.0) -> Route:
    return Route(
        name="hospital",
        address=address,
        origin=Origin(host="gateway.example", installation="2.25.7"),
        pauses=Pauses(first=10.0, most=most_seconds, failures_in_a_row=3),
    )


def put(ledger: Ledger, entries: list[AuditEntry]) -> None:
    with ledger.writing() as rows:
        for entry in entries:
            rows.append_audit(entry)


def texts(repository: Rsyslog) -> list[str]:
    """Return the messages without the mark of UTF-8 before each."""
    received = [each["msg"] for each in repository.received]
    assert all(text.startswith("\ufeff") for text in received)
    return [text.removeprefix("\ufeff") for text in received]


def hostile(count: int) -> list[AuditEntry]:
    """Return messages with what markup and networks stumble over."""
    chosen = random.Random(20260302)  # noqa: S311 - the same ones each time
    reasons = ("".join(chosen.choices(PIECES, k=20)) for _ in range(count))
    return [kinds.forwarding_failed("hospital", reason, 1, NOW) for reason in reasons]


@pytest.mark.parametrize("transport", list(Transport))
def test_rsyslog_gets_each_record_as_it_was_written(
    transport: Transport, ledger: Ledger, tmp_path: Path, nodes: dict[str, TlsOptions]
) -> None:
    files = (nodes["repository"], nodes["gateway"])
    is_tls = transport is Transport.TLS
    repository = rsyslog(
        tmp_path / "rsyslog", free_port(), transport, files if is_tls else None
    )
    entries = hostile(50)
    with repository.running():
        for done in range(0, 50, 10):  # few: what comes by UDP must find room
            put(ledger, entries[done : done + 10])
            drain(route_to(repository.address), ledger, SetClock())
            repository.wait_for(done + 10)
    first = repository.received[0]
    assert repository.sequences == [*range(1, 51)]
    assert texts(repository) == [entry.message for entry in entries]
    for text in texts(repository):
        ET.fromstring(text)  # noqa: S314 - to see that it is well-formed
    assert {name: first[name] for name in ("pri", "hostname", "app-name")} == {
        "pri": "85",
        "hostname": "gateway.example",
        "app-name": "maira-gateway",
    }
    assert (first["procid"], first["msgid"]) == ("2.25.7", "DICOM+RFC3881")
    assert first["timereported"] == "2026-03-02T10:30:00.000000Z"


@pytest.mark.parametrize("transport", [Transport.TLS, Transport.TCP])
def test_a_message_of_over_32_kib_arrives_whole(
    transport: Transport, ledger: Ledger, tmp_path: Path, nodes: dict[str, TlsOptions]
) -> None:
    # PS3.15 A.6: messages of at least 32768 octets are to be supported.
    files = (nodes["repository"], nodes["gateway"])
    is_tls = transport is Transport.TLS
    repository = rsyslog(
        tmp_path / "rsyslog", free_port(), transport, files if is_tls else None
    )
    long = f"<AuditMessage>{'ä😀' * 20_000}</AuditMessage>"
    put(ledger, [audit_entry(message=long), audit_entry(message="<after/>")])
    with repository.running():
        drain(route_to(repository.address), ledger, SetClock())
        repository.wait_for(2)
    with ledger.reading() as rows:
        kept = [record.message for record in rows.audit_after(0, 2)]
    assert len(kept[0].encode()) > 120_000
    # One word: the difference of such texts takes pytest minutes to show.
    assert (texts(repository) == kept) is True


def test_the_checkpoints_that_a_repository_has_got_prove_the_log(
    ledger: Ledger, tmp_path: Path, nodes: dict[str, TlsOptions]
) -> None:
    files = (nodes["repository"], nodes["gateway"])
    repository = rsyslog(tmp_path / "rsyslog", free_port(), Transport.TLS, files)
    signer = find_signer(tmp_path / "audit.key", ledger)
    with repository.running():
        for count in (3, 4):
            put(ledger, [audit_entry()] * count)
            seal(ledger, signer, NOW)
            drain(route_to(repository.address), ledger, SetClock())
        repository.wait_for(9)
    assert repository.sequences == [1, 2, 3, 3, 4, 5, 6, 7, 7]
    keep_checkpoints(repository, kept := tmp_path / "kept")
    assert len([*kept.iterdir()]) == 2
    assert verify_ledger(ledger, signer.public, [kept]).intact
    with (tmp_path / "bundle").open("w") as out:
        write_bundle(ledger, signer, AuditFilter(), ("anna", NOW), out)
    words = ["--key", str(signer.public), "--checkpoints", str(kept)]
    assert verifier.main([*words, str(tmp_path / "bundle")]) == 0
    with ledger.writing() as rows:
        rows._connection.exec_driver_sql("DELETE FROM audit WHERE sequence > 5")
        rows._connection.exec_driver_sql("DELETE FROM audit_checkpoints WHERE size > 3")
        rows._connection.exec_driver_sql("UPDATE audit_head SET last_sequence = 5")
    wrong = verify_ledger(ledger, signer.public, [kept])
    assert {fault.kind for fault in wrong.faults} == {Kind.CUT}


def keep_checkpoints(repository: Rsyslog, folder: Path) -> None:
    """Write what a repository has got as the files that a verification takes."""
    folder.mkdir()
    for each, size in zip(repository.received, repository.sequences, strict=True):
        if each["msgid"] == CHECKPOINT_MSGID:
            text = each["msg"].removeprefix("\ufeff")
            (folder / name_of(size)).write_bytes(b64decode(text))


def test_after_a_day_without_its_repository_all_arrives_once_and_in_order(
    ledger: Ledger, tmp_path: Path, nodes: dict[str, TlsOptions]
) -> None:
    repository = rsyslog(
        tmp_path / "rsyslog",
        free_port(),
        Transport.TLS,
        (nodes["repository"], nodes["gateway"]),
    )
    route, clock = route_to(repository.address, most_seconds=3600.0), SetClock()
    written = [audit_entry(message=f"<m n='{n}'/>") for n in range(DAY_OF_MESSAGES)]
    for hour in range(24):
        put(ledger, written[hour::24])
        drain(route, ledger, clock)
        clock.add(seconds=3600)
    with ledger.reading() as rows:
        total = rows.last_audit_sequence()
        assert rows.backlogs()[0].records == total
    assert total == DAY_OF_MESSAGES + 1  # one says that the repository fails
    with repository.running():
        drain(route, ledger, clock)
        repository.wait_for(total)
        drain(route, ledger, clock)  # that it takes messages again
        repository.wait_for(total + 1)
    assert repository.sequences == [*range(1, total + 2)]
    with ledger.reading() as rows:
        kept = [record.message for record in rows.audit_after(0, total + 1)]
    assert texts(repository) == kept


def test_a_repository_that_is_started_anew_in_between_loses_nothing(
    ledger: Ledger, tmp_path: Path
) -> None:
    repository = rsyslog(tmp_path / "rsyslog", free_port())
    route, clock = route_to(repository.address), SetClock()
    for number in range(3):
        put(ledger, [audit_entry()] * 300)
        with repository.running():
            drain(route, ledger, clock)
            # What it has not read when it is told to end is nobody's.
            repository.wait_for(300 + 310 * number)
        put(ledger, [audit_entry()] * 10)
        drain(route, ledger, clock)  # it is down
        clock.add(seconds=60)
    assert repository.sequences == [*range(1, 921)]


WRONG = {
    "ours is of another authority": ("repository", "stranger"),
    "theirs is of another authority": ("repository", "trusting-others"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_certificate_gets_nothing_across(
    name: str, tmp_path: Path, nodes: dict[str, TlsOptions]
) -> None:
    theirs, ours = (nodes[node] for node in WRONG[name])
    repository = rsyslog(
        tmp_path / "rsyslog", free_port(), Transport.TLS, (theirs, ours)
    )
    with repository.running():
        with pytest.raises(RepositoryFailure):
            deliver(repository.address, [b"<85>1 - - - - - - x"])
        right = replace(repository.address, tls=nodes["gateway"])
        deliver(right, [b"<85>1 - - - - - - y"])
        repository.wait_for(1)
    assert [each["msg"] for each in repository.received] == ["y"]


def test_a_repository_must_show_the_name_that_the_site_wrote_down(
    tmp_path: Path, nodes: dict[str, TlsOptions]
) -> None:
    repository = rsyslog(
        tmp_path / "rsyslog",
        free_port(),
        Transport.TLS,
        (nodes["repository"], nodes["gateway"]),
    )
    named = replace(repository.address, names=frozenset({"dns:repository.example"}))
    other = replace(repository.address, names=frozenset({"cn:archive"}))
    with repository.running():
        with pytest.raises(RepositoryFailure, match="somebody else"):
            deliver(other, [b"<85>1 - - - - - - x"])
        deliver(named, [b"<85>1 - - - - - - y"])
        repository.wait_for(1)
    assert [each["msg"] for each in repository.received] == ["y"]


def test_a_gateway_hands_on_its_audit_while_another_repository_never_reads(
    tmp_path: Path,
) -> None:
    repository = rsyslog(tmp_path / "rsyslog", free_port())
    film = write_film(tmp_path / "film.dcm", film_dataset())
    with repository.running(), answering(lambda _, over: over.wait(120)) as deaf:
        settings = site_settings(
            tmp_path / "data",
            {
                "audit": {"checkpoint_seconds": 1.0},
                "audit_repositories": {
                    "hospital": plain_table(repository.address),
                    "deaf": {**plain_table(deaf), "deadline_seconds": 600.0},
                },
            },
        )
        with running_gateway(settings, CannedEngine()) as gateway:
            (outcome,) = store_instances(MODALITY, gateway.remote, [film])
            assert outcome.status == Status.SUCCESS
            for what in ("110104", CHECKPOINT_MSGID):
                until(partial(has_got, repository, what), 60, what)
            with gateway.site.ledger.reading() as rows:
                waiting = {b.repository.name: b.records for b in rows.backlogs()}
            assert waiting["deaf"] > 0
    records = [
        number
        for number, each in zip(repository.sequences, repository.received, strict=True)
        if each["msgid"] == AUDIT_MSGID
    ]
    assert records == [*range(1, len(records) + 1)]


def plain_table(address: Address) -> Table:
    return {"host": address.host, "port": address.port, "transport": "tcp"}


def has_got(repository: Rsyslog, what: str) -> bool:
    return what in str(repository.received)
