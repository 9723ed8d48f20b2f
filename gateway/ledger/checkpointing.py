"""Changes of what is signed of the audit log, and the removal of its oldest records."""

from sqlalchemy import delete, insert

from gateway.audit.checkpoints import Continuation, KeyChange
from gateway.audit.merkle import Peaks
from gateway.audit.notes import base64
from gateway.ledger import schema
from gateway.ledger.reading import Reading


class CheckpointWriting(Reading):
    """What changes when the audit is signed or shortened."""

    def add_checkpoint(self, signed: Continuation, tree: Peaks) -> None:
        """Keep a checkpoint with the tree that it is of."""
        values = {
            "size": tree.size,
            "body": signed.text(),
            "peaks": "\n".join(map(base64, tree.hashes)),
        }
        self._connection.execute(insert(schema.audit_checkpoints).values(values))

    def add_key_change(self, change: KeyChange) -> None:
        """Keep the statement by which a new key follows the old one."""
        self._connection.execute(insert(schema.audit_keys).values(note=change.note))

    def forget_audit(self, until: int) -> int:
        """Remove the records up to `until`, the size of a checkpoint; return how many.

        That checkpoint stays: its tree is what the rest is proven with.
        """
        records, signed = schema.audit, schema.audit_checkpoints
        self._connection.execute(delete(signed).where(signed.c.size < until))
        gone = self._connection.execute(
            delete(records).where(records.c.sequence <= until)
        )
        return gone.rowcount
