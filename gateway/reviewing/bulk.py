"""Who had to do with many studies within a short time; pure."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.audit import codes
from gateway.ledger import Access

OPENED = frozenset(
    {
        codes.STUDY_VIEWED.value,
        codes.STUDY_DECIDED.value,
        codes.RESEND_DECIDED.value,
        codes.PHRASE_GROUNDED.value,
    }
)
"""Types of events by which a person saw a study or had it leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """How much one person had opened within a window, at the most.

    `most` different subjects (patients where they are known, else studies) between
    `since` and `until`.
    """

    user: str
    most: int
    since: datetime
    until: datetime


def bulk_access(
    openings: Iterable[tuple[Access, str]], window: timedelta, threshold: int
) -> list[Bulk]:
    """Return who opened more than `threshold` subjects within `window`, most first.

    openings : each with its subject, in the order of time, oldest first.
    """
    by_user: dict[str, _Window] = {}
    for access, subject in openings:
        if access.user not in by_user:
            by_user[access.user] = _Window(window)
        by_user[access.user].add(access.recorded_at, subject)
    found = [
        Bulk(user=user, most=seen.most, since=seen.since, until=seen.until)
        for user, seen in by_user.items()
        if seen.most > threshold
    ]
    return sorted(found, key=lambda bulk: (-bulk.most, bulk.user))


def busy_steps(
    steps: Iterable[tuple[str, int, int]], threshold: int
) -> dict[str, tuple[int, int]]:
    """Return who had more than `threshold` subjects in two steps in a row, and when.

    steps : user, number of the step, studies in it. Returns the first and the last step
    of each such user. What is about no study counts as one more.
    """
    counts: dict[str, dict[int, int]] = {}
    for user, step, count in steps:
        counts.setdefault(user, {})[step] = count
    found: dict[str, tuple[int, int]] = {}
    for user, own in counts.items():
        busy = [
            step
            for step in own
            if own[step] + max(own.get(step - 1, 0), own.get(step + 1, 0)) + 1
            > threshold
        ]
        if busy:
            found[user] = min(busy) - 1, max(busy) + 1
    return found


def is_opening(access: Access) -> bool:
    """Whether a person saw a study or took something of it away."""
    return access.event == codes.EXPORT.value or access.event_type in OPENED


class _Window:
    """The subjects of one person in a window that moves with the time."""

    def __init__(self, length: timedelta) -> None:
        self._length = length
        self._inside: deque[tuple[datetime, str]] = deque()
        self._subjects: Counter[str] = Counter()
        self.most = 0
        self.since = self.until = datetime.min.replace(tzinfo=UTC)

    def add(self, at: datetime, subject: str) -> None:
        self._inside.append((at, subject))
        self._subjects[subject] += 1
        while self._inside[0][0] <= at - self._length:
            _, gone = self._inside.popleft()
            self._subjects[gone] -= 1
            if not self._subjects[gone]:
                del self._subjects[gone]
        if len(self._subjects) > self.most:
            self.most = len(self._subjects)
            self.since, self.until = self._inside[0][0], at
