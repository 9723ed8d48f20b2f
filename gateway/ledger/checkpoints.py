"""Questions about what was signed of the audit log, and about its leaves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from gateway.audit.checkpoints import (
    Continuation,
    KeyChange,
    parse_continuation,
    parse_key_change,
)
from gateway.audit.merkle import Peaks
from gateway.audit.notes import unbase64
from gateway.errors import UnreadableNote
from gateway.ledger import schema
from gateway.ledger.rows import Rows

PAGE = 2000
"""Rows of the audit that are held at once."""

AuditRow = Mapping[str, object]
"""A row of the audit with all of its columns, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCheckpoint:
    """A checkpoint as it was handed out, and the tree that the next one extends."""

    size: int
    body: str
    peaks: str

    def continuation(self) -> Continuation:
        """Return what was handed out; raises UnreadableNote where it was changed."""
        return parse_continuation(self.body)

    def tree(self) -> Peaks:
        """Return the tree's peaks; raises UnreadableNote where they were changed."""
        try:
            return Peaks(self.size, tuple(map(unbase64, self.peaks.split())))
        except ValueError as error:
            raise UnreadableNote("peaks that fit no tree") from error


class CheckpointReading(Rows):
    """What is asked to sign the audit, and to prove it."""

    def audit_size(self) -> int:
        """Return how many records the audit has had: the last one's number."""
        return int(self._connection.execute(_SIZE).scalar_one())

    def audit_rows(
        self, after: int = 0, until: int | None = None
    ) -> Iterator[AuditRow]:
        """Yield whole rows in sequence, from the one after `after` to `until`."""
        table = schema.audit
        while True:
            page = table.c.sequence > after
            found = select(table).where(page).order_by(table.c.sequence).limit(PAGE)
            if until is not None:
                found = found.where(table.c.sequence <= until)
            rows = self._connection.execute(found).all()
            yield from (row._asdict() for row in rows)
            if len(rows) < PAGE:
                return
            after = int(rows[-1].sequence)

    def audit_leaves(self, after: int, until: int) -> list[str]:
        """Return the leaves that are kept with the records, hexadecimal."""
        table = schema.audit
        wanted = table.c.sequence > after, table.c.sequence <= until
        found = select(table.c.leaf).where(*wanted).order_by(table.c.sequence)
        return list(self._connection.scalars(found))

    def first_sequence(self) -> int | None:
        """Return the number of the first record that is kept; None: none is."""
        found: int | None = self._connection.scalar(
            select(func.min(schema.audit.c.sequence))
        )
        return found

    def last_checkpoint(self, until: int | None = None) -> KeptCheckpoint | None:
        """Return the newest checkpoint, of at most `until` records; None: none is."""
        table = schema.audit_checkpoints
        found = select(table).order_by(table.c.size.desc())
        if until is not None:
            found = found.where(table.c.size <= until)
        return self._first(KeptCheckpoint, found)

    def checkpoints(
        self, after: int = 0, limit: int | None = None, *, until: int | None = None
    ) -> list[KeptCheckpoint]:
        """Return the checkpoints of more than `after` records, the oldest first.

        until : of at most so many records.
        """
        table = schema.audit_checkpoints
        found = select(table).where(table.c.size > after).order_by(table.c.size)
        if until is not None:
            found = found.where(table.c.size <= until)
        return self._all(KeptCheckpoint, found.limit(limit))

    def key_changes(self) -> list[KeyChange]:
        """Return every change of the key; raises UnreadableNote for a false one."""
        table = schema.audit_keys
        notes = self._connection.scalars(select(table.c.note).order_by(table.c.id))
        return [parse_key_change(note) for note in notes]


_SIZE = select(schema.audit_head.c.last_sequence)
