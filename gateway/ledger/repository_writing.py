"""Changes about the repositories of the audit."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, insert, update
from sqlalchemy.sql.elements import ColumnElement

from gateway.errors import LostRace
from gateway.ledger import schema
from gateway.ledger.reading import Reading
from gateway.ledger.records import RepositoryRecord


class RepositoryWriting(Reading):
    """What changes of a repository; each change holds only where nobody was first."""

    def enlist_repositories(self, names: Collection[str]) -> None:
        """Know these repositories and no others; a new one is sent the whole log."""
        table = schema.audit_repositories
        self._connection.execute(delete(table).where(table.c.name.not_in(names)))
        for name in sorted(names):
            if self.repository(name) is None:
                new = RepositoryRecord(name=name)
                self._connection.execute(insert(table).values(asdict(new)))

    def claim_repository(self, known: RepositoryRecord, until: datetime) -> bool:
        """Let nobody else send to it until then; False: somebody else does."""
        table = schema.audit_repositories
        claimed = (
            update(table)
            .where(
                *_is_as(known),
                table.c.not_before.is_not_distinct_from(known.not_before),
            )
            .values(not_before=until)
        )
        return self._connection.execute(claimed).rowcount == 1

    def change_repository(self, known: RepositoryRecord, new: RepositoryRecord) -> None:
        """Put `new` where it has got as far as `known`; raise LostRace otherwise."""
        table = schema.audit_repositories
        changed = update(table).where(*_is_as(known)).values(asdict(new))
        if self._connection.execute(changed).rowcount != 1:
            raise LostRace(f"somebody else sends to the repository {known.name}")


def _is_as(known: RepositoryRecord) -> tuple[ColumnElement[bool], ...]:
    """Say what no other sender has changed; the clock may have moved the times."""
    columns = schema.audit_repositories.c
    return (
        columns.name == known.name,
        columns.last_sequence == known.last_sequence,
        columns.checkpoint_size == known.checkpoint_size,
        columns.failures == known.failures,
    )
