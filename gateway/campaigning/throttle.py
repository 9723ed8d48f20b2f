"""When a campaign may ask for its next study; pure."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.ledger import CampaignRecord, CampaignState, Throttle
from gateway.lifecycle import State

BEFORE_THE_ENGINE = (State.COMPLETE, State.SELECTED, State.GATHERED)
"""Where a study waits for the machine, and not for its sender or its destination."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a campaign looks at before it asks.

    `in_flight` : its studies that are asked for or at work. `others_wait` : a study
    that is no back-fill waits for the engine. `away_until`: the archive is left alone.
    `has_room` : the disk is above its reserve. `is_peer` : the archive of the campaign
    is that of the settings.
    """

    now: datetime
    zone: ZoneInfo
    in_flight: int = 0
    others_wait: bool = False
    away_until: datetime | None = None
    has_room: bool = True
    is_peer: bool = True


def held_up(campaign: CampaignRecord, situation: Situation) -> str | None:
    """Return why nothing is asked for just now, for people; None: ask."""
    clock = situation.now.astimezone(situation.zone).time()
    reasons = (
        (campaign.state is not CampaignState.RUNNING, f"it is {campaign.state}"),
        (not situation.is_peer, f"archive.peer is not {campaign.peer}"),
        (
            not is_open(campaign.throttle, clock),
            f"it works from {campaign.opens} to {campaign.closes}",
        ),
        (situation.others_wait, "urgent or routine studies wait"),
        (
            situation.in_flight >= campaign.in_flight,
            f"{situation.in_flight} of its studies are at work",
        ),
        (not situation.has_room, "the disk is at its reserve"),
        (situation.away_until is not None, f"{campaign.peer} does not answer"),
        (
            campaign.next_at > situation.now,
            f"{campaign.per_hour:g} studies an hour",
        ),
    )
    return next((reason for holds, reason in reasons if holds), None)


def is_open(throttle: Throttle, clock: time) -> bool:
    """Whether studies may be asked for at this time of the day."""
    opens, closes = map(time.fromisoformat, (throttle.opens, throttle.closes))
    if opens == closes:
        return True
    if opens < closes:
        return opens <= clock < closes
    return clock >= opens or clock < closes


def pace(throttle: Throttle) -> timedelta:
    """Return what lies between two studies."""
    return timedelta(hours=1) / throttle.per_hour
