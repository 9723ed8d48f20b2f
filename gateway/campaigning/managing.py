"""What people do with campaigns: start, pause, resume, cancel; all of it audited."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from config.settings import Settings
from dicom_io.scu import peer
from gateway.audit import kinds
from gateway.campaigning.cohort import Cohort, Selection, ask_cohort
from gateway.errors import CampaignRefused, LostRace
from gateway.ledger import (
    CampaignRecord,
    CampaignState,
    Ledger,
    NewCampaign,
    Reading,
    Throttle,
)
from gateway.people import Decider

_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}")
_PROJECT = re.compile("[A-Za-z0-9_-]{0,64}")
_CLOCK = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")
_MOST_PER_HOUR = 36_000

_CHANGES: Mapping[str, tuple[CampaignState, tuple[CampaignState, ...]]] = {
    "paused": (CampaignState.PAUSED, (CampaignState.RUNNING,)),
    "resumed": (CampaignState.RUNNING, (CampaignState.PAUSED,)),
    "cancelled": (
        CampaignState.CANCELLED,
        (CampaignState.RUNNING, CampaignState.PAUSED),
    ),
}
"""What a person may do: what comes of it, and of what."""


def throttle_of(
    settings: Settings,
    per_hour: float | None = None,
    in_flight: int | None = None,
    hours: str | None = None,
) -> Throttle:
    """Return the limits of a campaign; None: those of the settings.

    hours : "19:00-07:00", or "always". Raises CampaignRefused for what is no limit.
    """
    own = settings.campaigns
    opens, closes = own.opens, own.closes
    if hours is not None:
        opens, closes = _hours(hours)
    wanted = own.per_hour if per_hour is None else per_hour
    if not 0 < wanted <= _MOST_PER_HOUR:
        raise CampaignRefused(f"--per-hour: more than 0, at most {_MOST_PER_HOUR}")
    at_once = own.in_flight if in_flight is None else in_flight
    if at_once < 1:
        raise CampaignRefused("--in-flight: at least 1")
    return Throttle(per_hour=wanted, in_flight=at_once, opens=opens, closes=closes)


def ask_archive(
    ledger: Ledger, settings: Settings, wanted: Selection, by: Decider, now: datetime
) -> Cohort:
    """Return the studies that the archive names, day by day; it is audited.

    Raises CampaignRefused and the PeerFailure kinds.
    """
    local, remote = settings.local_ae(), settings.archive_ae()
    if remote is None:
        raise CampaignRefused(_NO_ARCHIVE)
    found = ask_cohort(wanted, lambda each: peer.find_cohort(local, remote, each))
    keys = _keys(wanted)
    entry = kinds.campaign_queried(keys, remote.name, len(found.uids), by, now)
    with ledger.writing() as rows:
        rows.append_audit(entry)
    return found


def start(
    ledger: Ledger, new: NewCampaign, uids: Sequence[str], by: Decider, now: datetime
) -> CampaignRecord:
    """Keep a campaign; a running gateway takes it up.

    Raises CampaignRefused where its name is taken, or is none.
    """
    if not _NAME.fullmatch(new.name):
        raise CampaignRefused(
            "--name: 1 to 64 letters, digits, blanks and _.-, a letter or digit first"
        )
    if not _PROJECT.fullmatch(new.project):
        raise CampaignRefused("--project: at most 64 letters, digits, _ and -")
    if not new.peer:
        raise CampaignRefused(_NO_ARCHIVE)
    told = f"{len(uids)} studies, {new.source}"
    try:
        with ledger.writing() as rows:
            campaign = rows.add_campaign(new, uids, str(by), now)
            entry = kinds.campaign_started(new.name, told, by, now, emit=new.emit)
            rows.append_audit(entry)
            return campaign
    except LostRace as error:
        raise CampaignRefused(f"{error}: choose another name") from error


def decide(
    ledger: Ledger, name: str, decision: str, by: Decider, now: datetime
) -> CampaignRecord:
    """Have a campaign "paused", "resumed" or "cancelled".

    What it has brought here already is read to its end. Raises CampaignRefused for an
    unknown name, and where it is nothing that can be decided so.
    """
    with ledger.writing() as rows:
        campaign = found(rows, name)
        to, of = _CHANGES[decision]
        if campaign.state not in of:
            raise CampaignRefused(
                f"campaign {name} is {campaign.state}: it cannot be {decision}"
            )
        changed = rows.set_campaign(campaign, to, now)
        rows.append_audit(kinds.campaign_decided(name, decision, by, now))
        return changed


def found(rows: Reading, name: str) -> CampaignRecord:
    """Return a campaign; raises CampaignRefused where there is none of this name."""
    campaign = rows.campaign(name)
    if campaign is None:
        known = ", ".join(each.name for each in rows.campaigns()) or "none"
        raise CampaignRefused(f"no campaign {name[:64]!r} (campaigns: {known})")
    return campaign


_NO_ARCHIVE = "archive.peer names nobody to bring studies from"


def _hours(text: str) -> tuple[str, str]:
    if text == "always":
        return "00:00", "00:00"
    opens, _, closes = text.partition("-")
    if not _CLOCK.fullmatch(opens) or not _CLOCK.fullmatch(closes):
        raise CampaignRefused(f'--hours {text[:20]!r}: "19:00-07:00", or "always"')
    return opens, closes


def _keys(wanted: Selection) -> dict[str, str]:
    keys = {"StudyDate": f"{wanted.first:%Y%m%d}-{wanted.last:%Y%m%d}"}
    if wanted.modalities:
        keys["ModalitiesInStudy"] = "\\".join(wanted.modalities)
    if wanted.description is not None:
        keys["StudyDescription"] = wanted.description
    if wanted.institution is not None:
        keys["InstitutionName"] = wanted.institution
    return keys
