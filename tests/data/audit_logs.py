"""Logs of an audit with checkpoints in a folder, as a gateway leaves them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gateway.audit.notes import PublicKey, Signer
from gateway.audit.verifying import Verdict
from gateway.ledger import Ledger
from gateway.log_keeping.handing import put_file
from gateway.log_keeping.sealing import find_signer, seal
from gateway.log_keeping.verification import verify_ledger
from tests.data.ledgers import NOW, audit_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLog:
    """A ledger in a folder, the folder of its checkpoints, and its first key."""

    folder: Path
    public: PublicKey

    @property
    def database(self) -> Path:
        return self.folder / "ledger.db"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def key_file(self) -> Path:
        return self.folder / "audit.key"

    @contextmanager
    def opened(self) -> Iterator[Ledger]:
        ledger = Ledger.open(f"sqlite:///{self.database}")
        try:
            yield ledger
        finally:
            ledger.close()

    def verdict(self) -> Verdict:
        """Verify as a reviewer does: with the key that was written down."""
        with self.opened() as ledger:
            return verify_ledger(ledger, self.public, [self.checkpoints])


def new_log(folder: Path) -> AuditLog:
    """Make a log that holds nothing yet."""
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger.open(f"sqlite:///{folder / 'ledger.db'}")
    try:
        signer = find_signer(folder / "audit.key", ledger)
    finally:
        ledger.close()
    (folder / "checkpoints").mkdir()
    return AuditLog(folder=folder, public=signer.public)


def append(ledger: Ledger, count: int, start: int = 0) -> None:
    """Append records that differ from each other, in one transaction."""
    with ledger.writing() as rows:
        for number in range(start, start + count):
            entry = audit_entry(
                recorded_at=NOW + timedelta(seconds=number),
                detail=f"record {number}",
                study_instance_uid=f"1.2.3.{number % 5}",
                message=f"<AuditMessage>{number}</AuditMessage>",
                event_type="study-viewed" if number % 3 else None,
            )
            rows.append_audit(entry)


def sign(log: AuditLog, ledger: Ledger, minutes: int) -> Signer:
    """Sign what is new and hand it to the folder."""
    signer = find_signer(log.key_file, ledger)
    seal(ledger, signer, NOW + timedelta(minutes=minutes))
    hand(log, ledger)
    return signer


def hand(log: AuditLog, ledger: Ledger) -> None:
    with ledger.reading() as rows:
        for kept in rows.checkpoints():
            put_file(log.checkpoints, kept.continuation())


def copied(log: AuditLog, folder: Path) -> AuditLog:
    """Return a copy of a log, as a back-up would be."""
    shutil.copytree(log.folder, folder)
    return AuditLog(folder=folder, public=log.public)


def given_log(folder: Path, portions: tuple[int, ...] = (7, 9, 5, 11)) -> AuditLog:
    """Make a log with a checkpoint after each portion of records."""
    log = new_log(folder)
    with log.opened() as ledger:
        start = 0
        for minutes, count in enumerate(portions, start=1):
            append(ledger, count, start)
            start += count
            sign(log, ledger, minutes)
    return log
