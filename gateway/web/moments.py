"""Times as people read them."""

from datetime import UTC, date, datetime, timedelta


def day(when: date | None) -> str | None:
    """Return a day in the form of ISO 8601, None where there is none."""
    return None if when is None else when.isoformat()


def clock(moment: datetime) -> str:
    """Return a moment to the second, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(time: timedelta) -> str:
    """Return a time as people say it."""
    seconds = time.total_seconds()
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{time.days} days"
