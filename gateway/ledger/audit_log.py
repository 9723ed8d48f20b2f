"""The audit log's order: gapless, and that of the commits; each record has its leaf."""

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, bindparam, select, update

from gateway.audit.leaf import leaf_of
from gateway.audit.message import AuditEntry
from gateway.failpoints import pass_failpoint
from gateway.ledger import schema
from gateway.ledger.master import Patients
from gateway.ledger.patients import kept

_HEAD = schema.audit_head.c.last_sequence
_LAST = select(_HEAD)
_TAKEN = (
    update(schema.audit_head)
    .values(last_sequence=_HEAD + bindparam("count"))
    .returning(_HEAD)
)
_APPENDED = schema.audit.insert()


def append(
    connection: Connection, patients: Patients, entries: Sequence[AuditEntry]
) -> int:
    """Append in the caller's transaction; return the last sequence number.

    The head row stays locked until that transaction ends, so a number is given
    only to what is committed, and no later number is committed earlier. The
    clock has no part in it.
    """
    if not entries:
        return int(connection.execute(_LAST).scalar_one())
    last = int(connection.execute(_TAKEN, {"count": len(entries)}).scalar_one())
    first = last - len(entries) + 1
    rows = [
        _row(connection, patients, entry, sequence)
        for sequence, entry in enumerate(entries, start=first)
    ]
    connection.execute(_APPENDED, rows)
    pass_failpoint("audit:appended")
    return last


def _row(
    connection: Connection, patients: Patients, entry: AuditEntry, sequence: int
) -> dict[str, object]:
    row = {field.name: getattr(entry, field.name) for field in fields(entry)}
    patient, message = kept(connection, patients, entry)
    row |= {"sequence": sequence, "patient": patient, "message": message}
    row = {name: _keepable(value) for name, value in row.items()}
    return {**row, "leaf": leaf_of(row).hex()}


def _keepable(value: object) -> object:
    """Return text that every database keeps as it is: PostgreSQL has no U+0000."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
