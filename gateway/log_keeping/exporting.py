"""Export audit records as a signed bundle, with the record that they were exported."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TextIO

from gateway.audit import kinds
from gateway.audit.bundle import Contents, Proven, lines_of
from gateway.audit.checkpoints import Checkpoint
from gateway.audit.leaf import canonical
from gateway.audit.merkle import Nodes, inclusion_path, proof
from gateway.audit.notes import Signer
from gateway.audit.parts import Person
from gateway.errors import NotSigned
from gateway.ledger import AuditFilter, AuditRecord, Ledger, Reading
from gateway.ledger.checkpoints import KeptCheckpoint
from gateway.log_keeping.sealing import newest, parse_leaf
from gateway.log_keeping.verification import removed_of
from gateway.showing.review import describe

PAGE = 500
"""Records that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written; all of it is covered by the checkpoint."""

    records: int
    checkpoint: Checkpoint


def export_bundle(
    ledger: Ledger, signer: Signer, wanted: AuditFilter, by: Person | str, now: datetime
) -> tuple[Checkpoint, Iterator[str]]:
    """Record the export, sign the log as it is then, and return the bundle's lines.

    The limit of `wanted` does not count; without any condition the bundle is full.
    The lines are made as they are asked for, from one snapshot. Raises NotSigned.
    """
    about = describe(wanted)
    with ledger.writing() as rows:
        rows.append_audit(kinds.audit_exported(by, f"signed bundle: {about}", now))
    checkpoint = newest(ledger, signer, now)
    return checkpoint, _lines(ledger, signer, wanted, checkpoint, now)


def write_bundle(
    ledger: Ledger,
    signer: Signer,
    wanted: AuditFilter,
    by: tuple[str, datetime],
    out: TextIO,
) -> Exported:
    """Write a bundle; `by`: who asks, and when. Raises NotSigned."""
    checkpoint, lines = export_bundle(ledger, signer, wanted, *by)
    written = 0
    for line in lines:
        out.write(line)
        written += 1
    lines_a_record = 1 if _is_everything(wanted) else 2
    return Exported(records=(written - 2) // lines_a_record, checkpoint=checkpoint)


def _is_everything(wanted: AuditFilter) -> bool:
    return replace(wanted, limit=0) == AuditFilter(limit=0)


def _lines(
    ledger: Ledger,
    signer: Signer,
    wanted: AuditFilter,
    checkpoint: Checkpoint,
    now: datetime,
) -> Iterator[str]:
    is_full = _is_everything(wanted)
    with ledger.reading() as rows:
        kept = rows.checkpoints()
        removed = removed_of(rows.first_sequence(), kept)
        contents = Contents(
            checkpoint=_of_size(kept, checkpoint.size).continuation(),
            about=describe(wanted),
            is_full=is_full,
            keys=rows.key_changes(),
            removed=removed,
        )
        nodes = None if is_full else _nodes(rows, kept, checkpoint.size)
        records = _records(rows, wanted, checkpoint.size)
        proven = (_proven(record, nodes, checkpoint.size) for record in records)
        yield from lines_of(contents, proven, signer, now)


def _of_size(kept: list[KeptCheckpoint], size: int) -> KeptCheckpoint:
    for each in kept:
        if each.size == size:
            return each
    raise NotSigned("the log was shortened meanwhile: export again")


def _nodes(rows: Reading, kept: list[KeptCheckpoint], size: int) -> Nodes:
    removed = removed_of(rows.first_sequence(), kept)
    leaves = [parse_leaf(text) for text in rows.audit_leaves(removed.size, size)]
    whole = [leaf for leaf in leaves if leaf is not None]
    if removed.size + len(whole) != size:
        raise NotSigned("records of the audit are missing: see `audit verify`")
    return Nodes(removed, whole)


def _records(rows: Reading, wanted: AuditFilter, until: int) -> Iterator[AuditRecord]:
    page = replace(wanted, limit=PAGE)
    while True:
        found = rows.audit(page)
        yield from (record for record in found if record.sequence <= until)
        if len(found) < PAGE or found[-1].sequence >= until:
            return
        page = replace(page, after_sequence=found[-1].sequence)


def _proven(record: AuditRecord, nodes: Nodes | None, size: int) -> Proven:
    line = canonical({f.name: getattr(record, f.name) for f in fields(record)})
    if nodes is None:
        return Proven(line=line)
    path = inclusion_path(record.sequence - 1, size)
    return Proven(line=line, proof=proof(path, nodes.root))
