"""Take the result of a storage commitment, whichever association brought it.

What a destination did not commit to is sent again, asked for again, proved in
another way, or shown to a person, by its Failure Reason.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dicom_io.ae import Proof
from dicom_io.scu.commitment import CommitmentReport, Remedy, remedy_of
from gateway.audit import kinds
from gateway.failpoints import pass_failpoint
from gateway.ledger import DeliveryRecord, DeliveryState, Writing
from gateway.pausing import pause_before
from gateway.site import Site
from gateway.stages.delivery import is_too_old


def take_report(site: Site, report: CommitmentReport) -> None:
    """Record a storage commitment result, whichever association brought it.

    A transaction that is not ours, one of another destination, or one that is
    answered already, changes nothing but the audit.
    """
    pass_failpoint("commitment:reported")
    now = site.clock()
    with site.ledger.writing() as rows:
        asked = rows.deliveries_of_transaction(report.transaction_uid)
        theirs = [row for row in asked if row.destination == report.peer_name]
        waiting = [row for row in theirs if row.state is DeliveryState.STORED]
        for row in waiting:
            _take_item(site, rows, row, report)
        standing = _standing(asked, theirs, waiting)
        rows.append_audit(kinds.commitment_reported(report, standing, now))
        for study_id in {row.study_id for row in waiting}:
            rows.wake(study_id, now)
    pass_failpoint("commitment:recorded")


def _standing(
    asked: Sequence[DeliveryRecord],
    theirs: Sequence[DeliveryRecord],
    waiting: Sequence[DeliveryRecord],
) -> str | None:
    """Say why a report is not believed; None: it is awaited."""
    if waiting:
        return None
    if theirs:
        return "answered before"
    return "asked of another node" if asked else "not awaited here"


def _take_item(
    site: Site, rows: Writing, row: DeliveryRecord, report: CommitmentReport
) -> None:
    """Record what a report says of one result; nothing where it says nothing."""
    now, failed = site.clock(), dict(report.failed)
    if row.sop_instance_uid in report.committed:
        mark_kept(rows, row, now, "storage commitment")
    elif row.sop_instance_uid in failed:
        code = failed[row.sop_instance_uid]
        _mark_failed(site, rows, row, code)


def _mark_failed(site: Site, rows: Writing, row: DeliveryRecord, code: int) -> None:
    """Do what a Failure Reason asks for."""
    now, why = site.clock(), f"commitment failed, reason {code:04X}"
    match remedy_of(code):
        case Remedy.SEND_AGAIN:
            mark_lost(site, rows, row, why)
        case Remedy.ASK_AGAIN:
            pause = pause_after(site, rows.study_by_id(row.study_id).attempts)
            rows.update_delivery(
                row.id,
                now=now,
                detail=why,
                not_before=now + pause,
                transaction_uid=None,
            )
        case Remedy.ASK_OTHERWISE if _proof_by(site, row) is not Proof.COMMITMENT:
            # The transaction stays: what was asked in vain is read back.
            rows.update_delivery(row.id, now=now, detail=why, not_before=now)
        case Remedy.ASK_OTHERWISE | Remedy.GIVE_UP:
            rows.update_delivery(
                row.id,
                now=now,
                state=DeliveryState.REFUSED,
                detail=why,
                transaction_uid=None,
            )


def _proof_by(site: Site, row: DeliveryRecord) -> Proof | None:
    """Return how a destination is to prove it; None: it left the settings."""
    found = [r.proof for r in site.destinations if r.name == row.destination]
    return found[0] if found else None


def mark_kept(rows: Writing, row: DeliveryRecord, now: datetime, how: str) -> None:
    """Note that a destination has proved that it keeps a result, and how."""
    rows.update_delivery(
        row.id, state=DeliveryState.COMMITTED, now=now, committed_how=how
    )


def mark_lost(site: Site, rows: Writing, row: DeliveryRecord, why: str) -> None:
    """Return the result to the outbox, or give it up when it bounces for too long."""
    now, too_old = site.clock(), is_too_old(site, row)
    rows.update_delivery(
        row.id,
        state=DeliveryState.REFUSED if too_old else DeliveryState.PENDING,
        now=now,
        detail=why,
        not_before=now + pause_after(site, row.attempts),
        transaction_uid=None,
    )


def pause_after(site: Site, attempts: int) -> timedelta:
    """Return the pause before a destination is asked once more for its proof."""
    wanted = site.settings.delivery
    return pause_before(attempts, wanted.first_pause_seconds, wanted.max_pause_seconds)
