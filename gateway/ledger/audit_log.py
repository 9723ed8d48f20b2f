"""The audit log's order: gapless, and the order of the commits."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, select, update

from gateway.audit.message import AuditEntry
from gateway.ledger import schema


def append(connection: Connection, entries: Sequence[AuditEntry]) -> int:
    """Append in the caller's transaction; return the last sequence number.

    The head row stays locked until that transaction ends, so a number is given
    only to what is committed, and no later number is committed earlier. The
    clock has no part in it.
    """
    head = schema.audit_head
    taken = (
        update(head)
        .values(last_sequence=head.c.last_sequence + len(entries))
        .returning(head.c.last_sequence)
    )
    if not entries:
        return int(connection.execute(select(head.c.last_sequence)).scalar_one())
    last = int(connection.execute(taken).scalar_one())
    first = last - len(entries) + 1
    rows = [
        {"sequence": sequence, **asdict(entry)}
        for sequence, entry in enumerate(entries, start=first)
    ]
    connection.execute(schema.audit.insert(), rows)
    return last
