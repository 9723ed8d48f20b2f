"""What is known of the log's soundness, for the head of every page about it."""

from dataclasses import dataclass
from datetime import datetime

from gateway.errors import UnreadableNote
from gateway.ledger import Ledger

ALARM = "audit-alarm"
"""The note of the ledger that says what was last found wrong with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the log is signed, and what was found wrong with it.

    signed_size, signed_at : of the last checkpoint; None: there is none yet. wrong :
    None: nothing was found.
    """

    size: int
    signed_size: int | None
    signed_at: datetime | None
    wrong: str | None

    @property
    def unsigned(self) -> int:
        """How many records no checkpoint covers yet."""
        return self.size - (self.signed_size or 0)


def standing_of(ledger: Ledger) -> Standing:
    """Return how the log stands."""
    with ledger.reading() as rows:
        size, kept = rows.audit_size(), rows.last_checkpoint()
        wrong = rows.recall(ALARM)
    if kept is None:
        return Standing(size=size, signed_size=None, signed_at=None, wrong=wrong)
    try:
        signed_at = kept.continuation().checkpoint.at
    except UnreadableNote as error:
        wrong, signed_at = wrong or f"the last checkpoint: {error}", None
    return Standing(size=size, signed_size=kept.size, signed_at=signed_at, wrong=wrong)
