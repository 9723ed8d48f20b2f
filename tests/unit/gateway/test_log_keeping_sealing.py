"""Signing the audit log: what is signed, with what key, and what is refused."""

from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from gateway.audit.merkle import is_continued
from gateway.audit.verifying import Kind
from gateway.errors import NotSigned
from gateway.ledger import AuditFilter
from gateway.log_keeping.sealing import (
    change_key,
    find_signer,
    newest,
    seal,
    write_signer,
)
from gateway.log_keeping.verification import verify_ledger
from tests.data.audit_logs import AuditLog, append, copied, given_log, new_log, sign
from tests.data.ledgers import NOW, at


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> AuditLog:
    """Made once: the migrations take a second."""
    return given_log(tmp_path_factory.mktemp("pattern") / "log")


@pytest.fixture
def log(pattern: AuditLog, tmp_path: Path) -> AuditLog:
    return copied(pattern, tmp_path / "log")


def tamper(log: AuditLog, statement: str) -> None:
    engine = create_engine(f"sqlite:///{log.database}")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_log_that_nobody_touched_is_intact(log: AuditLog) -> None:
    verdict = log.verdict()
    assert verdict.faults == ()
    assert (verdict.first, verdict.last, verdict.signed) == (1, 32, 32)
    assert verdict.agreeing == 4


def test_nothing_new_is_not_signed_again(log: AuditLog) -> None:
    with log.opened() as ledger:
        signer = find_signer(log.key_file, ledger)
        assert seal(ledger, signer, NOW) is None


def test_an_empty_log_is_not_signed(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    with log.opened() as ledger:
        signer = find_signer(log.key_file, ledger)
        assert seal(ledger, signer, NOW) is None
        with pytest.raises(NotSigned, match="no record"):
            newest(ledger, signer, NOW)
    assert log.verdict().intact


def test_records_that_nobody_signed_yet_are_proven_by_nothing(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    with log.opened() as ledger:
        append(ledger, 3)
    assert [fault.kind for fault in log.verdict().faults] == [Kind.UNPROVEN]


def test_each_checkpoint_proves_that_it_continues_the_one_before(log: AuditLog) -> None:
    with log.opened() as ledger, ledger.reading() as rows:
        steps = [kept.continuation() for kept in rows.checkpoints()]
    assert [step.old_size for step in steps] == [0, 7, 16, 21]
    for before, step in pairwise(steps):
        old, new = before.checkpoint, step.checkpoint
        assert is_continued(old.size, new.size, old.root, new.root, step.proof)


def test_the_key_is_for_this_user_alone(log: AuditLog) -> None:
    assert log.key_file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_is_not_replaced(log: AuditLog) -> None:
    with log.opened() as ledger:
        signer = find_signer(log.key_file, ledger)
        write_signer(log.key_file, type(signer).made(signer.name))
        assert find_signer(log.key_file, ledger) == signer


def test_a_lost_key_is_not_made_anew(log: AuditLog) -> None:
    log.key_file.unlink()
    with log.opened() as ledger, pytest.raises(NotSigned, match="is gone"):
        find_signer(log.key_file, ledger)
    assert not log.key_file.exists()


@pytest.mark.parametrize(
    "content", ["", "PRIVATE+KEY+x", "\N{GREEK SMALL LETTER ALPHA}"]
)
def test_a_broken_key_is_told_and_not_quoted(log: AuditLog, content: str) -> None:
    log.key_file.write_text(content, "utf-8")
    with log.opened() as ledger, pytest.raises(NotSigned, match="cannot be read"):
        find_signer(log.key_file, ledger)


def test_a_record_that_was_changed_before_it_was_signed_is_named(log: AuditLog) -> None:
    with log.opened() as ledger:
        append(ledger, 4, 32)
    tamper(log, "UPDATE audit SET detail = 'other' WHERE sequence = 34")
    with log.opened() as ledger:
        sealed = seal(ledger, find_signer(log.key_file, ledger), NOW)
    assert sealed is not None
    assert sealed.changed == (34,)
    faults = [(fault.kind, fault.record) for fault in log.verdict().faults]
    assert faults == [(Kind.CHANGED, 34)]


def test_nothing_is_signed_over_a_gap(log: AuditLog) -> None:
    with log.opened() as ledger:
        append(ledger, 4, 32)
    tamper(log, "DELETE FROM audit WHERE sequence = 34")
    with log.opened() as ledger, pytest.raises(NotSigned, match="34"):
        seal(ledger, find_signer(log.key_file, ledger), NOW)


def test_nothing_is_signed_for_another_installation(
    log: AuditLog, tmp_path: Path
) -> None:
    other = given_log(tmp_path / "other")
    with log.opened() as ledger:
        append(ledger, 1)
        signer = find_signer(other.key_file, ledger)
        with pytest.raises(NotSigned, match="another installation"):
            seal(ledger, signer, NOW)


@pytest.mark.parametrize("peaks", ["''", "'AA=='", "body"])
def test_nothing_is_signed_on_a_tree_that_was_changed(
    log: AuditLog, peaks: str
) -> None:
    tamper(log, f"UPDATE audit_checkpoints SET peaks = {peaks}")  # noqa: S608
    with log.opened() as ledger:
        append(ledger, 1)
        with pytest.raises(NotSigned):
            seal(ledger, find_signer(log.key_file, ledger), NOW)


def test_a_new_key_follows_the_old_one(log: AuditLog) -> None:
    with log.opened() as ledger:
        change = change_key(ledger, log.key_file, "admin", at(60))
        append(ledger, 3, 32)
        assert sign(log, ledger, 9).public == change.new
        with ledger.reading() as rows:
            told = rows.audit(AuditFilter(event="log-key-changed"))
    assert [record.user for record in told] == ["admin"]
    assert log.verdict().intact
    with log.opened() as ledger:
        assert verify_ledger(ledger, change.new, [log.checkpoints]).intact


def test_a_change_of_keys_that_a_crash_cut_is_ended(log: AuditLog) -> None:
    """The ledger names the new key, and the file still is the old one."""
    old = log.key_file.read_text("ascii")
    with log.opened() as ledger:
        change = change_key(ledger, log.key_file, "admin", NOW)
        log.key_file.rename(log.key_file.with_name("audit.key.next"))
        log.key_file.write_text(old, "ascii")
        assert find_signer(log.key_file, ledger).public == change.new
    assert not log.key_file.with_name("audit.key.next").exists()


def test_a_new_key_that_the_ledger_does_not_name_is_dropped(log: AuditLog) -> None:
    with log.opened() as ledger:
        signer = find_signer(log.key_file, ledger)
        draft = log.key_file.with_name("audit.key.next")
        write_signer(draft, type(signer).made(signer.name))
        assert find_signer(log.key_file, ledger) == signer
    assert not draft.exists()
