"""Records of the audit as reviewers see them."""

from dataclasses import fields

from gateway.audit.message import AuditEntry
from gateway.ledger import AuditRecord


def kept_of(entry: AuditEntry, sequence: int = 1) -> AuditRecord:
    """Return an entry as the ledger gives it back, its patient left out."""
    values = {field.name: getattr(entry, field.name) for field in fields(entry)}
    return AuditRecord(sequence=sequence, **{**values, "patient": None})
