"""What only a ledger in PostgreSQL does, on a server of its own."""

import re
import select
import subprocess
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from gateway.audit.leaf import leaf_of
from gateway.audit.message import Patient
from gateway.errors import LedgerCorrupt, LedgerFailure
from gateway.ledger import AuditFilter, Ledger, StudyFilter, Writing
from gateway.ledger.columns import metadata
from gateway.ledger.engine import engine_of, migrate, open_engine
from gateway.ledger.probe import LedgerStanding, probe_ledger
from gateway.lifecycle import WORKING
from gateway.patient_key import KeyPlace, text_of_key
from gateway.site import utc_now
from tests.data.ledgers import (
    NOW,
    STUDY_UID,
    at,
    audit_entry,
    given_study,
    is_of,
)
from tests.data.postgresql import database_of, name_of, program, shared_server

pytestmark = pytest.mark.peers

PLACE = KeyPlace(path=None, given=text_of_key(bytes(32)))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return database_of(tmp_path)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger.open(url, PLACE)
    yield opened
    opened.close()


@pytest.fixture
def other(url: str) -> Iterator[Ledger]:
    """The same ledger, as another host has it."""
    opened = Ledger.open(url, PLACE)
    yield opened
    opened.close()


@contextmanager
def set_on_the_server(name: str, value: str) -> Iterator[None]:
    server = shared_server()
    server.run(f"ALTER SYSTEM SET {name} = '{value}'")
    server.reload_until(name, value)
    try:
        yield
    finally:
        before = "off" if value == "on" else "on"
        server.run(f"ALTER SYSTEM RESET {name}")
        server.reload_until(name, before)


RIGHT, WRONG = "guarded:open%20sesame", "guarded:close%20sesame"


def empty(tmp_path: Path) -> str:
    return database_of(tmp_path / "empty", template="template0")


def test_the_migrations_make_the_tables_of_the_schema(ledger: Ledger) -> None:
    with ledger._engine.connect() as connection:
        fits = {"include_object": partial(is_of, "postgresql")}
        context = MigrationContext.configure(connection, opts=fits)
        assert compare_metadata(context, metadata) == []
        made = set(inspect(connection).get_table_names())
    assert made == {"alembic_version", *metadata.tables}


def test_two_that_start_at_once_migrate_one_after_the_other(tmp_path: Path) -> None:
    url, failed = empty(tmp_path), []

    def start() -> None:
        try:
            open_engine(url).dispose()
        except LedgerFailure as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert probe_ledger(url) is LedgerStanding.CURRENT


def test_a_look_tells_where_a_ledger_stands_and_makes_none(tmp_path: Path) -> None:
    url = empty(tmp_path)
    assert probe_ledger(url) is LedgerStanding.ABSENT
    engine = engine_of(url)
    with engine.connect() as connection:
        migrate(connection, "0012")
    engine.dispose()
    assert probe_ledger(url) is LedgerStanding.OLDER
    with pytest.raises(LedgerFailure, match='"nowhere" does not exist'):
        probe_ledger(shared_server().url("nowhere"))


def test_a_claim_passes_over_what_another_host_is_claiming(
    ledger: Ledger, other: Ledger
) -> None:
    first, second = (given_study(ledger, f"{STUDY_UID}.{n}") for n in (1, 2))
    with ledger.claiming() as rows, other.claiming() as others:
        mine = rows.claim(WORKING, NOW, "here", 60.0)
        theirs = others.claim(WORKING, NOW, "there", 60.0)
        assert others.claim(WORKING, NOW, "there", 60.0) is None
    assert mine is not None
    assert theirs is not None
    assert {mine.id, theirs.id} == {first.id, second.id}


def test_a_claim_waits_for_no_writer_and_passes_over_its_study(
    ledger: Ledger, other: Ledger
) -> None:
    moved, free = (given_study(ledger, f"{STUDY_UID}.{n}") for n in (1, 2))
    with ledger.writing() as rows:
        rows.postpone(moved, not_before=NOW, reason="later", attempts=1)
        with other.claiming() as others:
            claimed = others.claim(WORKING, NOW, "there", 60.0)
            assert others.claim(WORKING, NOW, "there", 60.0) is None
    assert claimed is not None
    assert claimed.id == free.id


def test_who_falls_silent_in_a_transaction_loses_it(
    ledger: Ledger, other: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_study(ledger)
    limits = ("gateway.ledger.postgresql._LIMITED", "gateway.ledger.postgresql._TURN")
    for silent in (ledger.claiming, ledger.writing):
        with monkeypatch.context() as patch:
            for limit in limits:
                short = f"{attribute(limit)}".replace("'60s'", "'100ms'")
                patch.setattr(limit, short)
            with pytest.raises(LedgerFailure, match="idle"), silent() as rows:  # noqa: PT012
                rows.claim(WORKING, NOW, "silent", 60.0)
                wait_for_the_end(rows)
                rows.expire_leases(NOW)
        with other.claiming() as others:
            study = others.claim(WORKING, NOW, "there", 60.0)
        assert study is not None
        with other.writing() as others:
            others.release(study)


def wait_for_the_end(rows: Writing) -> None:
    """Wait until the server ends the connection, which it says unasked."""
    connection = rows._connection.connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    assert select.select([connection.fileno()], [], [], 30)[0]


def attribute(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_a_lease_that_runs_out_is_freed_by_one_of_those_who_look(
    ledger: Ledger, other: Ledger
) -> None:
    given_study(ledger)
    with ledger.claiming() as rows:
        assert rows.claim(WORKING, NOW, "gone", 0.0) is not None
    with ledger.claiming() as rows, other.claiming() as others:
        assert (rows.expire_leases(NOW), others.expire_leases(NOW)) == (1, 0)


def test_hosts_that_write_at_once_leave_no_gap_in_the_audit(url: str) -> None:
    ledgers = [Ledger.open(url, PLACE) for _ in range(3)]
    committed: list[int] = []

    def write(ledger: Ledger, number: int) -> None:
        for turn in range(12):
            try:
                with ledger.writing() as rows:
                    sequence = rows.append_audit(audit_entry(user=f"host-{number}"))
                    assert turn % 3 < 2  # else nothing is kept
                    committed.append(sequence)  # before its COMMIT: in its turn
            except AssertionError:
                pass

    threads = [
        threading.Thread(target=write, args=(ledger, number))
        for number, ledger in enumerate(ledgers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledgers[0].reading() as rows:
        kept = [record.sequence for record in rows.audit(AuditFilter(limit=100))]
    for ledger in ledgers:
        ledger.close()
    assert kept == list(range(1, 25))
    assert sorted(committed) == kept


def test_a_reader_sees_one_snapshot_and_changes_nothing(
    ledger: Ledger, other: Ledger
) -> None:
    with ledger.reading() as rows:
        assert rows.study(STUDY_UID) is None
        given_study(other)
        assert rows.study(STUDY_UID) is None
    with ledger.reading() as rows:
        assert rows.study(STUDY_UID) is not None
    with pytest.raises(LedgerFailure, match="read-only"), ledger.reading() as rows:
        Writing(rows._connection, rows._patients).remember("key", "value")


def test_a_writer_on_another_host_is_waited_for_and_then_reported(
    url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gateway.ledger.engine.BUSY_SECONDS", 0.05)
        with (
            ledger.writing(),
            pytest.raises(LedgerFailure, match="another writer holds the ledger"),
        ):
            Ledger.open(url, PLACE)
    Ledger.open(url, PLACE).close()


def test_every_connection_is_durable_though_the_database_is_told_otherwise(
    tmp_path: Path, url: str
) -> None:
    name = name_of(tmp_path)
    shared_server().run(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    engine = open_engine(url)
    with engine.connect() as connection:
        asked = "SELECT current_setting('synchronous_commit')"
        assert connection.exec_driver_sql(asked).scalar_one() == "on"
    engine.dispose()


def test_a_server_that_may_lose_what_it_said_is_kept_is_refused(url: str) -> None:
    with (
        set_on_the_server("fsync", "off"),
        pytest.raises(LedgerFailure, match="fsync = on"),
    ):
        Ledger.open(url, PLACE)


def test_a_database_of_bytes_is_refused(tmp_path: Path) -> None:
    server, name = shared_server(), name_of(tmp_path)
    server.run(
        f"CREATE DATABASE \"{name}\" ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc "
        "LOCALE 'C' TEMPLATE template0"
    )
    with pytest.raises(LedgerFailure, match="database in UTF8"):
        Ledger.open(server.url(name), PLACE)


def test_a_standby_says_what_to_do(tmp_path: Path, url: str) -> None:
    Ledger.open(url, PLACE).close()
    name = name_of(tmp_path)
    shared_server().run(
        f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'
    )
    ledger = Ledger.open(url, PLACE)
    with pytest.raises(LedgerFailure, match="target_session_attrs=read-write"):
        given_study(ledger)
    ledger.close()


def test_a_missing_or_wrong_password_is_not_repeated() -> None:
    server = shared_server()
    with pytest.raises(LedgerFailure, match=r"ledger\.password_file"):
        probe_ledger(server.url("ledger", "guarded"))
    with pytest.raises(LedgerFailure, match="password authentication") as caught:
        probe_ledger(server.url("ledger", WRONG))
    assert "sesame" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(LedgerFailure, match="permission denied"):  # it is let in
        probe_ledger(server.url("ledger", RIGHT))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO notes VALUES ('DOE^JANE', NULL)",  # its detail quotes the row
        "INSERT INTO notes VALUES (repeat('DOE^JANE', 64), '')",
        "SELECT CAST('DOE^JANE' AS integer)",  # so does the message itself
    ],
)
def test_a_failure_tells_nothing_of_what_was_to_be_written(
    ledger: Ledger, statement: str
) -> None:
    with pytest.raises(LedgerFailure) as caught, ledger.writing() as rows:
        rows._connection.execute(text(statement))
    said = "".join(traceback.format_exception(caught.value, chain=True))
    shown = "\n".join(line for line in said.splitlines() if "execute(text" not in line)
    assert "DOE" not in shown


def test_a_damaged_table_ends_all_writing(ledger: Ledger) -> None:
    damage = "DO $$ BEGIN RAISE 'invalid page' USING ERRCODE = 'XX001'; END $$"
    with pytest.raises(LedgerCorrupt, match="doctor"), ledger.writing() as rows:
        rows._connection.execute(text(damage))
    with pytest.raises(LedgerCorrupt, match="invalid page"), ledger.writing():
        pass
    with pytest.raises(LedgerCorrupt, match="invalid page"), ledger.claiming():
        pass


def test_text_that_postgresql_has_no_place_for_is_kept_without_it(
    ledger: Ledger,
) -> None:
    with ledger.writing() as rows:
        rows.remember("key", "a\0b")
        rows.append_audit(audit_entry(detail="a\0b"))
    with ledger.reading() as rows:
        assert rows.recall("key") == "a\ufffdb"
        (row,) = rows.audit_rows()
        assert row["detail"] == "a\ufffdb"
        assert leaf_of(row).hex() == row["leaf"]


def test_uids_are_found_by_their_beginning_in_any_order_of_words(
    ledger: Ledger,
) -> None:
    for uid in ("1.2.3", "1.2.30", "1.23", "12.3", "1.2.4"):
        given_study(ledger, uid)
    with ledger.reading() as rows:
        found = rows.study_page(StudyFilter(search="1.2.3")).studies
    assert {study.study_instance_uid for study in found} == {"1.2.3", "1.2.30"}


def test_a_key_that_is_destroyed_leaves_the_file_of_its_table(
    tmp_path: Path, ledger: Ledger
) -> None:
    patient = Patient(patient_id="FICT-1", issuer=None)
    with ledger.writing() as rows:
        rows.append_audit(audit_entry(patient=patient))
    sealed = _wrapped_keys(tmp_path)
    assert sealed.strip(b"\0")
    with ledger.writing() as rows:
        assert rows.destroy_patient(ledger.pseudonym(patient), NOW)
        (key,) = _of_file(sealed)
    assert ledger.forget_deleted()
    assert key not in _wrapped_keys(tmp_path)


def test_a_key_is_said_to_be_there_while_its_table_is_read(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, ledger.reading() as rows:
        patch.setattr("gateway.ledger.postgresql._KEYS_SECONDS", 0.1)
        rows.issuers()
        assert not ledger.forget_deleted()
    assert ledger.forget_deleted()


def test_a_dump_is_restored_with_its_audit_as_it_was(
    tmp_path: Path, ledger: Ledger
) -> None:
    """As docs/operations.md says it."""
    given_study(ledger)
    with ledger.writing() as rows:
        rows.append_audit(audit_entry(patient=Patient(patient_id="FICT-1", issuer="")))
    server, dump = shared_server(), tmp_path / "ledger.dump"
    source = server.url(name_of(tmp_path))
    dumping = [program("pg_dump"), "--format=custom", f"--file={dump}", source]
    subprocess.run(dumping, check=True, timeout=60)
    url = empty(tmp_path)
    restoring = (program("pg_restore"), "--exit-on-error", "--no-owner")
    subprocess.run([*restoring, f"--dbname={url}", str(dump)], check=True, timeout=60)
    restored = Ledger.open(url, PLACE)
    with ledger.reading() as rows, restored.reading() as others:
        assert others.study(STUDY_UID) == rows.study(STUDY_UID)
        (row,) = others.audit_rows()
        assert [row] == list(rows.audit_rows())
        assert leaf_of(row).hex() == row["leaf"]
    assert given_study(restored, "1.2.9").id > 1
    restored.close()


def _wrapped_keys(tmp_path: Path) -> bytes:
    """Read the file of the table, as whoever gets the disk does."""
    server, name = shared_server(), name_of(tmp_path)
    server.run("CHECKPOINT")
    asked = "SELECT pg_read_binary_file(pg_relation_filepath('patient_keys'))"
    ((content,),) = server.run(asked, name)
    assert isinstance(content, bytes)
    return content


def _of_file(content: bytes) -> list[bytes]:
    """Return the longest stretch of base64, which is the wrapped key."""
    return [max(re.findall(rb"[A-Za-z0-9_\-+/=]{40,}", content), key=len)]


def test_the_time_of_all_hosts_is_that_of_the_server(
    ledger: Ledger, other: Ledger
) -> None:
    moments = [opened.now() for opened in (ledger, other, ledger)]
    assert moments == sorted(moments)
    assert abs((moments[0] - utc_now()).total_seconds()) < 60  # the same machine
    assert moments[0].utcoffset() == timedelta()


def test_of_two_hosts_one_does_a_job_until_its_lease_is_over(
    ledger: Ledger, other: Ledger
) -> None:
    with ledger.writing() as rows:
        assert rows.hold_jobs(["purge", "seal"], "one", NOW, at(60)) == {
            "purge",
            "seal",
        }
    with other.writing() as rows:
        assert rows.hold_jobs(["purge", "forget"], "two", at(59), at(119)) == {"forget"}
        assert rows.hold_jobs(["purge", "seal"], "two", at(60), at(120)) == {
            "purge",
            "seal",
        }
    with ledger.reading() as rows:
        assert {job.name: job.holder for job in rows.jobs()} == {
            "forget": "two",
            "purge": "two",
            "seal": "two",
        }
