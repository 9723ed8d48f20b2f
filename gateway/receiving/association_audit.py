"""What the listener says of associations, written to the audit."""

from dataclasses import dataclass, field

from dicom_io.scp.admission import AssociationFacts
from dicom_io.scp.session import ClassCount
from gateway.audit import kinds
from gateway.contacts import Contacts
from gateway.ledger import Ledger, Way
from gateway.receiving.tallies import Tallies
from gateway.site import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationAudit:
    """Writes an audit record for each association that says something.

    An association without an instance (C-ECHO, a load balancer's probe) leaves
    none; a refused one always does. `tallies` are those of the intake; `contacts`
    hears who brought something.
    """

    ledger: Ledger
    clock: Clock
    tallies: Tallies
    contacts: Contacts = field(default_factory=Contacts)

    def opened(self, facts: AssociationFacts) -> None:
        """Write nothing yet: what it brings is recorded with each instance."""
        self.tallies.open(facts.association_id)

    def refused(self, facts: AssociationFacts, reason: str) -> None:
        """Write a security alert (PS3.15 A.5, DCM 110113 with 110126)."""
        entry = kinds.association_refused(facts, reason, self.clock())
        with self.ledger.writing() as rows:
            rows.append_audit(entry)

    def closed(self, facts: AssociationFacts, counts: tuple[ClassCount, ...]) -> None:
        """Write what the association brought of each study, and what was refused."""
        brought = self.tallies.close(facts.association_id)
        if not counts:
            return
        now = self.clock()
        if any(count.received for count in counts):
            peer = facts.peer.name if facts.peer else facts.calling_title
            self.contacts.answered(peer, Way.SENT, now)
        entries = [
            kinds.study_received(facts, study, action, classes, now)
            for (study, action), classes in brought.items()
        ]
        if not brought or any(count.refused for count in counts):
            entries.append(kinds.transfer_ended(facts, counts, now))
        with self.ledger.writing() as rows:
            for entry in entries:
                rows.append_audit(entry)
