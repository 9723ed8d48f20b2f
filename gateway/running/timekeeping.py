"""What happens when somebody sets the clock: nothing is lost, repeated or delayed.

The process goes by a clock that no step reaches: the wall clock as it was last taken
up, carried on by the monotonic one. Once a second the wall clock is looked at. Where
it was set, every time that the ledger compares with the clock is moved by the same
step, in one transaction with an audit record of its own; then the new time is taken
up. So a pause lasts as long as it was meant to, a lease of a living worker does not
run out, and a study is not called whole before it was quiet for real.

What was written down as a record (moves, audit, results) stays as it was written; the
order of the audit is that of its numbers.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.audit import kinds
from gateway.errors import LedgerFailure
from gateway.ledger import Ledger
from gateway.site import Clock

logger = logging.getLogger(__name__)

NOTICEABLE = timedelta(seconds=2)
"""Less than this is the work of a time service: taken up without a word."""


class SteadyClock:
    """A clock without steps. Safe for many threads.

    wall : what it follows. elapsed : seconds that never go back.
    """

    def __init__(
        self, wall: Clock, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self.base = wall(), elapsed()
        """What time it was, and when that was taken up."""

    def __call__(self) -> datetime:
        """Return the present moment, aware, UTC."""
        then, since = self.base
        return then + timedelta(seconds=self._elapsed() - since)

    def step(self) -> timedelta:
        """Return by how much the wall clock is ahead of this one."""
        return self._wall() - self()

    def take_up(self, step: timedelta) -> None:
        """Set this clock by `step`."""
        then, since = self.base
        self.base = then + step, since


def follow(
    ledger: Ledger, clock: SteadyClock, tell: Callable[[timedelta], None]
) -> bool:
    """Take up the wall clock's time; return whether it had been set.

    tell : hears of the step before anybody else can write by the new time. Raises
    LedgerFailure where the ledger cannot be written now; the time stays as it was.
    """
    step, kept = clock.step(), clock.base
    if abs(step) < NOTICEABLE:
        clock.take_up(step)
        return False
    try:
        with ledger.writing() as rows:
            rows.move_times(step)
            rows.append_audit(kinds.clock_set(step, clock() + step))
            clock.take_up(step)
            tell(step)
    except LedgerFailure:
        clock.base = kept
        raise
    logger.warning("the clock was set by %+.1f s", step.total_seconds())
    return True


def resume(ledger: Ledger, clock: Clock) -> bool:
    """Bring the ledger to a clock that was set back while nobody looked; return so.

    The last audit record tells what time it was at least. A step forward cannot be
    told from a long stop, and is taken for one.
    """
    with ledger.writing() as rows:
        last = rows.last_recorded_at()
        step = timedelta() if last is None else clock() - last
        if step > -NOTICEABLE:
            return False
        rows.move_times(step)
        rows.append_audit(kinds.clock_set(step, clock()))
    logger.warning("the clock was set back by %s while the gateway was down", -step)
    return True
