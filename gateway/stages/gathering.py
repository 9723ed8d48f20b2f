"""Find the prior and the orders, or say why there are none.

A missing prior is recorded, never an error. An archive that does not answer is
tried again as the settings say; then the study goes on without and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from dicom_io.errors import PeerFailure
from dicom_io.evidence import Rejection
from dicom_io.header import Instance
from dicom_io.identifiers import StudyAnswers
from dicom_io.inputs.history import History
from dicom_io.inputs.likeness import shares_projection
from dicom_io.inputs.prior import Prior
from dicom_io.inputs.ranking import (
    Dropped,
    NoQuery,
    Ranked,
    plan_query,
    rank_priors,
)
from dicom_io.inputs.view import Views
from dicom_io.options import Match
from gateway import away
from gateway.audit import kinds
from gateway.documents import HISTORY
from gateway.failpoints import pass_failpoint
from gateway.fairness import Priority
from gateway.ledger import Document, StudyRecord
from gateway.lifecycle import Event
from gateway.pausing import pause_before
from gateway.site import Site
from gateway.sources.asking import ask_for_orders
from gateway.sources.priors import PriorSource
from gateway.stages.retrieval import Search, examine, say_refused
from gateway.stages.turn import Later, Moved, Outcome


@dataclass(slots=True, kw_only=True)
class _Tried:
    """What came of the candidates so far; `prior` is the first that is usable."""

    prior: Prior | None = None
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_late: bool = False

    def drop(self, study_instance_uid: str, reason: str) -> None:
        self.dropped.append(
            Dropped(study_instance_uid=study_instance_uid, reason=reason)
        )


def gather(site: Site, study: StudyRecord, views: Views) -> Outcome:
    """Return the move that settles prior and orders, or when to try again.

    The orders are asked for when the search for the prior is over, so that they are
    asked for once, however often an archive must be tried.
    """
    history = _seek_prior(site, study, views.frontal)
    if isinstance(history, Later):
        return history
    asked = ask_for_orders(site, study, views.frontal)
    refused = (f"order not used: {each.what}: {each.reason}" for each in asked.rejected)
    settled = _settle(
        replace(
            history,
            orders=asked.orders,
            notes=(*history.notes, *asked.notes, *refused),
        )
    )
    believed = site.settings.queue.order_priority
    if believed and any(order.urgent for order in asked.orders):
        return replace(settled, priority=Priority.URGENT)
    return settled


def read_gathered(site: Site, study: StudyRecord) -> History:
    """Return what `gather` settled for this revision."""
    with site.ledger.reading() as rows:
        body = rows.document(study.id, study.revision, Document.PRIOR)
    return HISTORY.validate_json(body or "null")


def _seek_prior(site: Site, study: StudyRecord, frontal: Instance) -> History | Later:
    wanted = site.settings.prior
    if site.priors is None or not wanted.enabled:
        return _without("no archive is asked for priors")
    question = plan_query(frontal)
    if isinstance(question, NoQuery):
        return _without(f"no query was sent: {question.reason}")
    until = away.is_away(site, site.priors.name)
    if until is not None:
        return _while_away(site, site.priors, study, until)
    search = Search(
        site=site,
        source=site.priors,
        study=study,
        frontal=frontal,
        question=question,
        ends_at=site.elapsed() + wanted.study_seconds,
    )
    try:
        return _search(search)
    except PeerFailure as error:
        return _after_failure(search, error)


def _search(search: Search) -> History:
    """Ask, rank, and take the first candidate that holds what it promises."""
    site, source = search.site, search.source
    with away.asking(site, source.name):
        pass_failpoint("prior:before-find")
        answers = source.find(search.question)
        pass_failpoint("prior:after-find")
    _audit_query(search, answers)
    ranking = rank_priors(
        search.frontal,
        answers.studies,
        site.settings.prior_rules(),
        site.settings.identity_policy(),
    )
    say_refused(search, ranking.dropped)
    tried = _try_all(search, ranking.candidates)
    tried.notes += answers.remarks
    return _history(search, tried, (*tried.dropped, *ranking.dropped))


def _audit_query(search: Search, answers: StudyAnswers) -> None:
    """Record at once that a Patient ID left the house, whatever follows."""
    uid, name, now = (
        search.study.study_instance_uid,
        search.source.name,
        search.site.clock(),
    )
    with search.site.ledger.writing() as rows:
        rows.append_audit(kinds.prior_queried(uid, search.question, name, answers, now))


def _try_all(search: Search, candidates: Sequence[Ranked]) -> _Tried:
    """Try one candidate after the other, until one leaves nothing to wish for."""
    tried = _Tried()
    for number, candidate in enumerate(candidates):
        reason = _enough(search, tried)
        if reason is None:
            _try(search, candidate, tried)
            continue
        for other in candidates[number:]:
            tried.drop(other.answer.study_instance_uid, f"not looked at: {reason}")
        break
    return tried


def _enough(search: Search, tried: _Tried) -> str | None:
    """Return why no further candidate is looked at, or None."""
    if tried.prior is not None and _is_settled(search, tried.prior):
        return "a better one is used"
    tried.is_late = search.site.elapsed() > search.ends_at
    return "no time was left" if tried.is_late else None


def _is_settled(search: Search, prior: Prior) -> bool:
    """Tell whether a usable prior need not be compared with further candidates."""
    prefers_view = search.site.settings.prior.view is Match.PREFER
    return not prefers_view or shares_projection(search.frontal, prior.frontal)


def _try(search: Search, candidate: Ranked, tried: _Tried) -> None:
    """Examine one more candidate.

    A failure of the archive costs only this one where another is usable, and at the
    last try; else the PeerFailure is raised and the whole search is tried again.
    """
    try:
        examined = examine(search, candidate)
    except PeerFailure as error:
        if tried.prior is None and not _is_last_try(search):
            raise
        _audit_failure(search, error)
        tried.drop(candidate.answer.study_instance_uid, f"not retrieved: {error}")
        return
    tried.notes += examined.notes
    if isinstance(examined.found, Dropped):
        tried.dropped.append(examined.found)
    else:
        _compare(search, examined.found, tried)


def _is_last_try(search: Search) -> bool:
    """Whether the archive is not asked again: often enough, or no time is left."""
    is_late = search.site.elapsed() >= search.ends_at
    return is_late or search.study.attempts + 1 >= search.site.settings.prior.attempts


def _compare(search: Search, found: Prior, tried: _Tried) -> None:
    """Keep the first usable prior, unless only a later one has the projection."""
    first, reason = tried.prior, "not surely of the current projection, PA or AP"
    if first is None:
        tried.prior = found
    elif shares_projection(search.frontal, found.frontal):
        tried.prior = found
        tried.drop(first.study_instance_uid, reason)
    else:
        tried.drop(found.study_instance_uid, f"{reason}; a better one is used")


def _history(search: Search, tried: _Tried, dropped: Sequence[Dropped]) -> History:
    """Say what the search came to, the decision first."""
    prior, seconds = tried.prior, search.site.settings.prior.study_seconds
    late = f"the search for the prior took longer than {seconds:g} s"
    decision = "no earlier study can be used"
    if prior is not None:
        notes = [*prior.reasons, *prior.flags, *([late] if tried.is_late else [])]
    else:
        notes = [f"{decision}: {late}" if tried.is_late else decision]
    notes += tried.notes
    rejected = (
        Rejection(
            what=each.study_instance_uid or "an unnamed study", reason=each.reason
        )
        for each in dropped
    )
    return History(prior=prior, rejected_priors=tuple(rejected), notes=tuple(notes))


def _while_away(
    site: Site, source: PriorSource, study: StudyRecord, until: datetime
) -> History | Later:
    """Wait for a source that others found silent; no try, but not for ever."""
    waited = (site.clock() - study.changed_at).total_seconds()
    if waited > site.settings.prior.attempts * away.LONGEST_SECONDS:
        return _without(f"{source.name} has not answered for {waited:.0f} s")
    reason = f"{source.name} does not answer and is left alone"
    return Later(not_before=until, reason=reason, attempts=study.attempts)


def _after_failure(search: Search, error: PeerFailure) -> History | Later:
    site, attempts = search.site, search.study.attempts
    wanted, tries = site.settings.prior, attempts + 1
    reason = f"{search.source.name} was asked {tries} times for a prior: {error}"
    _audit_failure(search, error)
    if tries >= wanted.attempts:
        return _without(reason)
    pause = pause_before(
        attempts, wanted.pause_seconds, site.settings.work.max_pause_seconds
    )
    return Later(not_before=site.clock() + pause, reason=reason, attempts=tries)


def _audit_failure(search: Search, error: PeerFailure) -> None:
    uid, name, now = (
        search.study.study_instance_uid,
        search.source.name,
        search.site.clock(),
    )
    with search.site.ledger.writing() as rows:
        rows.append_audit(
            kinds.prior_query_failed(uid, search.question, name, str(error), now)
        )


def _without(note: str) -> History:
    return History(prior=None, notes=(note,))


def _settle(gathered: History) -> Moved:
    return Moved(
        event=Event.PRIOR_SETTLED,
        reason=None if gathered.prior else gathered.notes[0],
        documents={Document.PRIOR: HISTORY.dump_json(gathered).decode()},
    )
