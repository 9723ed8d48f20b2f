"""Checkpoints reach each place once and in order, whatever fails between."""

import sys
from pathlib import Path

import pytest

from gateway.audit.checkpoints import Continuation, parse_continuation
from gateway.errors import NotSigned
from gateway.ledger import AuditFilter, Ledger
from gateway.log_keeping.handing import Place, _run, hand_out, put_file
from gateway.log_keeping.sealing import find_signer, newest
from tests.data.audit_logs import AuditLog, append, copied, given_log
from tests.data.ledgers import NOW


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> AuditLog:
    return given_log(tmp_path_factory.mktemp("pattern") / "log")


@pytest.fixture
def log(pattern: AuditLog, tmp_path: Path) -> AuditLog:
    return copied(pattern, tmp_path / "log")


def steps(ledger: Ledger) -> list[Continuation]:
    with ledger.reading() as rows:
        return [kept.continuation() for kept in rows.checkpoints()]


def told(ledger: Ledger) -> list[str]:
    with ledger.reading() as rows:
        found = rows.audit(AuditFilter(event="110113", limit=100))
    return [record.event_type or "" for record in found]


def test_each_checkpoint_becomes_a_file_of_its_own(log: AuditLog) -> None:
    with log.opened() as ledger:
        expected = [step.text() for step in steps(ledger)]
    (folder,) = log.checkpoints.iterdir()
    assert folder.name == log.public.name.rpartition("/")[2]
    files = sorted(folder.iterdir())
    assert [file.read_text("utf-8") for file in files] == expected
    assert files[0].name == "000000000007.checkpoint"


def test_a_file_that_is_there_is_not_touched(log: AuditLog) -> None:
    with log.opened() as ledger:
        step = steps(ledger)[0]
    before = sorted(log.checkpoints.rglob("*.checkpoint"))
    put_file(log.checkpoints, step)
    assert sorted(log.checkpoints.rglob("*.checkpoint")) == before


def test_an_unfinished_file_stays_and_the_whole_is_put_beside_it(log: AuditLog) -> None:
    with log.opened() as ledger:
        step = steps(ledger)[0]
    torn = next(log.checkpoints.rglob("000000000007.checkpoint"))
    torn.write_text(step.text()[:40], "utf-8")
    put_file(log.checkpoints, step)
    assert torn.read_text("utf-8") == step.text()[:40]
    beside = torn.with_name("000000000007-1.checkpoint")
    assert parse_continuation(beside.read_text("utf-8")) == step
    assert log.verdict().intact


def test_a_place_gets_each_checkpoint_once_and_in_order(log: AuditLog) -> None:
    given: list[int] = []
    place = Place(name="x", give=lambda step: given.append(step.checkpoint.size))
    with log.opened() as ledger:
        hand_out(ledger, [place], lambda: NOW)
        hand_out(ledger, [place], lambda: NOW)
    assert given == [7, 16, 21, 32]


def test_a_place_that_fails_is_asked_again_and_told_of_once(log: AuditLog) -> None:
    given: list[int] = []

    def give(step: Continuation) -> None:
        if step.checkpoint.size > 7 and not works:
            raise OSError(28, "No space left on device")
        given.append(step.checkpoint.size)

    works = False
    place = Place(name="x", give=give)
    with log.opened() as ledger:
        for _ in range(3):
            hand_out(ledger, [place], lambda: NOW)
        assert given == [7]
        assert told(ledger) == ["checkpoint-undelivered"]
        works = True
        for _ in range(2):
            hand_out(ledger, [place], lambda: NOW)
        assert given == [7, 16, 21, 32]
        assert told(ledger) == ["checkpoint-undelivered", "checkpoint-delivered"]


def test_one_place_that_fails_does_not_keep_the_other_from_its_own(
    log: AuditLog,
) -> None:
    def fail(_step: Continuation) -> None:
        raise PermissionError(13, "Permission denied")

    given: list[int] = []
    places = [
        Place(name="bad", give=fail),
        Place(name="good", give=lambda step: given.append(step.checkpoint.size)),
    ]
    with log.opened() as ledger:
        hand_out(ledger, places, lambda: NOW)
    assert given == [7, 16, 21, 32]


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def test_a_program_reads_the_checkpoint(log: AuditLog, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with log.opened() as ledger:
        step = steps(ledger)[0]
    copy = f"import sys; open({str(out)!r}, 'wb').write(sys.stdin.buffer.read())"
    _run(program(copy), step, 60.0)
    assert out.read_text("utf-8") == step.text()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (program("raise SystemExit(3)"), ChildProcessError),
        (("no-such-program-here",), FileNotFoundError),
    ],
)
def test_a_program_that_does_not_take_it_has_failed(
    log: AuditLog, words: tuple[str, ...], kind: type[OSError]
) -> None:
    with log.opened() as ledger:
        step = steps(ledger)[0]
    with pytest.raises(kind):
        _run(words, step, 60.0)


def test_a_program_that_does_not_end_is_ended(log: AuditLog) -> None:
    with log.opened() as ledger:
        step = steps(ledger)[0]
    with pytest.raises(TimeoutError, match="no end within"):
        _run(program("import time; time.sleep(60)"), step, 0.2)


def test_a_key_that_is_gone_stops_the_signing_and_not_the_ledger(
    log: AuditLog,
) -> None:
    log.key_file.unlink()
    with log.opened() as ledger:
        append(ledger, 1, 40)
        with pytest.raises(NotSigned):
            newest(ledger, find_signer(log.key_file, ledger), NOW)
        append(ledger, 1, 41)
