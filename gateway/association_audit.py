"""What the listener says of associations, written to the audit."""

from dataclasses import dataclass, field

from dicom_io.scp.admission import AssociationFacts
from dicom_io.scp.session import ClassCount
from gateway.audit import kinds
from gateway.contacts import Contacts
from gateway.ledger import Ledger, Way
from gateway.site import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationAudit:
    """Writes an audit record for each association that says something.

    An association without an instance (C-ECHO, a load balancer's probe) leaves
    none; a refused one always does. `contacts` hears who brought something.
    """

    ledger: Ledger
    clock: Clock
    contacts: Contacts = field(default_factory=Contacts)

    def opened(self, facts: AssociationFacts) -> None:
        """Write nothing yet: what it brings is recorded with each instance."""

    def refused(self, facts: AssociationFacts, reason: str) -> None:
        """Write a security alert (PS3.15 A.5, DCM 110113 with 110126)."""
        entry = kinds.association_refused(facts, reason, self.clock())
        with self.ledger.writing() as rows:
            rows.append_audit(entry)

    def closed(self, facts: AssociationFacts, counts: tuple[ClassCount, ...]) -> None:
        """Write what the association brought in all."""
        if not counts:
            return
        if any(count.received for count in counts):
            peer = facts.peer.name if facts.peer else facts.calling_title
            self.contacts.answered(peer, Way.SENT, self.clock())
        with self.ledger.writing() as rows:
            rows.append_audit(kinds.transfer_ended(facts, counts, self.clock()))
