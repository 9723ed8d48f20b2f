"""What happens when somebody sets the clock: nothing is lost, repeated or delayed.

The process goes by a clock that no step reaches: the wall clock as it was last taken
up, carried on by the monotonic one. Once a second the wall clock is looked at. Where
it was set, every time that the ledger compares with the clock is moved by the same
step, in one transaction with an audit record of its own; then the new time is taken
up. So a pause lasts as long as it was meant to, a lease of a living worker does not
run out, and a study is not called whole before it was quiet for real.

Several processes go by one wall clock, that of the ledger's server or of their one
machine, and each notices the step. The ledger keeps the sum of what its times were
moved by, so that they are moved once: who finds the sum changed takes the step up
without moving them again.

What was written down as a record (moves, audit, results) stays as it was written; the
order of the audit is that of its numbers.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.audit import kinds
from gateway.errors import LedgerFailure
from gateway.ledger import Ledger, Reading, Writing
from gateway.site import Clock

logger = logging.getLogger(__name__)

NOTICEABLE = timedelta(seconds=2)
"""Less than this is the work of a time service: taken up without a word."""


MOVED = "clock-moved"
"""By how many seconds the times of the ledger were moved since it was made."""


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
        self.moved = timedelta()
        """What the ledger's sum was when its time was last taken up."""

    def __call__(self) -> datetime:
        """Return the present moment, aware, UTC."""
        then, since = self.base
        return then + timedelta(seconds=self._elapsed() - since)

    def step(self) -> timedelta:
        """Return by how much the wall clock is ahead of this one.

        Zero where that is less than the time it took to ask.
        """
        then, since = self.base
        before = self._elapsed()
        wall = self._wall()
        after = self._elapsed()
        step = wall - (then + timedelta(seconds=(before + after) / 2 - since))
        is_known = abs(step) > timedelta(seconds=(after - before) / 2)
        return step if is_known else timedelta()

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
    step, kept = clock.step(), (clock.base, clock.moved)
    if abs(step) < NOTICEABLE:
        clock.take_up(step)
        return _catch_up(ledger, clock)
    try:
        with ledger.writing() as rows:
            sum_of_all = moved_by(rows)
            own = step - (sum_of_all - clock.moved)
            if abs(own) >= _least(others_moved=sum_of_all != clock.moved):
                _move(rows, own, clock() + step)
                sum_of_all += own
            clock.take_up(step)
            clock.moved = sum_of_all
            tell(step)
    except LedgerFailure:
        clock.base, clock.moved = kept
        raise
    logger.warning("the clock was set by %+.1f s", step.total_seconds())
    return True


def resume(ledger: Ledger, clock: Clock) -> bool:
    """Bring the ledger to a clock that was set back while nobody looked; return so.

    The last audit record tells what time it was at least. A step forward cannot be
    told from a long stop, and is taken for one.
    """
    with ledger.writing() as rows:
        last, now = rows.last_recorded_at(), clock()
        step = timedelta() if last is None else now - last
        is_back = step <= -NOTICEABLE
        if is_back:
            _move(rows, step, now)
        if isinstance(clock, SteadyClock):
            clock.moved = moved_by(rows)
    if is_back:
        logger.warning("the clock was set back by %s while nobody looked", -step)
    return is_back


def moved_by(rows: Reading) -> timedelta:
    """Return by how much the times of the ledger were moved since it was made."""
    return timedelta(seconds=float(rows.recall(MOVED) or 0))


def _least(*, others_moved: bool) -> timedelta:
    """Return the least step that moves the times.

    Processes measure the same step a little apart: what is left of it after another
    one has moved the times is none.
    """
    return 2 * NOTICEABLE if others_moved else NOTICEABLE


def _catch_up(ledger: Ledger, clock: SteadyClock) -> bool:
    """Note a step that another process has measured as noticeable and we have not.

    One that is larger we see ourselves the next time.
    """
    with ledger.reading() as rows:
        sum_of_all = moved_by(rows)
    if abs(sum_of_all - clock.moved) < _least(others_moved=True):
        clock.moved = sum_of_all
    return False


def _move(rows: Writing, step: timedelta, now: datetime) -> None:
    rows.move_times(step)
    rows.remember(MOVED, f"{(moved_by(rows) + step).total_seconds():.6f}")
    rows.append_audit(kinds.clock_set(step, now))
