"""A worker's turn: claim a study, run its stage, write the outcome; or put it off.

The one place where a stage's failure is caught: it is recorded on the study,
tried again after a growing pause, and parked when the attempts are used up.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import ValidationError

from config.sections import Work
from dicom_io.traces import frames_of
from gateway.audit import AuditEntry, kinds
from gateway.errors import LostRace
from gateway.failpoints import pass_failpoint
from gateway.fairness import Group, Priority, Shares, more_urgent
from gateway.ledger import Document, ResultRecord, SlotRecord, StudyRecord, Writing
from gateway.ledger.studies import WORKER_LOST
from gateway.lifecycle import Event, State
from gateway.pausing import pause_before
from gateway.rules import weights
from gateway.site import Site
from model.errors import EngineDied

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05

LEAST_PAUSE = timedelta(seconds=0.5)
"""A stage that waits is not asked again sooner, whatever it says."""


MOST_DEATHS = 3
"""A study that the engine died of so often is not read again by itself: each time
costs the others a loading of the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A stage is done: the event, what it keeps, and its audit records.

    `said`: how many findings and flags its reports have, where it made any.
    `priority`: what the stage learned of it; a study never becomes less urgent.
    """

    event: Event
    reason: str | None = None
    said: tuple[int, int] | None = None
    documents: Mapping[Document, str] = field(default_factory=dict)
    results: tuple[ResultRecord, ...] = ()
    slots: tuple[SlotRecord, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    priority: Priority = Priority.BACK_FILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A stage must wait for somebody else; this is no failure of ours.

    `attempts` is what the study's counter of failures becomes.
    """

    not_before: datetime
    reason: str
    attempts: int = 0


Outcome = Moved | Later
Stage = Callable[[Site, StudyRecord], Outcome]
Due = Callable[[State, datetime], None]
"""Told that a study in a state has work from a time on."""


def _nobody(_state: State, _at: datetime) -> None:
    """Tell nobody: who looks for work does so on its own."""


def process_of(owner: str | None) -> str:
    """Return the name of the process whose turn this is; "": it is nobody's."""
    return (owner or "").rpartition(":")[0]


class Turns:
    """The turns that this process has under way; the one thing it must remember.

    Each has an owner of its own, which no restart repeats, so that only a turn
    that is really at work has its lease renewed. `due` hears of the next work
    that a turn made, and of what still waits when it took a study on.
    `process` is a name that no restart repeats; None: one is made.
    """

    def __init__(self, due: Due = _nobody, process: str | None = None) -> None:
        self.due = due
        made = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._process = process or made
        self._began: dict[str, datetime] = {}
        self._steps = 0
        self._lock = threading.Lock()
        self._count = 0
        self._shares: dict[tuple[State, ...], Shares] = {}

    @contextmanager
    def owner(self, now: datetime) -> Iterator[str]:
        """Yield the owner of one turn, which is under way until the block ends."""
        with self._lock:
            self._count += 1
            owner = f"{self._process}:{self._count}"
            self._began[owner] = now
        try:
            yield owner
        finally:
            with self._lock:
                del self._began[owner]

    def shares(self, site: Site, states: Collection[State]) -> Shares:
        """Return who has had how many turns at work in these states."""
        line = tuple(states)
        with self._lock:
            if line not in self._shares:
                self._shares[line] = Shares(weights(site))
            return self._shares[line]

    def end_by(self, is_over: Callable[[], bool]) -> bool:
        """Wait until no turn is under way, or `is_over`; true: none is."""
        while not is_over():
            if not self._began:
                return True
            time.sleep(_POLL_SECONDS)
        return not self._began

    def give_back(self, site: Site) -> None:
        """Release what is under way; a worker that goes on has lost its study."""
        with self._lock:
            owners = list(self._began)
        with site.ledger.writing() as rows:
            for owner in owners:
                rows.release_owned(owner)

    @property
    def steps(self) -> int:
        """How often the clock was set since this process began."""
        return self._steps

    def clock_set(self, step: timedelta) -> None:
        """Hear that the clock was set while turns may be under way."""
        with self._lock:
            self._steps += 1
            self._began = {owner: at + step for owner, at in self._began.items()}

    def renew(self, site: Site) -> None:
        """Hold what is under way longer, except what takes far too long."""
        work, now = site.settings.work, site.clock()
        oldest = now - timedelta(seconds=work.longest_turn_seconds)
        with self._lock:
            owners = [owner for owner, began in self._began.items() if began > oldest]
        if not owners:
            return
        with site.ledger.claiming() as rows:  # not behind all who write
            for owner in owners:
                until = now + timedelta(seconds=work.lease_seconds)
                rows.renew_owned(owner, until)


def take_turn(
    site: Site,
    stages: Mapping[State, Stage],
    states: Collection[State],
    turns: Turns,
) -> bool:
    """Do the next due piece of work in one of `states`; False: there is none."""
    steps = turns.steps
    with site.ledger.reading() as known:
        found = known.work_waiting(states, site.clock())
        if not found:
            return False
        waiting = known.waiting_groups(states, site.clock())
    with turns.owner(site.clock()) as owner:
        study = _claim(site, states, owner, turns.shares(site, states), waiting)
        if study is None:
            return False
        if found > 1:
            turns.due(study.state, site.clock())
        pass_failpoint(f"{study.state}:claimed")
        next_work = _work(site, study, stages[study.state])
    if turns.steps != steps:  # what it waits for may be a time of the old clock
        with site.ledger.writing() as rows:
            rows.wake(study.id, site.clock())
    if next_work is not None:
        turns.due(*next_work)
    return True


def _claim(
    site: Site,
    states: Collection[State],
    owner: str,
    shares: Shares,
    waiting: Collection[Group],
) -> StudyRecord | None:
    """Lease a study of the group whose turn it is, or of the next that has any."""
    lease = site.settings.work.lease_seconds
    with site.ledger.claiming() as rows:
        for group in shares.in_turn(waiting):
            study = rows.claim(states, site.clock(), owner, lease, group)
            if study is not None:
                break
        else:
            return None
    shares.took(study.group, waiting)
    return study


def _work(
    site: Site, study: StudyRecord, stage: Stage
) -> tuple[State, datetime] | None:
    """Run a claimed study's stage, write what came of it, return what is due next.

    Where not even the failure can be written, the lease runs out and somebody
    takes the study up again.
    """
    try:
        return _finish(site, study, _run(site, study, stage))
    except LostRace:
        logger.info("study %s moved meanwhile", study.study_instance_uid)
    except Exception as error:  # noqa: BLE001 - a worker's turn: it is recorded
        logger.error(  # noqa: TRY400 - it may quote what was read
            *("stage %s of %s failed: %s: %s", study.state, study.study_instance_uid),
            *(describe(error), frames_of(error)),
        )
        with suppress(LostRace):
            _record_failure(site, study, error)
    return None


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


def _finish(site: Site, study: StudyRecord, outcome: Outcome) -> tuple[State, datetime]:
    """Write an outcome; return the state that the study is in, and when it is due."""
    match outcome:
        case Later():
            not_before = max(outcome.not_before, site.clock() + LEAST_PAUSE)
            with site.ledger.writing() as rows:
                rows.postpone(
                    study,
                    not_before=not_before,
                    reason=outcome.reason,
                    attempts=outcome.attempts,
                )
            return study.state, not_before
        case Moved():
            pass_failpoint(f"{study.state}:done")
            with site.ledger.writing() as rows:
                moved = _write(rows, study, outcome, site.clock())
            pass_failpoint(f"{study.state}:moved")
            logger.info("study %s is %s", moved.study_instance_uid, moved.state)
            return moved.state, moved.changed_at


def _write(
    rows: Writing, study: StudyRecord, outcome: Moved, now: datetime
) -> StudyRecord:
    for document, body in outcome.documents.items():
        rows.put_document(study.id, study.revision, document, body)
    rows.add_results(outcome.results)
    rows.put_slots(outcome.slots)
    if outcome.said is not None:
        rows.count_report(study, *outcome.said)
    if (priority := more_urgent(study.priority, outcome.priority)) != study.priority:
        rows.regroup(study.id, replace(study.group, priority=priority))
    audit = outcome.audit or (_say(study, outcome, now),)
    return rows.move(study, outcome.event, now, reason=outcome.reason, audit=audit)


def _say(study: StudyRecord, outcome: Moved, now: datetime) -> AuditEntry:
    """Return the audit record of a move whose stage wrote none of its own."""
    uid, reason = study.study_instance_uid, outcome.reason
    if outcome.event is Event.GAVE_UP:
        return kinds.study_parked(uid, reason or "", now)
    return kinds.study_moved(uid, outcome.event, reason, now)


def describe(error: Exception) -> str:
    """Return what failed, for people; never a value that was being read.

    pydantic quotes its input, which may be a header with a patient's name.
    """
    if isinstance(error, ValidationError):
        return f"{error.error_count()} faults in what an earlier stage kept"
    return f"{type(error).__name__}: {error}"[:500]


def _record_failure(site: Site, study: StudyRecord, error: Exception) -> None:
    work, now = site.settings.work, site.clock()
    reason = describe(error)
    attempts = study.attempts + 1
    with site.ledger.writing() as rows:
        if attempts >= _most_attempts(work, error):
            entry = kinds.study_parked(study.study_instance_uid, reason, now)
            rows.move(study, Event.GAVE_UP, now, reason=reason, audit=[entry])
            return
        pause = pause_before(
            study.attempts, work.first_pause_seconds, work.max_pause_seconds
        )
        rows.postpone(study, not_before=now + pause, reason=reason, attempts=attempts)


def _most_attempts(work: Work, error: Exception) -> int:
    if isinstance(error, EngineDied):
        return min(work.max_attempts, MOST_DEATHS)
    return work.max_attempts
