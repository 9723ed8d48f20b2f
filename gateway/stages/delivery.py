"""Send results: each destination on its own, an outcome per instance.

A transient failure is tried again for days with a growing pause; a refusal for
good stops that result there and is shown. All destinations are sent to side by
side, and a turn does not wait for the end of one that hangs (`couriers`). One that
is silent costs one deadline a pause, whatever waits for it (`away`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from dicom_io.ae import RemoteAE
from dicom_io.results.kinds import ResultKind
from dicom_io.scu.peer import store_instances
from dicom_io.scu.send import StoreOutcome
from dicom_io.status import StoreVerdict
from gateway import away
from gateway.audit import kinds
from gateway.failpoints import pass_failpoint
from gateway.ledger import (
    DeliveryRecord,
    DeliveryState,
    Reading,
    ResultRecord,
    StudyRecord,
    Writing,
)
from gateway.lifecycle import Event
from gateway.pausing import pause_before
from gateway.site import Site
from gateway.stages.encoding import encode_stand_in
from gateway.stages.turn import Later, Moved, Outcome, process_of

LOOK_AGAIN = timedelta(seconds=2)
"""When a study is looked at again while something is under way for it."""

KEPT_BACK = "its campaign keeps its results here"

_WITHDRAWING = frozenset({ResultKind.WITHDRAWAL_SR, ResultKind.REJECTION_NOTE})


def store(site: Site, study: StudyRecord) -> Outcome:
    """Send what is due; return where the study stands after it.

    What a campaign keeps back goes nowhere, whatever a person has sent again.
    """
    if not study.emit:
        return Moved(event=Event.RESULTS_KEPT, reason=KEPT_BACK)
    with site.ledger.writing() as rows:
        results = [r for r in rows.results(study.id, study.revision) if r.send]
        for remote in site.destinations:
            due = [result for result in results if _is_for(rows, study, remote, result)]
            rows.add_deliveries(study.id, study.revision, remote.name, due)
        claimed = {r: _claim(site, rows, study, r) for r in site.destinations}
    jobs = {
        _key(study, remote): partial(_send, site, study, remote, due)
        for remote, due in claimed.items()
        if due
    }
    site.couriers.run(jobs)
    out = [r for r in site.destinations if site.couriers.is_out(_key(study, r))]
    for remote in out:
        _let_it_go_on(site, study, remote, claimed[remote])
    with site.ledger.reading() as rows:
        return _judge(site, read_outbox(site, rows, study), is_out=bool(out))


def _is_for(
    rows: Reading, study: StudyRecord, remote: RemoteAE, result: ResultRecord
) -> bool:
    """Whether a destination gets a result, by its profile.

    A withdrawal goes where something that is withdrawn may have arrived.
    """
    if result.kind not in _WITHDRAWING:
        return result.kind in remote.outputs
    told = any(
        row.first_tried_at is not None
        for revision in range(1, study.revision)
        for row in rows.deliveries(study.id, revision, remote.name)
    )
    return told and result.kind in remote.outputs | {ResultKind.WITHDRAWAL_SR}


def read_outbox(site: Site, rows: Reading, study: StudyRecord) -> list[DeliveryRecord]:
    """Return the rows of this revision for the destinations of the settings.

    What was on its way to one that is no longer among them does not count.
    """
    names = {remote.name for remote in site.destinations}
    outbox = rows.deliveries(study.id, study.revision)
    return [row for row in outbox if row.destination in names]


def is_too_old(site: Site, row: DeliveryRecord) -> bool:
    """Whether the result has been on its way for longer than the site waits."""
    began = row.first_tried_at or site.clock()
    return site.clock() - began > timedelta(days=site.settings.delivery.give_up_days)


def _key(study: StudyRecord, remote: RemoteAE) -> tuple[str, int, str]:
    """Name the sending of a study to a destination among what is under way."""
    return ("send", study.id, remote.name)


def _claim(
    site: Site, rows: Writing, study: StudyRecord, remote: RemoteAE
) -> tuple[DeliveryRecord, ...]:
    """Return what is to be sent to a destination now; nothing while it is away.

    Who may have got something is written down before anything leaves: a retraction
    asks for that, even while the sending is under way or was cut off. Raises
    LostRace where the study moved meanwhile: nothing leaves then.
    """
    if site.couriers.is_out(_key(study, remote)):
        return ()
    now = site.clock()
    outbox = rows.deliveries(study.id, study.revision, remote.name)
    due = tuple(row for row in outbox if _is_due(row, now))
    if not due:
        return ()
    until = away.claim(site, rows, remote.name, remote.deadline_seconds)
    if until is not None:
        _leave(site, rows, due, until)
        return ()
    rows.renew(study, now + timedelta(seconds=site.settings.work.lease_seconds))
    for row in due:
        rows.update_delivery(row.id, now=now)
    uid = study.study_instance_uid
    rows.append_audit(kinds.sending_begun(uid, remote, due, now))
    return due


def _send(
    site: Site, study: StudyRecord, remote: RemoteAE, due: Sequence[DeliveryRecord]
) -> None:
    """Send what was claimed, and write down what became of it.

    Nothing leaves where the study moved since: a person may just have retracted.
    """
    with site.ledger.reading() as rows:
        now = rows.study_by_id(study.id)
    if (now.state, now.revision) != (study.state, study.revision):
        return
    paths = [site.spool.path(row.file_name) for row in due]
    pass_failpoint("send:before")
    outcomes = store_instances(site.local, remote, paths)
    pass_failpoint("send:after")
    if all(_is_silence(outcome) for outcome in outcomes):
        away.note_silence(site, remote.name)
    elif any(outcome.verdict.is_stored for outcome in outcomes):
        away.note_success(site, remote.name)
    else:
        away.note_answer(site, remote.name)
    stand_ins = _stand_ins(site, study, outcomes)

    def note(rows: Writing) -> None:
        for row, outcome in zip(due, outcomes, strict=True):
            _record(site, rows, row, outcome)
            if stand_in := stand_ins.get(row.sop_instance_uid):
                _replace(site, rows, row, stand_in)
        entry = kinds.results_sent(
            study.study_instance_uid, remote, due, outcomes, site.clock()
        )
        rows.append_audit(entry)
        rows.wake(study.id, site.clock())

    site.ledger.grouped(note)


def _let_it_go_on(
    site: Site, study: StudyRecord, remote: RemoteAE, due: Sequence[DeliveryRecord]
) -> None:
    """End the turn without a sending that takes long.

    Nobody else tries these results until it has ended for sure, or this process has
    died; and nobody asks its destination anything before it has answered.
    """
    longest = remote.deadline_seconds * (2 + len(due))
    until = site.clock() + timedelta(seconds=longest)
    process = process_of(study.lease_owner)
    with site.ledger.writing() as rows:
        for row in due:
            rows.hold_delivery(row.id, row.attempts, until, process)
    away.note_slow(site, remote.name, remote.deadline_seconds)
    site.couriers.when_ended(
        _key(study, remote), partial(away.note_end, site, remote.name)
    )


def _stand_ins(
    site: Site, study: StudyRecord, outcomes: Sequence[StoreOutcome]
) -> dict[str, ResultRecord]:
    """Make the other form of what a destination refused for its class alone."""
    refused = {o.sop_instance_uid for o in outcomes if o.class_refused}
    if not refused:
        return {}
    with site.ledger.reading() as rows:
        results = rows.results(study.id, study.revision)
    return {
        result.sop_instance_uid: encode_stand_in(site, study, result)
        for result in results
        if result.sop_instance_uid in refused and result.kind == ResultKind.FINDINGS_SR
    }


def _replace(
    site: Site, rows: Writing, row: DeliveryRecord, stand_in: ResultRecord
) -> None:
    """Put the other form on its way in the place of what was refused."""
    rows.add_results([stand_in])
    rows.add_deliveries(row.study_id, row.revision, row.destination, [stand_in])
    rows.update_delivery(
        row.id,
        state=DeliveryState.REPLACED,
        now=site.clock(),
        detail=f"class not accepted; sent as {stand_in.kind}",
    )


def _is_due(row: DeliveryRecord, now: datetime) -> bool:
    waits = row.not_before is not None and row.not_before > now
    return row.state is DeliveryState.PENDING and not waits


def _is_silence(outcome: StoreOutcome) -> bool:
    return outcome.verdict is StoreVerdict.TRANSIENT and outcome.status is None


def _leave(
    site: Site, rows: Writing, due: Sequence[DeliveryRecord], until: datetime
) -> None:
    """Note that a destination is away: no try of these results, but they age."""
    for row in due:
        rows.update_delivery(
            row.id,
            state=_failed(site, row),
            now=site.clock(),
            detail=away.NO_ANSWER,
            not_before=until,
        )


def _record(
    site: Site, rows: Writing, row: DeliveryRecord, outcome: StoreOutcome
) -> None:
    now, wanted = site.clock(), site.settings.delivery
    pause = pause_before(
        row.attempts, wanted.first_pause_seconds, wanted.max_pause_seconds
    )
    refused = outcome.verdict is StoreVerdict.PERMANENT
    failed = DeliveryState.REFUSED if refused else _failed(site, row)
    is_stored = outcome.verdict.is_stored
    rows.update_delivery(
        row.id,
        state=DeliveryState.STORED if is_stored else failed,
        now=now,
        detail=outcome.detail,
        attempts=row.attempts + 1,
        not_before=None if is_stored else now + pause,
        transaction_uid=None,
    )


def _failed(site: Site, row: DeliveryRecord) -> DeliveryState:
    return DeliveryState.REFUSED if is_too_old(site, row) else DeliveryState.PENDING


def _judge(site: Site, outbox: Sequence[DeliveryRecord], *, is_out: bool) -> Outcome:
    if not outbox:
        reason = "nothing is to be sent" if site.destinations else "no destination"
        return Moved(event=Event.RESULTS_KEPT, reason=reason)
    pending = [row for row in outbox if row.state is DeliveryState.PENDING]
    if pending:
        waits = [row.not_before or site.clock() for row in pending]
        waits += [site.clock() + LOOK_AGAIN] if is_out else []
        names = sorted({row.destination for row in pending})
        return Later(not_before=min(waits), reason=f"waits for {', '.join(names)}")
    refused = [row for row in outbox if row.state is DeliveryState.REFUSED]
    if refused:
        reasons = sorted({f"{row.destination}: {row.detail}" for row in refused})
        return Moved(event=Event.GAVE_UP, reason="; ".join(reasons)[:500])
    return Moved(event=Event.RESULTS_STORED)
