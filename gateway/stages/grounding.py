"""A person's phrase: asked about a study, answered by a worker, shown and never sent.

The request is durable, so whoever has the engine answers it; the page that asked looks
for the answer in the ledger. The model is shown the study's own case, assembled as for
its report.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from config.values import Phrase
from dicom_io.inputs.context import Case, assemble
from dicom_io.inputs.refusal import Declined, refuse_domain
from gateway.audit import kinds
from gateway.audit.parts import Person
from gateway.documents import GROUNDED, HISTORY, VIEWS, GroundedAnswer
from gateway.errors import IllegalMove, LostRace, NoSuchStudy, UnusablePhrase
from gateway.ledger import (
    Document,
    GroundingRecord,
    Ledger,
    Reading,
    StudyRecord,
)
from gateway.lifecycle import State
from gateway.pausing import pause_before
from gateway.rules import picture_options, view_rules
from gateway.site import Site
from gateway.stages.withdrawal import is_withdrawal
from model.engine import author_of
from model.errors import EngineAway, EngineUnavailable, RefusedRequest
from model.report import ReportRequest

logger = logging.getLogger(__name__)

MOST_OPEN = 5
"""Phrases that wait in one study: the studies that come in are to be read too."""
MOST_KEPT = 100
"""Phrases of one revision."""
MOST_ATTEMPTS = 3
GIVE_UP = timedelta(minutes=10)
"""For how long an engine that is away is waited for: a person sits there."""

_BATCH = 10
_HOLD = timedelta(minutes=10)
"""For how long nobody else asks what somebody asks; a start frees it sooner."""
_LONGEST_PAUSE = 15.0
_PHRASE = TypeAdapter(Phrase)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unanswered:
    """Why there is no answer, for good."""

    why: str


def ask(
    ledger: Ledger, study_instance_uid: str, phrase: str, by: str, now: datetime
) -> GroundingRecord:
    """Keep a person's phrase for a worker.

    Raises UnusablePhrase (empty, or over 400 characters), NoSuchStudy, and IllegalMove
    where the model cannot be shown the study, or too much is asked of it already. A
    refusal about a study is recorded.
    """
    with ledger.writing() as rows:
        study = rows.study(study_instance_uid)
        if study is None:
            raise NoSuchStudy(f"no study {study_instance_uid[:64]!r}")
        try:
            wanted = _usable(phrase)
            _demand_room(rows, study)
            return rows.ask_grounding(study.id, study.revision, wanted, by, now)
        except (UnusablePhrase, IllegalMove) as error:
            refused = error
            person, uid = Person(name=by), study.study_instance_uid
            rows.append_audit(kinds.phrase_refused(uid, str(error), person, now))
    raise refused


def _demand_room(rows: Reading, study: StudyRecord) -> None:
    """Raise IllegalMove where no phrase, or no further one, can be looked for."""
    _demand_case(rows, study)
    if rows.groundings_open(study.id) >= MOST_OPEN:
        raise IllegalMove(f"{MOST_OPEN} phrases wait already: see what they bring")
    if len(rows.groundings(study.id, study.revision)) >= MOST_KEPT:
        raise IllegalMove(f"{MOST_KEPT} phrases were looked for in this revision")


def _usable(phrase: str) -> str:
    try:
        return _PHRASE.validate_python(" ".join(phrase.split()))
    except ValidationError as error:
        raise UnusablePhrase("a phrase has 1 to 400 characters") from error


def why_not(rows: Reading, study: StudyRecord) -> str | None:
    """Return why no phrase can be looked for in a study now, or None."""
    if study.state is State.PURGED:
        return "its images were deleted after their retention"
    if is_withdrawal(rows, study):
        return "its results were withdrawn: have it read anew first"
    kept = (Document.VIEWS, Document.PRIOR)
    if any(rows.document(study.id, study.revision, each) is None for each in kept):
        return "no frontal image of it was chosen (yet)"
    return None


def _demand_case(rows: Reading, study: StudyRecord) -> None:
    reason = why_not(rows, study)
    if reason is not None:
        raise IllegalMove(f"nothing can be looked for in this study: {reason}")


def work(site: Site, process: str | None = None) -> int:
    """Answer what is due; return how much was.

    process : the name of ours, by which others know what it held should it die.
    """
    with site.ledger.reading() as rows:
        due = rows.groundings_due(site.clock(), _BATCH)
    hold = _HOLD + timedelta(seconds=site.settings.engine.deadline_seconds)
    for record in due:
        with site.ledger.writing() as rows:
            claimed = rows.claim_grounding(record, site.clock() + hold, process)
        if claimed is not None:
            _work_on(site, claimed)
    return len(due)


def _work_on(site: Site, record: GroundingRecord) -> None:
    """Write what came of it; whoever was faster has written it already."""
    try:
        _write(site, record, _outcome(site, record))
    except LostRace:
        logger.info("phrase %d was answered meanwhile", record.id)


def _outcome(
    site: Site, record: GroundingRecord
) -> GroundedAnswer | _Unanswered | EngineUnavailable:
    if record.attempts > MOST_ATTEMPTS:
        return _Unanswered(why=f"it was tried {MOST_ATTEMPTS} times without an end")
    try:
        site.engine.generate([])  # is it there? Pictures are decoded only then
        return _ground(site, record)
    except EngineUnavailable as error:
        return error
    except RefusedRequest as error:
        return _Unanswered(why=f"the engine refused: {error}")


def _ground(site: Site, record: GroundingRecord) -> GroundedAnswer | _Unanswered:
    case = _case(site, record)
    if not isinstance(case, Case):
        return case
    request = ReportRequest(
        inputs=case.inputs,
        phrases=(record.phrase,),
        deadline_seconds=site.settings.engine.deadline_seconds or None,
    )
    ((said,),) = site.engine.generate([request])
    author = author_of(site.engine, said)
    return GroundedAnswer(report=said, frame=case.evidence.frame, engine=author)


def _case(site: Site, record: GroundingRecord) -> Case | _Unanswered:
    """Assemble what the model is shown: what its report was written from."""
    with site.ledger.reading() as rows:
        study = rows.study_by_id(record.study_id)
        if study.state is State.PURGED:
            return _Unanswered(why="the images were deleted meanwhile")
        views, history = (
            rows.document(record.study_id, record.revision, each) or "null"
            for each in (Document.VIEWS, Document.PRIOR)
        )
    chosen = VIEWS.validate_json(views)
    outside = refuse_domain(chosen.frontal, view_rules(site))
    found = outside or assemble(
        chosen, HISTORY.validate_json(history), picture_options(site)
    )
    if isinstance(found, Declined):
        return _Unanswered(why=f"{found.reason}: {found.detail}")
    return found


def _write(
    site: Site,
    record: GroundingRecord,
    outcome: GroundedAnswer | _Unanswered | EngineUnavailable,
) -> None:
    now = site.clock()
    with site.ledger.writing() as rows:
        match outcome:
            case GroundedAnswer():
                body = GROUNDED.dump_json(outcome).decode()
                rows.answer_grounding(record, body, now)
                boxes = sum(len(each.boxes) for each in outcome.report.phrases)
                uid = rows.study_by_id(record.study_id).study_instance_uid
                by = Person(name=record.asked_by)
                rows.append_audit(
                    kinds.phrase_grounded(uid, record.phrase, boxes, by, now)
                )
            case _Unanswered():
                rows.refuse_grounding(record, outcome.why, now)
            case EngineUnavailable() if _is_over(record, outcome, now):
                why = f"the engine did not answer: {outcome}"
                rows.refuse_grounding(record, why[:500], now)
            case EngineUnavailable():
                # one that is away uses up no attempt
                used = record.attempts - isinstance(outcome, EngineAway)
                later = now + _pause(site, record)
                rows.postpone_grounding(record, later, str(outcome)[:500], used)


def _is_over(record: GroundingRecord, error: EngineUnavailable, now: datetime) -> bool:
    """Whether an engine that is away was waited for, or one at work tried, enough."""
    if isinstance(error, EngineAway):
        return now - record.asked_at >= GIVE_UP
    return record.attempts >= MOST_ATTEMPTS


def _pause(site: Site, record: GroundingRecord) -> timedelta:
    first = min(site.settings.work.first_pause_seconds, _LONGEST_PAUSE)
    return pause_before(record.attempts, first, _LONGEST_PAUSE)
