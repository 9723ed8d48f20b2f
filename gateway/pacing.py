"""How much is asked of a peer at one time, and what need not be asked again.

Priors of many studies must not stampede an archive. A peer has as many places as
the settings give it; they halve when it slows down and come back one by one (AIMD,
as in RFC 5681). Answers are kept for a short while: the next image of a study asks
the same. One object a process; several processes do not know of each other.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from threading import Condition, Lock
from typing import Generic, TypeVar

from dicom_io.errors import PeerFailure, PeerTimedOut, PeerUnreachable

T = TypeVar("T")

_RECENT = 21
"""Answers whose seconds are compared."""
_ENOUGH = 5
"""With fewer nothing is known of a peer's usual pace."""
_SLOWED = 4.0
_NOTICEABLE_SECONDS = 1.0
"""An answer is slow that takes this many times the median, and this long at least."""
_QUICK_IN_A_ROW = 10
"""Answers after which a place comes back."""
_CACHE_CAP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much a peer is asked at one time, by how quickly it answered; pure.

    most : the limit of the settings. places : how many of them are in use now, at
    least 1. quick : answers in a row that were not slow. recent : seconds, the
    latest last.
    """

    most: int
    places: int
    quick: int = 0
    recent: tuple[float, ...] = ()

    def after_answer(self, seconds: float) -> "Pace":
        """Return the pace once an answer took `seconds`."""
        slow = self._is_slow(seconds)
        recent = (*self.recent, seconds)[-_RECENT:]
        return replace(self._halved() if slow else self._grown(), recent=recent)

    def unchanged(self) -> "Pace":
        """Return the same pace: what happened tells nothing."""
        return self

    def after_silence(self) -> "Pace":
        """Return the pace once no answer came in time."""
        return self._halved()

    def _is_slow(self, seconds: float) -> bool:
        if len(self.recent) < _ENOUGH or seconds <= _NOTICEABLE_SECONDS:
            return False
        return seconds > _SLOWED * median(self.recent)

    def _halved(self) -> "Pace":
        return replace(self, places=max(1, self.places // 2), quick=0)

    def _grown(self) -> "Pace":
        if self.places >= self.most:
            return replace(self, quick=0)
        if self.quick + 1 < _QUICK_IN_A_ROW:
            return replace(self, quick=self.quick + 1)
        return replace(self, places=self.places + 1, quick=0)


class Pacing:
    """Who may ask which peer now. Thread-safe; first come, first served."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._peers: dict[str, _Peer] = {}
        self._changed = Condition()

    @contextmanager
    def holding(self, peer: str, most: int, wait_seconds: float) -> Iterator[None]:
        """Hold one of the `most` places of `peer` for the length of a with block.

        Raises PeerFailure where none is free within `wait_seconds`: no
        PeerUnreachable, because the peer does answer, others. A peer that is silent
        in the block loses places.
        """
        known = self._taken(peer, most, wait_seconds)
        pace = Pace.unchanged
        try:
            yield
        except (PeerTimedOut, PeerUnreachable):
            pace = Pace.after_silence
            raise
        finally:
            self._returned(known, pace)

    @contextmanager
    def asking(self, peer: str, most: int, wait_seconds: float) -> Iterator[None]:
        """As `holding`, for a question: how long the answer takes is judged.

        A retrieval takes as long as its study is large, which tells nothing.
        """
        with self.holding(peer, most, wait_seconds):
            began = self._clock()
            yield
            self._note(peer, self._clock() - began)

    def places(self, peer: str) -> int | None:
        """Return how many may ask `peer` at one time now; None: nobody has."""
        with self._changed:
            known = self._peers.get(peer)
            return None if known is None else known.pace.places

    def _taken(self, name: str, most: int, wait_seconds: float) -> "_Peer":
        turn = object()
        with self._changed:
            peer = self._peers.setdefault(name, _Peer(Pace(most=most, places=most)))
            peer.line.append(turn)
            try:
                free = self._changed.wait_for(lambda: peer.admits(turn), wait_seconds)
            finally:
                peer.line.remove(turn)
                self._changed.notify_all()
            if not free:
                raise PeerFailure(f"{name} is busy with our other questions")
            peer.in_flight += 1
        return peer

    def _returned(self, peer: "_Peer", pace: Callable[[Pace], Pace]) -> None:
        with self._changed:
            peer.in_flight -= 1
            peer.pace = pace(peer.pace)
            self._changed.notify_all()

    def _note(self, peer: str, seconds: float) -> None:
        with self._changed:
            known = self._peers[peer]
            known.pace = known.pace.after_answer(seconds)


class _Peer:
    """One peer: who is being answered, and who waits, the first in front."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.in_flight = 0
        self.line: deque[object] = deque()

    def admits(self, turn: object) -> bool:
        return self.line[0] is turn and self.in_flight < self.pace.places


class RecentAnswers(Generic[T]):
    """Answers of the last seconds by question; bounded, thread-safe, no failures."""

    def __init__(self, seconds: float, cap: int = _CACHE_CAP) -> None:
        """`seconds`: how long an answer holds; 0 keeps none."""
        self._seconds, self._cap = seconds, cap
        self._answers: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._lock = Lock()

    def get(self, question: Hashable, now: float) -> T | None:
        """Return a recent answer, or None. `now`: seconds of any steady clock."""
        with self._lock:
            kept = self._answers.get(question)
        return kept[1] if kept and now - kept[0] < self._seconds else None

    def put(self, question: Hashable, answer: T, now: float) -> None:
        """Keep an answer; the oldest goes where there are too many."""
        with self._lock:
            self._answers.pop(question, None)
            self._answers[question] = (now, answer)
            while self._answers and self._is_spent(now):
                self._answers.popitem(last=False)

    def _is_spent(self, now: float) -> bool:
        """Whether the oldest has to go."""
        oldest = next(iter(self._answers.values()))[0]
        return len(self._answers) > self._cap or now - oldest >= self._seconds
