"""Find the prior and bring it here, or say why there is none.

A missing prior is recorded, never an error. An archive that does not answer is
tried again as the settings say; then the study goes on without and says so.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from dicom_io.errors import PeerFailure
from dicom_io.header import Instance, read_instance
from dicom_io.identifiers import StudyAnswer, StudyQuery
from dicom_io.inputs.history import History
from dicom_io.inputs.looking import look
from dicom_io.inputs.prior import (
    Dropped,
    NoQuery,
    Prior,
    RetrievedStudy,
    gather_prior,
    plan_query,
    rank_priors,
)
from dicom_io.inputs.view import Views
from dicom_io.sink import Sink
from gateway import away
from gateway.audit import kinds
from gateway.documents import HISTORY
from gateway.intake import Intake, role_of_retrieved
from gateway.ledger import Document, StudyRecord
from gateway.lifecycle import Event
from gateway.rules import picture_options, prior_guard
from gateway.site import Site
from gateway.sources.priors import PriorSource
from gateway.turn import Later, Moved, Outcome, pause_before

RETRIEVAL_WINDOW = timedelta(hours=1)
"""How long an answer to a retrieval may take whose end was not seen."""


def gather(site: Site, study: StudyRecord, views: Views) -> Outcome:
    """Return the move that settles the prior, or when to try again."""
    wanted = site.settings.prior
    if site.priors is None or not wanted.enabled:
        return _without("no archive is asked for priors")
    question = plan_query(views.frontal)
    if isinstance(question, NoQuery):
        return _without(f"no query was sent: {question.reason}")
    until = away.is_away(site, site.priors.name)
    if until is not None:
        return _while_away(site, site.priors, study, until)
    try:
        return _search(site, site.priors, study, views.frontal, question)
    except PeerFailure as error:
        return _after_failure(site, site.priors, study, question, error)


def read_gathered(site: Site, study: StudyRecord) -> History:
    """Return what `gather` settled for this revision."""
    with site.ledger.reading() as rows:
        body = rows.document(study.id, study.revision, Document.PRIOR)
    return HISTORY.validate_json(body or "null")


def _search(
    site: Site,
    source: PriorSource,
    study: StudyRecord,
    frontal: Instance,
    question: StudyQuery,
) -> Moved:
    """Ask, rank, and take the first candidate that holds what it promises."""
    with away.asking(site, source.name):
        answers = source.find(question)
    _audit_query(site, source, study, question, len(answers))
    ranking = rank_priors(
        frontal,
        answers,
        site.settings.prior_rules(),
        site.settings.identity_policy(),
    )
    dropped = list(ranking.dropped)
    for candidate in ranking.candidates:
        found = _bring(site, source, study, frontal, candidate)
        if isinstance(found, Prior):
            notes = (*found.reasons, *found.flags, *_told(dropped))
            return _settle(History(prior=found, notes=notes))
        dropped.append(found)
    return _without("no earlier study can be used", *_told(dropped))


def _audit_query(
    site: Site, source: PriorSource, study: StudyRecord, question: StudyQuery, n: int
) -> None:
    """Record at once that a Patient ID left the house, whatever follows."""
    uid, now = study.study_instance_uid, site.clock()
    with site.ledger.writing() as rows:
        rows.append_audit(kinds.prior_queried(uid, question, source.name, n, now))


def _told(dropped: Sequence[Dropped]) -> list[str]:
    return [f"not used: {d.study_instance_uid}: {d.reason}" for d in dropped]


def _bring(
    site: Site,
    source: PriorSource,
    study: StudyRecord,
    frontal: Instance,
    candidate: StudyAnswer,
) -> Prior | Dropped:
    """Retrieve one candidate and look at what really came."""
    uid = candidate.study_instance_uid
    with (
        _expecting(site, source, study, uid) as sink,
        away.asking(site, source.name),
    ):
        brought = source.retrieve(uid, sink)
    with site.ledger.writing() as rows:
        held = rows.instances(uid)
        how, now = brought.how, site.clock()
        rows.append_audit(kinds.prior_retrieved(uid, source.name, how, len(held), now))
    if not held:
        return Dropped(study_instance_uid=uid, reason="nothing was retrieved")
    instances = [read_instance(site.spool.path(row.file_name)) for row in held]
    paths = [instance.path for instance in instances]
    found = gather_prior(
        frontal,
        RetrievedStudy(
            instances=tuple(instances),
            seen=look(instances, paths, picture_options(site)),
        ),
        prior_guard(site),
    )
    if isinstance(found, Prior) and not brought.is_whole:
        return replace(found, flags=(*found.flags, f"{uid} did not come whole"))
    return found


@contextmanager
def _expecting(
    site: Site, source: PriorSource, study: StudyRecord, uid: str
) -> Iterator[Sink]:
    """Hold a retrieval open while instances of study `uid` may arrive for it."""
    now = site.clock()
    with site.ledger.writing() as rows:
        expires_at = now + RETRIEVAL_WINDOW
        row = rows.begin_retrieval(uid, study.id, source.name, now, expires_at)
    intake = Intake(
        ledger=site.ledger,
        spool=site.spool,
        clock=site.clock,
        role_of=role_of_retrieved,
    )
    try:
        yield intake.receive
    finally:
        with site.ledger.writing() as rows:
            rows.close_retrieval(row.id)


def _while_away(
    site: Site, source: PriorSource, study: StudyRecord, until: datetime
) -> Outcome:
    """Wait for a source that others found silent; no try, but not for ever."""
    waited = (site.clock() - study.changed_at).total_seconds()
    if waited > site.settings.prior.attempts * away.LONGEST_SECONDS:
        return _without(f"{source.name} has not answered for {waited:.0f} s")
    reason = f"{source.name} does not answer and is left alone"
    return Later(not_before=until, reason=reason, attempts=study.attempts)


def _after_failure(
    site: Site,
    source: PriorSource,
    study: StudyRecord,
    question: StudyQuery,
    error: PeerFailure,
) -> Outcome:
    wanted, tries = site.settings.prior, study.attempts + 1
    reason = f"{source.name} was asked {tries} times for a prior: {error}"
    uid, now = study.study_instance_uid, site.clock()
    with site.ledger.writing() as rows:
        failed = kinds.prior_query_failed(uid, question, source.name, str(error), now)
        rows.append_audit(failed)
    if tries >= wanted.attempts:
        return _without(reason)
    pause = pause_before(
        study.attempts, wanted.pause_seconds, site.settings.work.max_pause_seconds
    )
    return Later(not_before=site.clock() + pause, reason=reason, attempts=tries)


def _without(*notes: str) -> Moved:
    return _settle(History(prior=None, notes=notes))


def _settle(gathered: History) -> Moved:
    return Moved(
        event=Event.PRIOR_SETTLED,
        reason=None if gathered.prior else gathered.notes[0],
        documents={Document.PRIOR: HISTORY.dump_json(gathered).decode()},
    )
