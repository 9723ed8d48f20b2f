"""The flow, one function a stage, in order.

receive (intake.py) -> complete -> select -> gather -> report -> encode -> store
-> commit. Each takes the study as the ledger holds it and returns what is to be
written; `turn.py` claims the study before and writes the outcome after, in one
transaction. Every stage may run twice: same case, same UIDs, same result.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from dicom_io.errors import PeerFailure, Unreadable
from dicom_io.header import Instance, read_instance
from dicom_io.inputs.looking import look, look_ahead
from dicom_io.inputs.refusal import Declined
from dicom_io.inputs.view import Views, select_views
from gateway import away
from gateway.audit import kinds
from gateway.documents import VIEWS
from gateway.ledger import DeliveryState, Document, Role, StudyRecord
from gateway.lifecycle import Event, State
from gateway.rules import picture_options, view_rules
from gateway.site import Site
from gateway.sources.priors import PriorSource
from gateway.stages import delivery, encoding, gathering, proof, reporting, withdrawal
from gateway.stages.completeness import (
    Arrivals,
    CompletenessRule,
    Verdict,
    Wait,
    Whole,
    judge,
)
from gateway.stages.turn import Later, Moved, Outcome, Stage


def complete(site: Site, study: StudyRecord) -> Outcome:
    """Judge whether the study is whole: by its quiet, and by the archive's count."""
    match _judge(site, study):
        case Wait(until=until, reason=reason):
            _look_ahead(site, study)
            return Later(not_before=until, reason=reason)
        case Whole(reason=reason):
            uid, now = study.study_instance_uid, site.clock()
            entry = kinds.study_complete(uid, reason, now)
            return Moved(event=Event.QUIET_PERIOD_ENDED, reason=reason, audit=(entry,))


def select(site: Site, study: StudyRecord) -> Outcome:
    """Choose the frontal and the lateral by their headers and pixels."""
    instances = current_instances(site, study)
    seen = look(note_paths(site, study), instances, picture_options(site))
    chosen = select_views(instances, seen, view_rules(site))
    match chosen:
        case Declined():
            return decline(site, study, chosen)
        case Views():
            body = VIEWS.dump_json(chosen).decode()
            return Moved(event=Event.VIEWS_CHOSEN, documents={Document.VIEWS: body})


def gather(site: Site, study: StudyRecord) -> Outcome:
    """Find the prior and bring it here, or record why there is none."""
    return gathering.gather(site, study, read_views(site, study))


def report(site: Site, study: StudyRecord) -> Outcome:
    """Assemble the case, ask the engine, and keep what it said."""
    written = reporting.report(site, study, read_views(site, study))
    return decline(site, study, written) if isinstance(written, Declined) else written


def encode(site: Site, study: StudyRecord) -> Outcome:
    """Make the result objects durable here."""
    if withdrawal.is_one(site, study):
        return withdrawal.encode(site, study)
    return encoding.encode(site, study)


def store(site: Site, study: StudyRecord) -> Outcome:
    """Send what is due to each destination."""
    outcome = delivery.store(site, study)
    if isinstance(outcome, Later):  # who has everything need not wait for others
        proof.seek_where_stored(site, study)
    return _ended(site, study, outcome)


def commit(site: Site, study: StudyRecord) -> Outcome:
    """Obtain each destination's proof that it keeps the results."""
    return _ended(site, study, proof.commit(site, study))


_WITHDRAWAL_ENDS = {
    Event.RESULTS_COMMITTED: Event.WITHDRAWAL_COMMITTED,
    Event.RESULTS_KEPT: Event.WITHDRAWAL_KEPT,
}

STAGES: dict[State, Stage] = {
    State.RECEIVING: complete,
    State.COMPLETE: select,
    State.SELECTED: gather,
    State.GATHERED: report,
    State.REPORTED: encode,
    State.ENCODED: store,
    State.STORED: commit,
}


def current_instances(site: Site, study: StudyRecord) -> list[Instance]:
    """Read the headers of the study's current images."""
    with site.ledger.reading() as rows:
        found = rows.instances(study.study_instance_uid, {Role.CURRENT})
    return [read_instance(site.spool.path(row.file_name)) for row in found]


def note_paths(site: Site, study: StudyRecord) -> list[Path]:
    """Return the documents that were sent with the study."""
    with site.ledger.reading() as rows:
        found = rows.instances(study.study_instance_uid, {Role.DOCUMENT})
    return [site.spool.path(row.file_name) for row in found]


def read_views(site: Site, study: StudyRecord) -> Views:
    """Return what `select` chose for this revision."""
    with site.ledger.reading() as rows:
        body = rows.document(study.id, study.revision, Document.VIEWS)
    return VIEWS.validate_json(body or "null")


def decline(site: Site, study: StudyRecord, declined: Declined) -> Moved:
    """Return the move of a study that the engine does not read."""
    reason = f"{declined.reason}: {declined.detail}"
    entry = kinds.study_declined(study.study_instance_uid, reason, site.clock())
    return Moved(event=Event.STUDY_DECLINED, reason=reason, audit=(entry,))


def _ended(site: Site, study: StudyRecord, outcome: Outcome) -> Outcome:
    """Let a revision that withdraws results end as such."""
    if not isinstance(outcome, Moved) or outcome.event not in _WITHDRAWAL_ENDS:
        return outcome
    if not withdrawal.is_one(site, study):
        return outcome
    return replace(outcome, event=_WITHDRAWAL_ENDS[outcome.event])


def _look_ahead(site: Site, study: StudyRecord) -> None:
    """See the images that are here while others may still come.

    What is wrong with one of them is said by `select`.
    """
    with suppress(Unreadable, OSError):
        look_ahead(current_instances(site, study), picture_options(site))


def _judge(site: Site, study: StudyRecord) -> Verdict:
    """Judge by the arrivals, and ask the archive once they are quiet."""
    wanted = site.settings.completeness
    rule = CompletenessRule(
        quiet_seconds=wanted.quiet_seconds, max_wait_seconds=wanted.max_wait_seconds
    )
    arrivals = Arrivals(
        first_at=study.opened_at,
        last_at=study.last_arrival_at,
        count=_count_known(site, study),
    )
    alone = judge(arrivals, rule, None, site.clock())
    if isinstance(alone, Wait) or not wanted.ask_archive or site.priors is None:
        return alone
    named = _ask_count(site, site.priors, study)
    verdict = judge(arrivals, rule, named, site.clock())
    if isinstance(verdict, Wait):  # ask again soon, the archive may catch up
        soon = site.clock() + timedelta(seconds=wanted.quiet_seconds)
        return Wait(until=min(soon, verdict.until), reason=verdict.reason)
    return verdict


def _count_known(site: Site, study: StudyRecord) -> int:
    """Count the study's instances here, and our results that the archive holds."""
    held = (DeliveryState.STORED, DeliveryState.COMMITTED)
    archive = site.settings.archive.peer
    with site.ledger.reading() as rows:
        own = [
            row
            for revision in range(1, study.revision + 1)
            for row in rows.deliveries(study.id, revision, archive)
            if row.state in held
        ]
        return len(rows.instances(study.study_instance_uid)) + len(own)


def _ask_count(site: Site, source: PriorSource, study: StudyRecord) -> int | None:
    """Return the archive's count; None where it says none or is away."""
    try:
        with away.asking(site, source.name):
            return source.count(study.study_instance_uid)
    except PeerFailure:
        return None
