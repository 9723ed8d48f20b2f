"""What somebody who holds an export of the audit may do to it."""

import json
import random
from collections.abc import Callable
from pathlib import Path

from gateway.audit.notes import Signer, sign
from gateway.audit.verifier import Log, verify_bundle
from gateway.ledger import AuditFilter
from gateway.log_keeping.exporting import write_bundle
from gateway.log_keeping.sealing import find_signer
from tests.data.audit_logs import AuditLog
from tests.data.ledgers import NOW

Lines = list[str]
ExportAttack = Callable[[Lines, random.Random], Lines]

PART = AuditFilter(study_instance_uid="1.2.3.1")
FULL = AuditFilter()


def exported(log: AuditLog, wanted: AuditFilter) -> Lines:
    """Return the lines of a signed bundle."""
    path = log.folder / "bundle.jsonl"
    with log.opened() as ledger, path.open("w", encoding="utf-8") as file:
        signer = find_signer(log.key_file, ledger)
        write_bundle(ledger, signer, wanted, ("auditor", NOW), file)
    return path.read_text("utf-8").splitlines(keepends=True)


def verified(log: AuditLog, lines: Lines) -> str:
    """Verify as a reviewer does elsewhere; raises Wrong."""
    path = log.folder / "received.jsonl"
    path.write_text("".join(lines), "utf-8")
    return verify_bundle(path, Log(str(log.public), handed(log.checkpoints)))


def handed(folder: Path) -> list[tuple[str, str]]:
    files = sorted(folder.rglob("*.checkpoint"))
    return [(path.name, path.read_text("utf-8")) for path in files]


def _records(lines: Lines) -> list[int]:
    return [n for n, line in enumerate(lines) if '"sequence":' in line]


def change_a_record(lines: Lines, rng: random.Random) -> Lines:
    at = rng.choice(_records(lines))
    value = json.loads(lines[at])
    value["user"] = "nobody"
    said = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return [*lines[:at], said + "\n", *lines[at + 1 :]]


def change_a_character(lines: Lines, rng: random.Random) -> Lines:
    at = rng.randrange(len(lines))
    where = rng.randrange(len(lines[at]) - 1)
    other = "0" if lines[at][where] != "0" else "1"
    return [
        *lines[:at],
        lines[at][:where] + other + lines[at][where + 1 :],
        *lines[at + 1 :],
    ]


def leave_a_record_out(lines: Lines, rng: random.Random) -> Lines:
    at = rng.choice(_records(lines))
    width = 2 if '"proof":' in lines[at + 1] else 1
    return [*lines[:at], *lines[at + width :]]


def repeat_a_record(lines: Lines, rng: random.Random) -> Lines:
    at = rng.choice(_records(lines))
    return [*lines[: at + 1], *lines[at:]]


def exchange_two(lines: Lines, rng: random.Random) -> Lines:
    one, two = rng.sample(_records(lines), 2)
    changed = list(lines)
    changed[one], changed[two] = changed[two], changed[one]
    return changed


def cut_the_end(lines: Lines, rng: random.Random) -> Lines:
    return lines[: rng.randrange(len(lines))]


def sign_with_another_key(lines: Lines, rng: random.Random) -> Lines:
    """Make the end anew, for a list that lacks a record, with a key of his own."""
    less = leave_a_record_out(lines, rng)
    note = json.loads(less[-1])["manifest"]
    text = note.partition("\n\n")[0] + "\n"
    name = text.partition("/export")[0]
    forged = sign(text, Signer(name, bytes(rng.randbytes(32))))
    return [*less[:-1], json.dumps({"manifest": forged}) + "\n"]


EXPORT_ATTACKS: tuple[ExportAttack, ...] = (
    change_a_record,
    change_a_character,
    leave_a_record_out,
    repeat_a_record,
    exchange_two,
    cut_the_end,
    sign_with_another_key,
)
