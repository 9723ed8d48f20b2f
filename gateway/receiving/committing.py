"""Storage commitment that we give to others (PS3.4 Annex J), off by default.

A node that hears that we commit may delete its copy. So a request is durable before
it is answered; each instance is decided once, by what the archive names in answer
to a query or by our own bytes compared with their digest; and the report goes out on
an association of its own until the node takes it. Which of these is at hand stands
in the ledger: any process may go on with it.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from dicom_io.ae import RemoteAE
from dicom_io.contexts import STORAGE_CLASSES
from dicom_io.errors import PeerFailure
from dicom_io.scp.commitment import ActionStatus, CommitmentRequest
from dicom_io.scu import peer
from dicom_io.scu.commitment import InstanceReference, send_report
from gateway import away
from gateway.audit import kinds
from gateway.errors import LostRace
from gateway.ledger import (
    CommitmentItemRecord,
    CommitmentRecord,
    CommitmentState,
    InstanceRecord,
)
from gateway.pausing import pause_before
from gateway.site import Site

logger = logging.getLogger(__name__)

COMMITTED = 0
FAILED, NO_SUCH_INSTANCE = 0x0110, 0x0112
CLASS_CONFLICT, CLASS_NOT_SUPPORTED = 0x0119, 0x0122
"""Failure Reasons (PS3.3 C.14.1.1)."""

_BATCH = 100
_HOLD = timedelta(minutes=5)
"""For how long nobody else works on a request that somebody works on."""

_ANSWERS = {
    ActionStatus.TAKEN: "taken",
    ActionStatus.TOO_MANY: "refused, more instances than commitment.max_references",
    ActionStatus.NOT_AUTHORISED: "refused, no host and port to report to",
    ActionStatus.DUPLICATE_TRANSACTION: "refused, the transaction is known",
}


def take_request(site: Site, request: CommitmentRequest) -> ActionStatus:
    """Make a request durable, or say why it is refused; it is answered after that."""
    now = site.clock()
    with site.ledger.writing() as rows:
        status = _refusal(site, request)
        if status is None:
            references = [
                (each.sop_class_uid, each.sop_instance_uid)
                for each in request.references
            ]
            try:
                rows.add_commitment(
                    request.transaction_uid, request.peer_name, references, now
                )
                status = ActionStatus.TAKEN
            except LostRace:
                status = ActionStatus.DUPLICATE_TRANSACTION
        taken = status is ActionStatus.TAKEN
        entry = kinds.commitment_asked(request, _ANSWERS[status], now, taken=taken)
        rows.append_audit(entry)
    return status


def _refusal(site: Site, request: CommitmentRequest) -> ActionStatus | None:
    if len(request.references) > site.settings.commitment.max_references:
        return ActionStatus.TOO_MANY
    remote = _remote(site, request.peer_name)
    if remote is None or not remote.port:
        return ActionStatus.NOT_AUTHORISED
    return None


def work(site: Site) -> int:
    """Decide and report what is due, each node apart; return how many were due."""
    with site.ledger.reading() as rows:
        due = rows.commitments_due(site.clock(), _BATCH)
    by_peer: dict[str, list[CommitmentRecord]] = {}
    for record in due:
        by_peer.setdefault(record.peer, []).append(record)
    site.couriers.run(
        {
            ("commit", name): partial(_work_for, site, records)
            for name, records in by_peer.items()
        }
    )
    return len(due)


def _work_for(site: Site, records: Sequence[CommitmentRecord]) -> None:
    for record in records:
        with site.ledger.writing() as rows:
            if not rows.claim_commitment(record, site.clock() + _HOLD):
                continue
        if record.state is CommitmentState.ASKED:
            _decide(site, record)
        else:
            _report(site, record)


def _decide(site: Site, record: CommitmentRecord) -> None:
    """Decide what can be decided; once everything is, it never changes."""
    with site.ledger.reading() as rows:
        items = rows.commitment_items(record.id)
        held = {item.position: rows.instance(item.sop_instance_uid) for item in items}
    open_items = [item for item in items if item.reason is None]
    reasons = {
        item.position: reason
        for item in open_items
        if (reason := _reason_at_once(item, held[item.position])) is not None
    }
    rest = {
        item.position: instance
        for item in open_items
        if item.position not in reasons
        and (instance := held[item.position]) is not None
    }
    here = site.settings.commitment.keeper == "here"
    if here:
        reasons |= {at: _reason_here(site, each) for at, each in rest.items()}
    else:
        reasons |= _reasons_of_archive(site, record, rest)
    _keep_decision(site, record, reasons, held if here else {}, len(open_items))


def _reason_at_once(
    item: CommitmentItemRecord, instance: InstanceRecord | None
) -> int | None:
    """Say why we cannot commit to an instance, whoever keeps it; None: we may."""
    if item.sop_class_uid not in STORAGE_CLASSES:
        return CLASS_NOT_SUPPORTED
    if instance is None:
        return NO_SUCH_INSTANCE
    if instance.sop_class_uid != item.sop_class_uid:
        return CLASS_CONFLICT
    return None


def _reason_here(site: Site, instance: InstanceRecord) -> int:
    """Compare our bytes with their digest now."""
    sound = site.spool.is_sound(instance.file_name, instance.size, instance.digest)
    if not sound:
        logger.error("instance %s is damaged here", instance.sop_instance_uid)
    return COMMITTED if sound else FAILED


def _reasons_of_archive(
    site: Site, record: CommitmentRecord, instances: Mapping[int, InstanceRecord]
) -> dict[int, int]:
    """Ask the archive; what it may still come to hold or to say is left open."""
    archive = site.settings.archive_ae()
    if archive is None or not instances:
        return {}
    age = site.clock() - record.received_at
    is_last = age >= timedelta(seconds=site.settings.commitment.decide_seconds)
    series = {(i.study_instance_uid, i.series_instance_uid) for i in instances.values()}
    found: set[str] = set()
    try:
        with away.asking(site, archive.name):
            for study_uid, series_uid in sorted(series):
                found |= peer.find_instances(site.local, archive, study_uid, series_uid)
    except PeerFailure as error:
        logger.warning("transaction %s: %s", record.transaction_uid, error)
        return dict.fromkeys(instances, FAILED) if is_last else {}
    return {
        position: COMMITTED if each.sop_instance_uid in found else NO_SUCH_INSTANCE
        for position, each in instances.items()
        if is_last or each.sop_instance_uid in found
    }


def _keep_decision(
    site: Site,
    record: CommitmentRecord,
    reasons: Mapping[int, int],
    kept: Mapping[int, InstanceRecord | None],
    undecided: int,
) -> None:
    """Write down what was decided.

    What we keep ourselves is looked up again in this transaction: after it the purge
    leaves it alone, and before it the purge may have been faster.
    """
    now = site.clock()
    with site.ledger.writing() as rows:
        gone = {
            position: NO_SUCH_INSTANCE
            for position in reasons.keys() & kept.keys()
            if reasons[position] == COMMITTED
            and rows.instance(_uid_of(kept[position])) != kept[position]
        }
        rows.decide_items(record.id, {**reasons, **gone}, kept_here=bool(kept))
        if len(reasons) == undecided:
            rows.set_commitment(record.id, CommitmentState.DECIDED, now)
            return
        rows.set_commitment(
            record.id,
            CommitmentState.ASKED,
            now + _pause(site, record.attempts),
            attempts=record.attempts + 1,
            detail=f"{undecided - len(reasons)} instances are not decided",
        )


def _uid_of(instance: InstanceRecord | None) -> str:
    return "" if instance is None else instance.sop_instance_uid


def _report(site: Site, record: CommitmentRecord) -> None:
    """Tell the node; where it does not take it, later again for days."""
    with site.ledger.reading() as rows:
        items = rows.commitment_items(record.id)
    remote = _remote(site, record.peer)
    if remote is None or not remote.port:
        _put_off(site, record, f"{record.peer} left the settings, or has no port")
        return
    try:
        with away.asking(site, remote.name):
            _send(site, remote, record, items)
    except PeerFailure as error:
        _put_off(site, record, str(error))
        return
    now = site.clock()
    with site.ledger.writing() as rows:
        rows.set_commitment(record.id, CommitmentState.REPORTED, now)
        entry = kinds.commitment_given(record.transaction_uid, record.peer, items, now)
        rows.append_audit(entry)


def _send(
    site: Site,
    remote: RemoteAE,
    record: CommitmentRecord,
    items: Sequence[CommitmentItemRecord],
) -> None:
    named = [
        (
            InstanceReference(
                sop_class_uid=item.sop_class_uid, sop_instance_uid=item.sop_instance_uid
            ),
            item.reason or COMMITTED,
        )
        for item in items
    ]
    send_report(
        site.local,
        remote,
        record.transaction_uid,
        [reference for reference, reason in named if not reason],
        [(reference, reason) for reference, reason in named if reason],
    )


def _put_off(site: Site, record: CommitmentRecord, why: str) -> None:
    now = site.clock()
    age = now - record.received_at
    gives_up = age > timedelta(days=site.settings.delivery.give_up_days)
    with site.ledger.writing() as rows:
        rows.set_commitment(
            record.id,
            CommitmentState.GIVEN_UP if gives_up else CommitmentState.DECIDED,
            now if gives_up else now + _pause(site, record.attempts),
            attempts=record.attempts + 1,
            detail=why,
        )
        if gives_up:
            uid = record.transaction_uid
            entry = kinds.commitment_undelivered(uid, record.peer, why, now)
            rows.append_audit(entry)


def _remote(site: Site, name: str) -> RemoteAE | None:
    known = site.settings.peers.get(name)
    return None if known is None else known.remote(name)


def _pause(site: Site, attempts: int) -> timedelta:
    wanted = site.settings.delivery
    return pause_before(attempts, wanted.first_pause_seconds, wanted.max_pause_seconds)
