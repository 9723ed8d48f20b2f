"""A worker's turn: claim a study, run its stage, write the outcome; or put it off.

The one place where a stage's failure is caught: it is recorded on the study,
tried again after a growing pause, and parked when the attempts are used up.
"""

import logging
import random
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.audit import AuditEntry, kinds
from gateway.errors import LostRace, PeerNotReady
from gateway.failpoints import pass_failpoint
from gateway.ledger import Document, ResultRecord, StudyRecord, Writing
from gateway.ledger.studies import WORKER_LOST
from gateway.lifecycle import Event, State
from gateway.site import Site

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A stage is done: the event, what it keeps, and its audit records."""

    event: Event
    reason: str | None = None
    documents: Mapping[Document, str] = field(default_factory=dict)
    results: tuple[ResultRecord, ...] = ()
    audit: tuple[AuditEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A stage must wait for somebody else; this is no failure of ours.

    `attempts` is what the study's counter becomes; None leaves it.
    """

    not_before: datetime
    reason: str
    attempts: int | None = None


Outcome = Moved | Later
Stage = Callable[[Site, StudyRecord], Outcome]


def take_turn(
    site: Site, stages: Mapping[State, Stage], states: Collection[State], owner: str
) -> bool:
    """Do the next due piece of work in one of `states`; False: there is none."""
    with site.ledger.writing() as rows:
        lease = site.settings.work.lease_seconds
        study = rows.claim(states, site.clock(), owner, lease)
    if study is None:
        return False
    try:
        _finish(site, study, _run(site, study, stages[study.state]))
    except LostRace:
        logger.info("study %s moved meanwhile", study.study_instance_uid)
    except Exception as error:  # a worker's turn: whatever failed is recorded
        logger.exception("stage %s of %s", study.state, study.study_instance_uid)
        with suppress(LostRace):
            _record_failure(site, study, error)
    return True


def _run(site: Site, study: StudyRecord, stage: Stage) -> Outcome:
    """Run the stage, unless it has taken too many workers down with it."""
    if (
        study.reason == WORKER_LOST
        and study.attempts >= site.settings.work.max_attempts
    ):
        return Moved(
            event=Event.GAVE_UP,
            reason=f"{study.attempts} workers died in {study.state}",
        )
    return stage(site, study)


def pause_before(attempt: int, first: float, most: float) -> timedelta:
    """Return the pause before try `attempt` + 1: doubling, half to full jitter.

    first, most : seconds.
    """
    longest = min(most, first * 2.0 ** min(attempt, 30))
    return timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


def _finish(site: Site, study: StudyRecord, outcome: Outcome) -> None:
    match outcome:
        case Later():
            with site.ledger.writing() as rows:
                rows.postpone(
                    study,
                    not_before=outcome.not_before,
                    reason=outcome.reason,
                    attempts=_count(study, outcome),
                )
        case Moved():
            with site.ledger.writing() as rows:
                moved = _write(rows, study, outcome, site.clock())
            pass_failpoint(f"state:{moved.state}")
            logger.info("study %s is %s", moved.study_instance_uid, moved.state)


def _count(study: StudyRecord, outcome: Later) -> int:
    return study.attempts if outcome.attempts is None else outcome.attempts


def _write(
    rows: Writing, study: StudyRecord, outcome: Moved, now: datetime
) -> StudyRecord:
    for document, body in outcome.documents.items():
        rows.put_document(study.id, study.revision, document, body)
    rows.add_results(outcome.results)
    audit = outcome.audit or (_say(study, outcome, now),)
    return rows.move(study, outcome.event, now, reason=outcome.reason, audit=audit)


def _say(study: StudyRecord, outcome: Moved, now: datetime) -> AuditEntry:
    """Return the audit record of a move whose stage wrote none of its own."""
    uid, reason = study.study_instance_uid, outcome.reason
    if outcome.event is Event.GAVE_UP:
        return kinds.study_parked(uid, reason or "", now)
    return kinds.study_moved(uid, outcome.event, reason, now)


def _record_failure(site: Site, study: StudyRecord, error: Exception) -> None:
    work, now = site.settings.work, site.clock()
    reason = f"{type(error).__name__}: {error}"[:500]
    attempts = study.attempts + 1
    with site.ledger.writing() as rows:
        if attempts >= work.max_attempts and not isinstance(error, PeerNotReady):
            entry = kinds.study_parked(study.study_instance_uid, reason, now)
            rows.move(study, Event.GAVE_UP, now, reason=reason, audit=[entry])
            return
        pause = pause_before(
            study.attempts, work.first_pause_seconds, work.max_pause_seconds
        )
        rows.postpone(study, not_before=now + pause, reason=reason, attempts=attempts)
