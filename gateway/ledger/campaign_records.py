"""Rows of the ledger about campaigns, as frozen values. Times are aware, UTC."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.lifecycle import State


class CampaignState(StrEnum):
    """Where a campaign stands."""

    RUNNING = "running"
    """Its studies are asked for whenever its limits allow it."""
    PAUSED = "paused"
    """A person had it paused; what is here already goes on."""
    CANCELLED = "cancelled"
    """A person ended it; what was not asked for never is. Final."""
    ENDED = "ended"
    """Every study was asked for, and none is at work any more. Final."""


class CohortState(StrEnum):
    """Where one study of a campaign stands, before the gateway has it."""

    WAITING = "waiting"
    """It is to be asked for."""
    ASKED = "asked"
    """The archive is asked for it just now."""
    TAKEN = "taken"
    """It is here: its own state tells the rest. Final."""
    KNOWN = "known"
    """It was here before, and is not read again. Final."""
    FAILED = "failed"
    """It did not come; the reason is kept. Final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """How much a campaign may ask of archive and engine.

    per_hour : studies asked for in an hour, evenly; in_flight : studies that are here
    and not done. opens, closes : "HH:MM" by the clock of the site, over midnight where
    it closes before it opens; the same twice: at any hour.
    """

    per_hour: float
    in_flight: int
    opens: str
    closes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCampaign:
    """What a person starts; `source` says for people where its studies come from."""

    name: str
    project: str
    emit: bool
    peer: str
    source: str
    throttle: Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """A campaign; `next_at`: nothing is asked for earlier."""

    id: int
    name: str
    project: str
    state: CampaignState
    emit: bool
    peer: str
    source: str
    per_hour: float
    in_flight: int
    opens: str
    closes: str
    started_by: str
    created_at: datetime
    changed_at: datetime
    next_at: datetime

    @property
    def throttle(self) -> Throttle:
        """How much it may ask for."""
        return Throttle(
            per_hour=self.per_hour,
            in_flight=self.in_flight,
            opens=self.opens,
            closes=self.closes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRecord:
    """One study of a campaign.

    `attempts` counts failures; `not_before`: nobody asks for it earlier, and while it
    is ASKED, until when it is somebody's. `asked_at`: when it was asked for last.
    """

    campaign_id: int
    position: int
    study_instance_uid: str
    state: CohortState
    attempts: int
    not_before: datetime | None
    asked_at: datetime | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignCounts:
    """How many studies of a campaign are where.

    `cohort` of all of its studies; `studies` of those that it had brought here.
    """

    cohort: dict[CohortState, int]
    studies: dict[State, int]

    @property
    def total(self) -> int:
        """How many studies it has."""
        return sum(self.cohort.values())
