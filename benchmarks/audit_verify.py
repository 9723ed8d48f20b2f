"""How long the verification of an audit log takes, in the database and elsewhere.

Usage: python -m benchmarks.audit_verify [--records 1000000] [--folder DIR]

Makes a log of that many records, with a checkpoint every fiftieth part, then verifies
it as `audit verify` does, writes the full bundle, and verifies that as a reviewer does.
Prints wall-clock and CPU seconds of each; fails where something is not as signed.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.audit_rows import RECORDS, size_of
from benchmarks.rounds import Figure, Target, keep
from gateway.audit.leaf import leaf_of
from gateway.audit.verifier import Log, verify_bundle
from gateway.ledger import AuditFilter, Ledger
from gateway.log_keeping.exporting import write_bundle
from gateway.log_keeping.sealing import find_signer, seal
from gateway.log_keeping.verification import verify_ledger

VERIFY = "verify the records in the database"
BOUND = 60.0
"""Seconds, of a million records."""
START = datetime(2026, 1, 1, tzinfo=UTC)
PARTS = 50
_COLUMNS = (
    *("sequence", "recorded_at", "event", "event_type", "action", "outcome"),
    *("study_instance_uid", "user", "detail", "message", "leaf"),
)
_INSERT = (
    f"INSERT INTO audit ({', '.join(_COLUMNS)}) "  # noqa: S608
    f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
)
_MESSAGE_BYTES = 1100
"""The size of a message about a study that was sent (`python -m benchmarks.sizes`)."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--records", type=int, default=RECORDS)
    asked.add_argument("--folder", type=Path)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        return _measure(Path(folder), given.records)


def _measure(folder: Path, count: int) -> int:
    ledger = Ledger.open(f"sqlite:///{folder / 'ledger.db'}")
    signer = find_signer(folder / "audit.key", ledger)
    taken: list[Figure] = []
    with timed(taken, "write the records, 50 checkpoints"):
        _fill(ledger, folder, count)
    with timed(taken, VERIFY):
        verdict = verify_ledger(ledger, signer.public, [])
    print(f"  {verdict.agreeing} checkpoints agree, {len(verdict.faults)} faults")
    bundle = folder / "bundle.jsonl"
    with timed(taken, "write the full bundle"), bundle.open("w", encoding="utf-8") as f:
        write_bundle(ledger, signer, AuditFilter(), ("benchmark", START), f)
    ledger.close()
    with timed(taken, "verify the bundle by the stand-alone verifier"):
        print("  " + verify_bundle(bundle, Log(str(signer.public), [])))
    if not verdict.intact:
        return 1
    reached = next(each.median for each in taken if each.name == VERIFY)
    target = Target(what=VERIFY, reached=reached, bound=BOUND, at_least=False)
    keep("audit_verify", taken, [target] * (count >= RECORDS), size_of(count))
    return 0


def _fill(ledger: Ledger, folder: Path, count: int) -> None:
    """Write the rows as the ledger does, a thousand times as many in a transaction."""
    signer = find_signer(folder / "audit.key", ledger)
    every, database = max(count // PARTS, 1), sqlite3.connect(folder / "ledger.db")
    for first in range(0, count, every):
        last = min(first + every, count)
        with database:
            database.executemany(_INSERT, map(_row, range(first + 1, last + 1)))
            database.execute("UPDATE audit_head SET last_sequence = ?", (last,))
        seal(ledger, signer, START + timedelta(seconds=last))
    database.close()


def _row(number: int) -> dict[str, object]:
    moment = START + timedelta(seconds=number)
    row: dict[str, object] = {
        "sequence": number,
        "recorded_at": moment,
        "event": "110103",
        "event_type": "study-viewed",
        "action": "R",
        "outcome": 0,
        "study_instance_uid": f"1.2.826.0.1.3680043.10.543.{number % 999}",
        "user": "maira-gateway",
        "detail": f"record {number}",
        "message": "<AuditMessage>" + "x" * _MESSAGE_BYTES,
    }
    leaf = leaf_of(row).hex()
    return {**row, "recorded_at": f"{moment:%Y-%m-%d %H:%M:%S.%f}", "leaf": leaf}


@contextmanager
def timed(taken: list[Figure], what: str) -> Iterator[None]:
    """Note how long a block took by the clock, and of a processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    taken.append(Figure(name=what, unit="s", values=(wall,)))
    taken.append(Figure(name=f"{what}, processor", unit="s", values=(cpu,)))


if __name__ == "__main__":
    raise SystemExit(main())
