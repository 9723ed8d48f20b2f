"""When a site works, and what was done outside of that; pure."""

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """The hours in which people are expected at work.

    days : 0 Monday to 6 Sunday; opens : included; closes : not included, after
    `opens`, midnight as 00:00 ends the day. zone : of the clock on the wall.
    """

    days: frozenset[int]
    opens: time
    closes: time
    zone: ZoneInfo

    def hold(self, moment: datetime) -> bool:
        """Whether the site works at this moment, by its own clock."""
        local = moment.astimezone(self.zone)
        if local.weekday() not in self.days:
            return False
        clock = local.time()
        return self.opens <= clock and (clock < self.closes or self.closes == time())
