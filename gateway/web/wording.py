"""How values are worded on pages: times, ages, bytes, and the tone of a state.

A tone is a class of style.css. The word is always there too.
"""

from datetime import datetime, timedelta

from gateway.ledger import DeliveryState
from gateway.ledger.study_listing import MOST_COUNTED
from gateway.lifecycle import State
from gateway.showing.study_rows import Group, group_of
from gateway.web.pages import TEMPLATES

_TONES = {
    Group.PERSON: "tone-wait",
    Group.WORKING: "tone-busy",
    Group.DONE: "tone-good",
    Group.NO_RESULT: "tone-off",
    Group.PURGED: "tone-off",
}
_DELIVERY_TONES = {
    DeliveryState.PENDING: "tone-busy",
    DeliveryState.STORED: "tone-busy",
    DeliveryState.COMMITTED: "tone-good",
    DeliveryState.REFUSED: "tone-bad",
    DeliveryState.REPLACED: "tone-off",
}
_BREAKER_TONES = {"answers": "tone-good", "slow": "tone-wait", "failed": "tone-wait"}


def age(span: timedelta) -> str:
    """Return how long something is ago, in the largest unit that tells.

    Whole minutes at least: a page that asks again each few seconds changes no faster.
    """
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "under 1 min"
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // 1440} days"


def moment(at: datetime) -> str:
    """Return a time for people; UTC, which the page says once."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def near(at: datetime, now: datetime) -> str:
    """Return a time without what it shares with the present: its day, or its year."""
    if at.date() == now.date():
        return f"{at:%H:%M:%S}"
    return f"{at:%m-%d %H:%M}" if at.year == now.year else f"{at:%Y-%m-%d}"


def machine_time(at: datetime) -> str:
    """Return a time for the attribute of `time` elements."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def size(count: int) -> str:
    """Return bytes in a unit in which they have at most four digits."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    number, unit = float(count), units[0]
    for each in units:
        unit = each
        if number < 1024 or each == units[-1]:
            break
        number /= 1024
    return (
        f"{number:.0f} {unit}"
        if number >= 10 or unit == "B"
        else f"{number:.1f} {unit}"
    )


def counted(number: int) -> str:
    """Return a number that was counted up to MOST_COUNTED."""
    return f"{number}+" if number >= MOST_COUNTED else str(number)


def tone(state: State) -> str:
    """Return the class of a study's state; what failed stands out from what waits."""
    return "tone-bad" if state is State.PARKED else _TONES[group_of(state)]


def delivery_tone(state: DeliveryState) -> str:
    """Return the class of where a result stands."""
    return _DELIVERY_TONES[state]


def breaker_tone(word: str) -> str:
    """Return the class of how a peer does."""
    return _BREAKER_TONES.get(word, "tone-bad")


for _filter in (
    age,
    moment,
    near,
    machine_time,
    size,
    counted,
    tone,
    delivery_tone,
    breaker_tone,
):
    TEMPLATES.filters[_filter.__name__] = _filter
