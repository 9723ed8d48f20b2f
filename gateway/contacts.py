"""When each peer last did its part: asked by us, sending to us, or just greeted.

What happens all day is noted in memory and written to the ledger once a minute, for a
write each time would cost more than it tells: a kill loses the last minute of it. What
a person asked for, an echo, is written at once.
"""

from dataclasses import replace
from datetime import datetime
from threading import Lock

from gateway.ledger import ContactRecord, Ledger, Way


class Contacts:
    """What happened since it was last kept; thread-safe."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, Way], ContactRecord] = {}
        self._lock = Lock()

    def answered(self, peer: str, way: Way, at: datetime) -> None:
        """Note that a peer did its part."""
        self._note(ContactRecord(peer=peer, way=way, answered_at=at))

    def failed(self, peer: str, way: Way, at: datetime) -> None:
        """Note that a peer did not answer."""
        self._note(ContactRecord(peer=peer, way=way, failed_at=at))

    def keep(self, ledger: Ledger) -> int:
        """Write what is new; return how many rows. It stays noted where that fails."""
        with self._lock:
            latest = dict(self._latest)
        if not latest:
            return 0
        with ledger.writing() as rows:
            for contact in latest.values():
                rows.put_contact(contact)
        with self._lock:
            for key, contact in latest.items():
                if self._latest.get(key) == contact:
                    del self._latest[key]
        return len(latest)

    def _note(self, new: ContactRecord) -> None:
        with self._lock:
            known = self._latest.get((new.peer, new.way), new)
            self._latest[new.peer, new.way] = replace(
                known,
                answered_at=new.answered_at or known.answered_at,
                failed_at=new.failed_at or known.failed_at,
            )
