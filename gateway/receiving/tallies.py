"""What each open association has brought of each study so far, for the audit.

Kept in memory: what a crash forgets here stands in the record of each instance.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.audit.message import Action

Brought = Mapping[tuple[str, Action], Mapping[str, int]]
"""(Study Instance UID, what became of it): SOP Class UID and number of instances."""


@dataclass(frozen=True, slots=True)
class Tallies:
    """Counts per association; safe to share between its threads.

    An association that was not opened here (a retrieval of ours) is not counted.
    """

    _open: dict[str, dict[tuple[str, Action], Counter[str]]] = field(
        default_factory=dict
    )
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def open(self, association_id: str) -> None:
        """Begin to count what an association brings."""
        with self._turn:
            self._open[association_id] = {}

    def is_first(self, association_id: str, study_instance_uid: str) -> bool:
        """Say whether nothing of a study was counted yet on an open association."""
        with self._turn:
            brought = self._open.get(association_id)
            if brought is None:
                return False
            return all(study != study_instance_uid for study, _ in brought)

    def count(
        self, association_id: str, study_instance_uid: str, cls: str, action: Action
    ) -> None:
        """Count what was taken: CREATE is new here, READ was held already."""
        with self._turn:
            brought = self._open.get(association_id)
            if brought is not None:
                kept = brought.setdefault((study_instance_uid, action), Counter())
                kept[cls] += 1

    def close(self, association_id: str) -> Brought:
        """Return what an association brought, and forget it."""
        with self._turn:
            return self._open.pop(association_id, {})
