"""Campaigns as shown to a person: where they stand, and what holds them up."""

from dataclasses import dataclass
from datetime import datetime

from gateway.campaigning.progress import Progress, progress_of
from gateway.campaigning.throttle import held_up
from gateway.campaigning.working import situation_of
from gateway.ledger import (
    CampaignRecord,
    CampaignState,
    CohortRecord,
    CohortState,
    Reading,
)
from gateway.site import Site

SHOWN_FAILED = 50
"""Studies that did not come: so many are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCampaign:
    """A campaign and its progress.

    `held_up` : why nothing is asked for just now; None: something is, or it is over.
    `failed` : the first of those that did not come.
    """

    name: str
    project: str
    state: CampaignState
    emit: bool
    peer: str
    source: str
    hours: str
    per_hour: float
    in_flight: int
    started_by: str
    created_at: datetime
    changed_at: datetime
    progress: Progress
    held_up: str | None = None
    failed: tuple[CohortRecord, ...] = ()


def shown_campaign(rows: Reading, campaign: CampaignRecord) -> ShownCampaign:
    """Return a campaign as the ledger tells it."""
    failed = rows.campaign_cohort(campaign.id, [CohortState.FAILED], SHOWN_FAILED)
    is_always = campaign.opens == campaign.closes
    return ShownCampaign(
        name=campaign.name,
        project=campaign.project,
        state=campaign.state,
        emit=campaign.emit,
        peer=campaign.peer,
        source=campaign.source,
        hours="always" if is_always else f"{campaign.opens}-{campaign.closes}",
        per_hour=campaign.per_hour,
        in_flight=campaign.in_flight,
        started_by=campaign.started_by,
        created_at=campaign.created_at,
        changed_at=campaign.changed_at,
        progress=progress_of(rows.campaign_counts(campaign.id)),
        failed=tuple(failed),
    )


def why_held_up(site: Site, rows: Reading, campaign: CampaignRecord) -> str | None:
    """Return what holds a running campaign up just now."""
    if campaign.state is not CampaignState.RUNNING:
        return None
    return held_up(campaign, situation_of(site, rows, campaign))
