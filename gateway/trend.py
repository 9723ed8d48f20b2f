"""How the last hours were, one sample a minute, for the charts of the System page.

Kept in memory: it begins anew with the process, and whoever wants months of it asks
`metrics` with a monitoring system. A sample reads no table from end to end.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from gateway.ledger import Ledger, Reading
from gateway.lifecycle import WAITING_FOR_A_PERSON, WORKING, Event

SAMPLE_SECONDS = 60.0
MOST_SAMPLES = 24 * 60
"""A day of minutes; a few hundred bytes each."""

REPORTED = (Event.REPORT_WRITTEN, Event.REPORT_HELD)
ENDED = (
    Event.RESULTS_COMMITTED,
    Event.RESULTS_KEPT,
    Event.STUDY_DECLINED,
    Event.WITHDRAWAL_COMMITTED,
    Event.WITHDRAWAL_KEPT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One minute: what happened in it, and how it ended.

    `received`, `reported`, `ended` and `parked` count steps of studies since the
    sample before. `working` and `waiting` count studies at its end, those that a worker
    or a person is to go on with. `disk_free` and `memory_free` are bytes.
    """

    at: datetime
    received: int
    reported: int
    ended: int
    parked: int
    working: int
    waiting: int
    disk_free: int
    memory_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where free bytes are looked up."""

    disk: Callable[[], int]
    memory: Callable[[], int]


class Trend:
    """The samples of this process, the oldest first; thread-safe."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._last_move: int | None = None
        self._lock = Lock()

    def samples(self) -> Sequence[Sample]:
        """Return what was sampled."""
        with self._lock:
            return tuple(self._samples)

    def sample(self, ledger: Ledger, room: Room, now: datetime) -> None:
        """Look, and add a sample; steps are counted from the second one on."""
        disk, memory = room.disk(), room.memory()
        with self._lock, ledger.reading() as rows:
            last = rows.last_move()
            before = last if self._last_move is None else self._last_move
            steps = rows.moves_after(before, last)
            self._last_move = last
            self._samples.append(_sample(rows, steps, now, disk, memory))


def _sample(
    rows: Reading, steps: dict[Event, int], now: datetime, disk: int, memory: int
) -> Sample:
    return Sample(
        at=now,
        received=steps.get(Event.IMAGE_ARRIVED, 0),
        reported=sum(steps.get(event, 0) for event in REPORTED),
        ended=sum(steps.get(event, 0) for event in ENDED),
        parked=steps.get(Event.GAVE_UP, 0),
        working=sum(queue.count for queue in rows.queues(WORKING)),
        waiting=sum(queue.count for queue in rows.queues(WAITING_FOR_A_PERSON)),
        disk_free=disk,
        memory_free=memory,
    )
