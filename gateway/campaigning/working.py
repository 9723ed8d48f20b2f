"""Ask for the next study of each running campaign, as far as its limits allow it.

All that is known of a campaign is in the ledger: this may stop at any point, and any
process may go on. A study that was asked for twice is here once.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dicom_io.errors import PeerFailure, PeerUnreachable
from gateway import away
from gateway.audit import kinds
from gateway.campaigning.throttle import (
    BEFORE_THE_ENGINE,
    Situation,
    held_up,
    pace,
)
from gateway.errors import LostRace
from gateway.failpoints import pass_failpoint
from gateway.ledger import (
    CampaignCounts,
    CampaignRecord,
    CampaignState,
    CohortRecord,
    CohortState,
    Reading,
)
from gateway.pausing import pause_before
from gateway.receiving.intake import Intake
from gateway.receiving.matching import role_of_sent
from gateway.site import Site
from gateway.sources.priors import Brought, PriorSource

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_GRACE = timedelta(minutes=5)
"""What may pass after a retrieval's time until it is surely over."""


def work(site: Site, is_stopping: Callable[[], bool] = lambda: False) -> None:
    """Bring what the campaigns may ask for by now, one study of each after the other.

    is_stopping : whether no further study is to be begun.
    """
    with site.ledger.reading() as rows:
        running = rows.campaigns([CampaignState.RUNNING])
    due = list(running)
    while due and not is_stopping():
        due = [each for each in due if _is_due(site, each) and _ask(site, each)]
    for campaign in running:
        _end_if_over(site, campaign)


def situation_of(site: Site, rows: Reading, campaign: CampaignRecord) -> Situation:
    """Look at what holds a campaign up."""
    now, source = site.clock(), site.priors
    silence = None if source is None else rows.silence(source.name)
    away_until = silence.until if silence and silence.until > now else None
    return Situation(
        now=now,
        zone=ZoneInfo(site.settings.review.zone),
        in_flight=rows.campaign_in_flight(campaign.id, campaign.in_flight),
        others_wait=rows.others_wait(BEFORE_THE_ENGINE),
        away_until=away_until,
        has_room=site.spool.free_bytes() >= site.spool.reserve_bytes,
        is_peer=source is not None and source.name == campaign.peer,
    )


def told(counts: CampaignCounts) -> str:
    """Return in words what became of the studies of a campaign."""
    parts = [f"{counts.total} studies"]
    cohort = [f"{count} {state}" for state, count in sorted(counts.cohort.items())]
    studies = [f"{count} {state}" for state, count in sorted(counts.studies.items())]
    return "; ".join([*parts, ", ".join(cohort), ", ".join(studies)]).strip("; ")


def _is_due(site: Site, campaign: CampaignRecord) -> bool:
    with site.ledger.reading() as rows:
        present = rows.campaign(campaign.name)
        if present is None:
            return False
        return held_up(present, situation_of(site, rows, present)) is None


def _ask(site: Site, campaign: CampaignRecord) -> bool:
    """Bring the next study, or pass it over; false: there is none."""
    asked, is_known = _claim(site, campaign)
    if asked is None:
        return False
    if is_known:
        return True
    pass_failpoint("campaign:claimed")
    try:
        if asked.attempts >= site.settings.work.max_attempts:
            _fail(site, campaign, asked, f"{asked.attempts} workers died of it")
        else:
            _bring(site, campaign, asked)
    except LostRace:
        logger.info("study %s is asked for elsewhere", asked.study_instance_uid)
    return True


def _claim(site: Site, campaign: CampaignRecord) -> tuple[CohortRecord | None, bool]:
    """Take the next study, and say whether the gateway has it from elsewhere."""
    now = site.clock()
    seconds = timedelta(seconds=site.settings.campaigns.retrieve_seconds)
    with site.ledger.writing() as rows:
        asked = rows.claim_cohort(
            campaign,
            now,
            until=now + seconds + _GRACE,
            next_at=now + pace(campaign.throttle),
        )
        if asked is None:
            return None, False
        uid = asked.study_instance_uid
        study = rows.study(uid)
        if study is None or study.campaign_id == campaign.id:
            rows.append_audit(kinds.retrieving_begun(uid, campaign.peer, now))
            return asked, False
        reason = f"it is here already, {study.state}"
        rows.settle_cohort(asked, CohortState.KNOWN, reason)
        rows.hasten_campaign(campaign.id, now)
        words = f"campaign {campaign.name}: {reason}; not asked for"
        entry = kinds.campaign_study(uid, campaign.peer, words, now, came=True)
        rows.append_audit(entry)
        return asked, True


def _bring(site: Site, campaign: CampaignRecord, asked: CohortRecord) -> None:
    source = site.priors
    if source is None:
        return
    try:
        with away.asking(site, source.name):
            count = source.count(asked.study_instance_uid)
            if count == 0:
                _fail(site, campaign, asked, f"{source.name} knows no such study")
                return
            brought = _retrieve(site, source, asked)
            pass_failpoint("campaign:brought")
    except PeerUnreachable as error:
        until = _away_until(site, source.name)
        with site.ledger.writing() as rows:
            rows.postpone_cohort(asked, until, str(error), asked.attempts)
            rows.delay_campaign(campaign.id, until)
        return
    except PeerFailure as error:
        _try_again(site, campaign, asked, str(error))
        return
    _await_deliveries(site, asked, brought, count)
    _settle(site, campaign, asked, brought)


def _retrieve(site: Site, source: PriorSource, asked: CohortRecord) -> Brought:
    intake = Intake(
        ledger=site.ledger, spool=site.spool, clock=site.clock, role_of=role_of_sent
    )
    seconds = site.settings.campaigns.retrieve_seconds
    return source.retrieve(asked.study_instance_uid, intake.receive, seconds)


def _await_deliveries(
    site: Site, asked: CohortRecord, brought: Brought, count: int | None
) -> None:
    """Wait for what comes to our listener after the archive's answer to a C-MOVE."""
    if not brought.is_apart:
        return
    wanted, settle = brought.sent or count or 1, site.settings.prior.settle_seconds
    held, changed = _held(site, asked), time.monotonic()
    while held < wanted and time.monotonic() - changed < settle:
        time.sleep(_POLL_SECONDS)
        now_held = _held(site, asked)
        if now_held != held:
            held, changed = now_held, time.monotonic()


def _held(site: Site, asked: CohortRecord) -> int:
    with site.ledger.reading() as rows:
        return len(rows.instances(asked.study_instance_uid))


def _settle(
    site: Site, campaign: CampaignRecord, asked: CohortRecord, brought: Brought
) -> None:
    """Note that a study came, or why it is none that can be read."""
    uid, now = asked.study_instance_uid, site.clock()
    if not brought.is_whole and not _is_last_try(site, asked):
        _try_again(site, campaign, asked, "it did not come whole")
        return
    with site.ledger.reading() as rows:
        is_here = rows.study(uid) is not None
        held = len(rows.instances(uid))
    if not is_here:
        why = f"none of its {held} instances is an image that is read"
        _fail(site, campaign, asked, why if held else "nothing of it came")
        return
    part = "" if brought.is_whole else ", not whole"
    detail = f"{held} instances by {brought.how}{part}"
    with site.ledger.writing() as rows:
        rows.settle_cohort(asked, CohortState.TAKEN, detail)
        words = f"campaign {campaign.name}: {detail}"
        entry = kinds.campaign_study(uid, campaign.peer, words, now, came=True)
        rows.append_audit(entry)
    pass_failpoint("campaign:taken")


def _try_again(
    site: Site, campaign: CampaignRecord, asked: CohortRecord, why: str
) -> None:
    """Ask for a study again later; another one may come before it."""
    if _is_last_try(site, asked):
        _fail(site, campaign, asked, why)
        return
    work = site.settings.work
    pause = pause_before(
        asked.attempts, work.first_pause_seconds, work.max_pause_seconds
    )
    with site.ledger.writing() as rows:
        attempts = asked.attempts + 1
        rows.postpone_cohort(asked, site.clock() + pause, why[:500], attempts)


def _is_last_try(site: Site, asked: CohortRecord) -> bool:
    return asked.attempts + 1 >= site.settings.work.max_attempts


def _fail(site: Site, campaign: CampaignRecord, asked: CohortRecord, why: str) -> None:
    uid, words = asked.study_instance_uid, f"campaign {campaign.name}: {why}"
    with site.ledger.writing() as rows:
        rows.settle_cohort(asked, CohortState.FAILED, why[:500])
        entry = kinds.campaign_study(
            uid, campaign.peer, words[:500], site.clock(), came=False
        )
        rows.append_audit(entry)
    logger.warning("campaign study %s failed", uid)


def _away_until(site: Site, peer: str) -> datetime:
    return away.is_away(site, peer) or site.clock() + timedelta(seconds=10)


def _end_if_over(site: Site, campaign: CampaignRecord) -> None:
    with site.ledger.reading() as rows:
        if not rows.campaign_is_over(campaign.id):
            return
        counts = rows.campaign_counts(campaign.id)
    try:
        with site.ledger.writing() as rows:
            now = site.clock()
            rows.set_campaign(campaign, CampaignState.ENDED, now)
            rows.append_audit(kinds.campaign_ended(campaign.name, told(counts), now))
    except LostRace:
        logger.info("campaign %s was changed meanwhile", campaign.name)
