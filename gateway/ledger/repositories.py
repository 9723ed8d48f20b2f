"""Questions about the repositories of the audit: how far each has got it."""

from sqlalchemy import func, select

from gateway.ledger import schema
from gateway.ledger.outbox import OutboxReading
from gateway.ledger.records import AuditRecord, Backlog, RepositoryRecord
from gateway.ledger.rows import selected


class RepositoryReading(OutboxReading):
    """What a forwarder asks, and who watches it."""

    def repository(self, name: str) -> RepositoryRecord | None:
        """Return how far a repository is; None: it is not enlisted."""
        table = schema.audit_repositories
        return self._first(RepositoryRecord, select(table).where(table.c.name == name))

    def backlogs(self) -> list[Backlog]:
        """Return what each repository has not got yet, by name."""
        table = schema.audit_repositories
        known = self._all(RepositoryRecord, select(table).order_by(table.c.name))
        return [self._backlog(repository) for repository in known]

    def audit_after(self, sequence: int, limit: int) -> list[AuditRecord]:
        """Return the next records of the audit, in sequence."""
        table = schema.audit
        found = selected(AuditRecord, table).where(table.c.sequence > sequence)
        return self._all(AuditRecord, found.order_by(table.c.sequence).limit(limit))

    def last_audit_sequence(self) -> int:
        """Return the number of the newest record; 0: there is none."""
        head = select(schema.audit_head.c.last_sequence)
        return int(self._connection.execute(head).scalar_one())

    def handed_to_all(self) -> int | None:
        """Return up to which record every repository has the audit; None: no one is.

        What is newer must not be removed: it has still to be sent.
        """
        least = select(func.min(schema.audit_repositories.c.last_sequence))
        found: int | None = self._connection.scalar(least)
        return found

    def _backlog(self, repository: RepositoryRecord) -> Backlog:
        table, last = schema.audit, repository.last_sequence
        oldest = (
            select(table.c.recorded_at)
            .where(table.c.sequence > last)
            .order_by(table.c.sequence)
            .limit(1)
        )
        return Backlog(
            repository=repository,
            # The numbers have no gap.
            records=self.last_audit_sequence() - last,
            oldest=self._connection.scalar(oldest),
        )
