"""When a study is whole; pure.

DICOM has no word for "that was all". Here a study is whole after a quiet period;
what the archive knows of it can make the wait longer, never shorter, for its copy
may be half-way too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletenessRule:
    """The site's settings; both count from the last arrival.

    `max_wait_seconds` limits the wait for instances that the archive names and
    that do not come; where it is less than `quiet_seconds` it has no effect.
    """

    quiet_seconds: float = 30.0
    max_wait_seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What has come of a study: times of the first and last instance, how many."""

    first_at: datetime
    last_at: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The study is whole, as far as can be told; the reason is recorded."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The study may not be whole; it is to be judged again at `until`."""

    until: datetime
    reason: str


Verdict = Whole | Wait


def judge(
    arrivals: Arrivals,
    rule: CompletenessRule,
    archive_count: int | None,
    now: datetime,
) -> Verdict:
    """Judge whether a study is whole at `now`.

    archive_count : how many instances of the study the archive names; None where
    it was not asked or did not say.
    """
    quiet = arrivals.last_at + timedelta(seconds=rule.quiet_seconds)
    if now < quiet:
        return Wait(until=quiet, reason=f"{_seen(arrivals)}; more may come")
    if archive_count is None or archive_count <= arrivals.count:
        return Whole(
            reason=f"{_seen(arrivals)}, then quiet for {rule.quiet_seconds:g} s"
        )
    lacking = f"{_seen(arrivals)}; the archive names {archive_count}"
    latest = arrivals.last_at + timedelta(seconds=rule.max_wait_seconds)
    if now < latest:
        return Wait(until=latest, reason=lacking)
    return Whole(reason=f"{lacking}, waited {rule.max_wait_seconds:g} s in vain")


def _seen(arrivals: Arrivals) -> str:
    took = (arrivals.last_at - arrivals.first_at).total_seconds()
    return f"{arrivals.count} instances in {took:.0f} s"
