"""Attacks on audit logs are found, and honest logs raise no alarm.

`make audit-attacks` runs 500 and 100 of them; the suite a few. SEED repeats a run.
"""

import multiprocessing
import os
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.audit.verifier import Wrong
from gateway.audit.verifying import Verdict
from gateway.failpoints import VARIABLE
from gateway.ledger import Ledger
from gateway.log_keeping.handing import Place, hand_out, put_file
from gateway.log_keeping.keeping import shorten
from gateway.log_keeping.sealing import change_key, find_signer, seal
from tests.data.audit_attacks import ATTACKS, Found, Scene
from tests.data.audit_logs import AuditLog, append, copied, given_log, new_log, sign
from tests.data.export_attacks import (
    EXPORT_ATTACKS,
    FULL,
    PART,
    ExportAttack,
    exported,
    verified,
)
from tests.data.ledgers import NOW

SEED = int(os.environ.get("SEED", "54"))
ATTACKED = int(os.environ.get("ATTACKS", "63"))
HONEST = int(os.environ.get("LOGS", "12"))

KINDS = len(ATTACKS) + len(EXPORT_ATTACKS)


def rng_of(name: object) -> random.Random:
    return random.Random(f"{SEED}-{name}")  # noqa: S311 - to be repeated


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A log with back-ups of two earlier moments, and another server's log."""
    folder = tmp_path_factory.mktemp("logs")
    log, earlier = new_log(folder / "log"), []
    with log.opened() as ledger:
        for minutes, count in enumerate((7, 9, 5, 11), start=1):
            append(ledger, count, 100 * minutes)
            sign(log, ledger, minutes)
    for number, portions in enumerate(((7,), (7, 9))):
        copy = copied(log, folder / f"earlier-{number}")
        _shorten_to(copy, sum(portions))
        earlier.append(copy.database)
    other = given_log(folder / "other", (6, 8, 9))
    return Scene(log=log, earlier=earlier, other=other, random=rng_of("scene"))


def _shorten_to(log: AuditLog, size: int) -> None:
    """Make a back-up of the moment when the log had `size` records."""
    from tests.data.audit_attacks import database, set_head

    with database(log) as db:
        db.execute("DELETE FROM audit WHERE sequence > ?", (size,))
        db.execute("DELETE FROM audit_checkpoints WHERE size > ?", (size,))
        set_head(db, size)


def _attacked(scene: Scene, number: int, folder: Path) -> Scene:
    """Return a copy of the scene with randomness of its own."""
    log = copied(scene.log, folder / "log")
    other = copied(scene.other, folder / "other")
    own = rng_of(number)
    return Scene(log=log, earlier=scene.earlier, other=other, random=own)


def _matches(verdict: Verdict, wanted: Found) -> bool:
    return any(
        fault.kind in wanted.kinds
        and (wanted.record is None or fault.record in wanted.record)
        for fault in verdict.faults
    )


@pytest.mark.parametrize("number", range(ATTACKED))
def test_an_attack_is_found(scene: Scene, tmp_path: Path, number: int) -> None:
    own, index = _attacked(scene, number, tmp_path), number % KINDS
    if index >= len(ATTACKS):
        _attack_an_export(own, EXPORT_ATTACKS[index - len(ATTACKS)])
        return
    wanted = ATTACKS[index](own)
    verdict = own.log.verdict()
    assert _matches(verdict, wanted), (ATTACKS[index], wanted, verdict.faults)


def _attack_an_export(own: Scene, attack: ExportAttack) -> None:
    lines = exported(own.log, own.random.choice([PART, FULL]))
    assert verified(own.log, lines)
    with pytest.raises((Wrong, KeyError, ValueError)):
        verified(own.log, attack(lines, own.random))


Step = Callable[[AuditLog, random.Random, int], None]


def _append(log: AuditLog, rng: random.Random, at: int) -> None:
    with log.opened() as ledger:
        append(ledger, rng.randint(1, 6), 10 * at)


def _roll_back(log: AuditLog, _rng: random.Random, at: int) -> None:
    """A transaction that ends in an error."""
    with log.opened() as ledger, pytest.raises(KeyboardInterrupt):
        _fail_after(ledger, at)


def _fail_after(ledger: Ledger, at: int) -> None:
    from tests.data.ledgers import audit_entry

    with ledger.writing() as rows:
        rows.append_audit(audit_entry(detail=f"never {at}"))
        raise KeyboardInterrupt


def _sign(log: AuditLog, rng: random.Random, at: int) -> None:
    append_first = rng.random() < 0.7
    with log.opened() as ledger:
        if append_first:
            append(ledger, 2, 10 * at)
        seal(ledger, find_signer(log.key_file, ledger), NOW + timedelta(hours=at))
        _hand(log, ledger)


def _hand(log: AuditLog, ledger: Ledger) -> None:
    place = Place(name="folder", give=lambda step: put_file(log.checkpoints, step))
    hand_out(ledger, [place], lambda: NOW)


def _rotate(log: AuditLog, _rng: random.Random, at: int) -> None:
    with log.opened() as ledger:
        change_key(ledger, log.key_file, "admin", NOW + timedelta(hours=at))


def _prune(log: AuditLog, rng: random.Random, at: int) -> None:
    with log.opened() as ledger:
        days = rng.randint(1, 8) / 24
        signer = find_signer(log.key_file, ledger)
        shorten(ledger, signer, NOW + timedelta(hours=at), days)


def _tear(log: AuditLog, rng: random.Random, at: int) -> None:
    """A power cut while a checkpoint was being handed out."""
    with log.opened() as ledger:
        append(ledger, 1, 10 * at)
        seal(ledger, find_signer(log.key_file, ledger), NOW + timedelta(hours=at))
        with ledger.reading() as rows:
            last = rows.last_checkpoint()
        assert last is not None
        put_file(log.checkpoints, last.continuation())
    newest = max(log.checkpoints.rglob(f"{last.size:012d}.checkpoint"))
    text = newest.read_text("utf-8")
    newest.write_text(text[: rng.randrange(len(text))], "utf-8")
    with log.opened() as ledger:
        _hand(log, ledger)


STEPS: tuple[Step, ...] = (_append, _append, _sign, _sign, _roll_back, _rotate, _prune)
POINTS = (
    "audit:appended",
    "ledger:before-commit",
    "ledger:after-commit",
    "seal:handed",
)


def _killed(log: AuditLog, rng: random.Random, at: int) -> None:
    """Do a step in a child that dies at a failpoint."""
    context = multiprocessing.get_context("fork")
    step, point = rng.choice(STEPS), rng.choice(POINTS)
    seed = rng.random()

    def run() -> None:
        os.environ[VARIABLE] = f"{point}@{1 + int(seed * 3)}"
        step(log, rng_of(seed), at)

    child = context.Process(target=run)
    child.start()
    child.join(60)
    assert child.exitcode is not None


@pytest.mark.parametrize("number", range(HONEST))
def test_an_honest_log_raises_no_alarm(
    scene: Scene, tmp_path: Path, number: int
) -> None:
    rng = rng_of(f"honest-{number}")
    log = copied(scene.log, tmp_path / "log")
    for at in range(10, 22):
        step = rng.choice((*STEPS, _killed, _killed, _tear))
        step(log, rng, at)
    verdict = log.verdict()
    assert verdict.faults == ()
    assert verdict.agreeing >= 1
    _sign(log, rng, 30)
    assert log.verdict().faults == ()
    for wanted in (PART, FULL):
        lines = exported(log, wanted)
        assert verified(log, lines)
