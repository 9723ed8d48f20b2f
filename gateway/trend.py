"""How the last hours were, one sample a minute, for the charts of the System page.

A day of them is in the ledger, where every process finds it; whoever wants months asks
`metrics` with a monitoring system. A sample reads no table from end to end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.ledger import Ledger, Sample
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
class Room:
    """Where free bytes are looked up."""

    disk: Callable[[], int]
    memory: Callable[[], int]


def sample(ledger: Ledger, room: Room, now: datetime) -> Sample:
    """Look, and keep what is seen; steps are counted since the sample before."""
    disk, memory = room.disk(), room.memory()
    with ledger.reading() as rows:
        last = rows.last_move()
        before = rows.samples(1)
        steps = rows.moves_after(before[0].last_move if before else last, last)
        new = Sample(
            at=now,
            received=steps.get(Event.IMAGE_ARRIVED, 0),
            reported=sum(steps.get(event, 0) for event in REPORTED),
            ended=sum(steps.get(event, 0) for event in ENDED),
            parked=steps.get(Event.GAVE_UP, 0),
            working=sum(queue.count for queue in rows.queues(WORKING)),
            waiting=sum(queue.count for queue in rows.queues(WAITING_FOR_A_PERSON)),
            disk_free=disk,
            memory_free=memory,
            last_move=last,
        )
    with ledger.writing() as writing:
        writing.add_sample(new, MOST_SAMPLES)
    return new
