"""The server of the ledger is killed, is away, moves: nobody is told what is not so.

A real server, killed as `pg_ctl -m immediate` does; films come through the real
listener.
"""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from config.load import Table
from dicom_io.scu.send import StoreOutcome, store_instances
from dicom_io.status import Status
from gateway.errors import LedgerCorrupt, LedgerFailure
from gateway.ledger import AuditFilter, Ledger
from gateway.ledger.engine import open_engine
from gateway.ledger.server_soundness import faults_of_server
from gateway.lifecycle import State
from gateway.patient_key import KeyPlace, place_of, text_of_key
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.ledgers import NOW, audit_entry, skip_on_postgresql
from tests.data.postgresql import Server, new_server, remove
from tests.data.sites import (
    MODALITY,
    Running,
    running_gateway,
    site_settings,
    wait_until,
)
from tests.data.stages import Bench, bench_at

pytestmark = pytest.mark.peers

PLACE = KeyPlace(path=None, given=text_of_key(bytes(32)))
PATIENCE = 120.0
FILMS = 40
_NUMBER = count(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    skip_on_postgresql()  # it has been run with the rest
    server = new_server()
    server.run("CREATE DATABASE empty_ledger")
    open_engine(server.url("empty_ledger")).dispose()
    yield server
    remove(server)


@pytest.fixture
def server(cluster: Server) -> Iterator[Server]:
    """The cluster, running again whatever a test did to it."""
    yield cluster
    cluster.stop()
    cluster.start()


@pytest.fixture
def database(server: Server) -> str:
    name = f"ledger_{next(_NUMBER)}"
    server.run(f"CREATE DATABASE {name} TEMPLATE empty_ledger")
    return name


@pytest.fixture
def ledger(server: Server, database: str) -> Iterator[Ledger]:
    opened = Ledger.open(server.url(database), PLACE)
    yield opened
    opened.close()


def study_of(number: int) -> str:
    return f"1.2.826.0.9.{number % 3}"


def uid_of(number: int) -> str:
    return f"{study_of(number)}.1.{number}"


def films(folder: Path) -> list[Path]:
    """Write films of three studies, in turn."""
    folder.mkdir()
    return [
        write_film(
            folder / f"{number}.dcm",
            film_dataset(
                StudyInstanceUID=study_of(number),
                SeriesInstanceUID=f"{study_of(number)}.1",
                SOPInstanceUID=uid_of(number),
            ),
        )
        for number in range(1, FILMS + 1)
    ]


def of(url: str) -> Table:
    return {
        "ledger": {"url": url},
        "completeness": {"quiet_seconds": 3.0, "max_wait_seconds": 60.0},
        # Of a turn that could not even write that it failed: it has to run out.
        "work": {"lease_seconds": 10.0},
    }


def test_a_server_that_is_restarted_in_a_transaction_keeps_nothing_of_it(
    server: Server, ledger: Ledger
) -> None:
    with ledger.writing() as rows:
        rows.append_audit(audit_entry())
    with pytest.raises(LedgerFailure), ledger.writing() as rows:  # noqa: PT012
        rows.append_audit(audit_entry())
        server.kill()
    with pytest.raises(LedgerFailure, match="refused"), ledger.writing():
        pass
    with pytest.raises(LedgerFailure, match="refused"):
        ledger.grouped(lambda rows: rows.append_audit(audit_entry()))
    server.start()
    assert ledger.grouped(lambda rows: rows.append_audit(audit_entry())) == 2


def test_connections_that_died_while_nobody_used_them_are_made_anew(
    server: Server, ledger: Ledger
) -> None:
    with ledger.reading() as rows, ledger.reading() as others:
        assert rows.studies() == others.studies() == []
    server.kill()
    server.start()
    with ledger.reading() as rows, ledger.claiming() as others:
        assert rows.studies() == []
        assert others.claim([State.COMPLETE], NOW, "me", 1.0) is None


def send(gateway: Running, paths: list[Path]) -> list[StoreOutcome]:
    return list(store_instances(MODALITY, gateway.remote, paths))


def send_all(gateway: Running, paths: list[Path]) -> None:
    """Send until each film was answered with success once.

    One that was said to be kept, though the ledger lacks it, would stay lost.
    """
    missing = list(paths)
    for _ in range(200):
        outcomes = send(gateway, missing)
        done = {o.sop_instance_uid for o in outcomes if o.verdict.is_stored}
        assert all(
            o.status in (None, Status.SUCCESS, Status.OUT_OF_RESOURCES)
            for o in outcomes
        ), outcomes
        missing = [path for path in missing if uid_of(int(path.stem)) not in done]
        if not missing:
            return
        threading.Event().wait(0.2)
    raise AssertionError(missing)


def assert_all_is_there(url: str, gateway: Running, paths: list[Path]) -> None:
    """Compare what senders were told with what a new look finds."""
    ledger = Ledger.open(url, place_of(gateway.site.settings))
    with ledger.reading() as rows:
        names = {
            instance.sop_instance_uid: instance.file_name
            for study in rows.studies()
            for instance in rows.instances(study.study_instance_uid)
        }
        sequences = [each.sequence for each in rows.audit(AuditFilter(limit=5000))]
    ledger.close()
    assert len(names) == len(paths)
    assert all(gateway.site.spool.path(name).is_file() for name in names.values())
    assert sequences == list(range(1, len(sequences) + 1))


def await_studies(gateway: Running) -> None:
    for number in range(3):
        gateway.wait_for(study_of(number), State.KEPT, seconds=PATIENCE)


def test_films_that_are_stored_while_the_server_is_killed_are_stored_or_refused(
    server: Server, database: str, tmp_path: Path
) -> None:
    url, paths = server.url(database), films(tmp_path / "films")
    settings = site_settings(tmp_path / "data", of(url))
    with running_gateway(settings, CannedEngine()) as gateway:
        sender = threading.Thread(target=send_all, args=(gateway, paths))
        sender.start()
        for _ in range(2):
            await_films(server, database, min(stored(server, database) + 5, FILMS))
            server.kill()
            server.start()
        sender.join(PATIENCE)
        assert not sender.is_alive()
        await_studies(gateway)
        assert_all_is_there(url, gateway, paths)


def await_films(server: Server, database: str, least: int) -> None:
    wait_until(
        lambda: stored(server, database) >= least or None,
        PATIENCE,
        lambda: f"{least} films",
    )


def stored(server: Server, database: str) -> int:
    ((found,),) = server.run("SELECT count(*) FROM instances", database)
    assert isinstance(found, int)
    return found


def test_while_the_server_is_away_a_sender_hears_a700_and_then_all_goes_on(
    server: Server, database: str, tmp_path: Path
) -> None:
    url, paths = server.url(database), films(tmp_path / "films")[:6]
    settings = site_settings(tmp_path / "data", of(url))
    with running_gateway(settings, CannedEngine()) as gateway:
        send_all(gateway, paths[:3])
        server.kill()
        outcomes = send(gateway, paths[3:])
        assert {o.status for o in outcomes} <= {Status.OUT_OF_RESOURCES, None}
        assert not any(o.verdict.is_stored for o in outcomes)
        assert not gateway.gateway._ledger_question.finding().ok
        server.start()
        send_all(gateway, paths[3:])
        await_studies(gateway)
        assert_all_is_there(url, gateway, paths)


def test_a_fail_over_to_another_server_is_followed(
    server: Server, database: str, tmp_path: Path
) -> None:
    """The second one starts on the data of the first, as with shared storage."""
    second = Server(folder=server.folder)
    hosts = f"host=127.0.0.1:{server.port}&host=127.0.0.1:{second.port}"
    url = (
        f"postgresql://postgres@/{database}?{hosts}&target_session_attrs=read-write"
        "&connect_timeout=2"
    )
    paths = films(tmp_path / "films")[:12]
    settings = site_settings(tmp_path / "data", of(url))
    with running_gateway(settings, CannedEngine()) as gateway:
        send_all(gateway, paths[:6])
        server.kill()
        second.start()
        try:
            send_all(gateway, paths[6:])
            await_studies(gateway)
            assert_all_is_there(url, gateway, paths)
        finally:
            second.stop()
            server.start()


class Relay:
    """Stands before the server; told to, it cuts the line at the answer of a store."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._server.port))
                threading.Thread(
                    target=self._relay, args=(client, server), daemon=True
                ).start()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on in turn: a client of PostgreSQL asks and waits."""
        with client, server, suppress(OSError):
            other = {client: server, server: client}
            is_storing = is_cut = False
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(1 << 16)
                    if not data or (is_cut and source is server):
                        return
                    other[source].sendall(data)
                    is_storing |= b"INSERT INTO instances" in data
                    if self.cuts and is_storing and b"COMMIT" in data:
                        is_cut, self.cuts = True, self.cuts - 1


def test_a_commit_whose_answer_is_lost_is_no_success_and_no_second_instance(
    server: Server, database: str, tmp_path: Path
) -> None:
    relay = Relay(server)
    url = f"postgresql://postgres@127.0.0.1:{relay.port}/{database}"
    with bench_at(tmp_path, {"ledger": {"url": url}}) as bench:
        film = bench.film()
        relay.cuts = 1
        with pytest.raises(LedgerFailure):  # the listener answers it with A700
            bench.send(film)
        assert relay.cuts == 0
        assert stored(server, database) == 1  # it was kept, though nobody knew
        assert len(bench.kept_files()) == 1
        assert bench.send(film) is Status.SUCCESS
        assert stored(server, database) == 1
        assert len(bench.kept_files()) == 1
        assert bench.site.spool.path(film_name(bench)).is_file()
    relay.close()


def film_name(bench: Bench) -> str:
    with bench.site.ledger.reading() as rows:
        (instance,) = rows.instances(bench.study().study_instance_uid)
    return instance.file_name


def test_a_damaged_table_is_found_by_who_looks_at_all_of_it(
    server: Server, database: str, ledger: Ledger
) -> None:
    with ledger.writing() as rows:
        rows.remember("key", "value")
    asked = "SELECT pg_relation_filepath('notes')"
    ((path,),) = server.run(asked, database)
    url = server.url(database)
    assert faults_of_server(url) == ()
    server.stop()
    with (server.folder / str(path)).open("r+b") as file:
        file.write(b"\xff" * 64)
    server.start()
    (fault,) = faults_of_server(url)
    assert "the ledger is damaged (invalid page" in fault
    with pytest.raises(LedgerCorrupt), ledger.reading() as rows:
        rows.recall("key")
    with pytest.raises(LedgerCorrupt), ledger.writing():
        pass
