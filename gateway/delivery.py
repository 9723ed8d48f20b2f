"""Send results: each destination on its own, an outcome per instance.

A transient failure is tried again for days with a growing pause; a refusal for
good stops that result there and is shown. One bad destination never delays
another.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dicom_io.ae import RemoteAE
from dicom_io.send import StoreOutcome, store_instances
from dicom_io.status import StoreVerdict
from gateway.audit import kinds
from gateway.ledger import DeliveryRecord, DeliveryState, StudyRecord, Writing
from gateway.lifecycle import Event
from gateway.site import Site
from gateway.turn import Later, Moved, Outcome, pause_before


def store(site: Site, study: StudyRecord) -> Outcome:
    """Send what is due; return where the study stands after it."""
    _fill_outbox(site, study)
    for remote in site.destinations:
        _send_due(site, study, remote)
    with site.ledger.reading() as rows:
        outbox = rows.deliveries(study.id, study.revision)
    return _judge(outbox)


def _fill_outbox(site: Site, study: StudyRecord) -> None:
    """Write a row for each result and destination; known rows stay as they are.

    Where nothing is under way any more, a person has asked for another try of
    what was refused.
    """
    with site.ledger.writing() as rows:
        results = [r for r in rows.results(study.id, study.revision) if r.send]
        for remote in site.destinations:
            rows.add_deliveries(study.id, study.revision, remote.name, results)
        outbox = rows.deliveries(study.id, study.revision)
        if not any(row.state is DeliveryState.PENDING for row in outbox):
            _reopen(rows, outbox, site.clock())


def _reopen(rows: Writing, outbox: Sequence[DeliveryRecord], now: datetime) -> None:
    for row in outbox:
        if row.state is DeliveryState.REFUSED:
            rows.update_delivery(
                row.id,
                state=DeliveryState.PENDING,
                now=now,
                detail="tried again on request",
                attempts=0,
            )


def _send_due(site: Site, study: StudyRecord, remote: RemoteAE) -> None:
    now = site.clock()
    with site.ledger.reading() as rows:
        outbox = rows.deliveries(study.id, study.revision, remote.name)
    due = [row for row in outbox if _is_due(row, now)]
    if not due:
        return
    paths = [site.spool.path(row.file_name) for row in due]
    outcomes = store_instances(site.local, remote, paths)
    with site.ledger.writing() as rows:
        for row, outcome in zip(due, outcomes, strict=True):
            _record(site, rows, row, outcome)
        entry = kinds.results_sent(
            study.study_instance_uid, remote, outcomes, site.clock()
        )
        rows.append_audit(entry)


def _is_due(row: DeliveryRecord, now: datetime) -> bool:
    waits = row.not_before is not None and row.not_before > now
    return row.state is DeliveryState.PENDING and not waits


def _record(
    site: Site, rows: Writing, row: DeliveryRecord, outcome: StoreOutcome
) -> None:
    now, wanted = site.clock(), site.settings.delivery
    age = now - (row.first_tried_at or now)
    pause = pause_before(
        row.attempts, wanted.first_pause_seconds, wanted.max_pause_seconds
    )
    gave_up = age > timedelta(days=wanted.give_up_days)
    refused = outcome.verdict is StoreVerdict.PERMANENT or gave_up
    failed = DeliveryState.REFUSED if refused else DeliveryState.PENDING
    rows.update_delivery(
        row.id,
        state=DeliveryState.STORED if outcome.verdict.is_stored else failed,
        now=now,
        detail=outcome.detail,
        attempts=row.attempts + 1,
        not_before=now + pause,
    )


def _judge(outbox: Sequence[DeliveryRecord]) -> Outcome:
    if not outbox:
        return Moved(event=Event.RESULTS_KEPT, reason="no destination is set")
    pending = [row for row in outbox if row.state is DeliveryState.PENDING]
    if pending:
        waits = [row.not_before for row in pending if row.not_before is not None]
        names = sorted({row.destination for row in pending})
        return Later(not_before=min(waits), reason=f"waits for {', '.join(names)}")
    refused = [row for row in outbox if row.state is DeliveryState.REFUSED]
    if refused:
        reasons = sorted({f"{row.destination}: {row.detail}" for row in refused})
        return Moved(event=Event.GAVE_UP, reason="; ".join(reasons)[:500])
    return Moved(event=Event.RESULTS_STORED)
