"""What happened, by whom and to which study: audit messages of PS3.15 A.5."""

from gateway.audit.message import AuditEntry

__all__ = ["AuditEntry"]
