"""Obtain the proof that a destination keeps the results.

Storage commitment (PS3.4 Annex J), its result on the same association or on a
later one to our listener; or a read-back by query where the archive has none. All
destinations are asked side by side, and a turn does not wait for one that hangs.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import partial

from dicom_io.ae import Proof, RemoteAE
from dicom_io.errors import PeerFailure, PeerRefused, PeerUnreachable
from dicom_io.scu import peer
from dicom_io.scu.commitment import (
    InstanceReference,
    request_commitment,
)
from dicom_io.uid import derive_uid
from gateway import away
from gateway.audit import kinds
from gateway.failpoints import pass_failpoint
from gateway.ledger import DeliveryRecord, DeliveryState, StudyRecord
from gateway.lifecycle import Event
from gateway.site import Site
from gateway.stages.delivery import LOOK_AGAIN, read_outbox
from gateway.stages.reported import mark_kept, mark_lost, pause_after, take_report
from gateway.stages.turn import Later, Moved, Outcome


def commit(site: Site, study: StudyRecord) -> Outcome:
    """Ask each destination that still owes a proof; return where the study stands."""
    told = _seek_each(site, study, site.destinations)
    with site.ledger.reading() as rows:
        outbox = read_outbox(site, rows, study)
    return _judge(site, study, outbox, told)


def seek_where_stored(site: Site, study: StudyRecord) -> None:
    """Seek the proof of each destination that has everything already."""
    with site.ledger.reading() as rows:
        outbox = rows.deliveries(study.id, study.revision)
    lacking = {row.destination for row in outbox if row.state is DeliveryState.PENDING}
    _seek_each(site, study, [r for r in site.destinations if r.name not in lacking])


def _seek_each(site: Site, study: StudyRecord, remotes: Collection[RemoteAE]) -> str:
    """Seek the proofs side by side; return why some could not be had, empty: none."""
    keys = {remote: ("prove", study.id, remote.name) for remote in remotes}
    jobs = {keys[remote]: partial(_seek, site, study, remote) for remote in remotes}
    failures = site.couriers.run(jobs)
    told = [failure for failure in failures.values() if failure]
    for remote, key in keys.items():
        if not site.couriers.is_out(key):
            continue
        away.note_slow(site, remote.name, remote.deadline_seconds)
        site.couriers.when_ended(key, partial(away.note_end, site, remote.name))
        told.append(f"{remote.name} has not answered yet")
    return "; ".join(told)


def _seek(site: Site, study: StudyRecord, remote: RemoteAE) -> str | None:
    """Do what one destination's proof needs now; return why it could not be done."""
    with site.ledger.reading() as rows:
        outbox = rows.deliveries(study.id, study.revision, remote.name)
    owed = [row for row in outbox if row.state is DeliveryState.STORED]
    if not owed:
        return None
    if remote.proof is Proof.NONE:
        _mark_all_kept(site, owed, "no proof is asked for")
        return None
    try:
        _ask(site, study, remote, owed)
    except PeerFailure as error:
        return f"{remote.name}: {error}"
    return None


def _ask(
    site: Site, study: StudyRecord, remote: RemoteAE, owed: Sequence[DeliveryRecord]
) -> None:
    """Get the proof in the way of the settings, except what is awaited."""
    now = site.clock()
    owed = [row for row in owed if row.not_before is None or row.not_before <= now]
    if not owed:
        return
    asked = [row for row in owed if row.transaction_uid is not None]
    with away.asking(site, remote.name):
        # Storage commitment has no DICOMweb form that archives know.
        without = bool(asked) or not remote.port
        if remote.proof is Proof.READ_BACK or (without and remote.proof is Proof.AUTO):
            _read_back(site, study, remote, owed)
        else:
            _commit_or_read_back(site, study, remote, owed)


def _commit_or_read_back(
    site: Site, study: StudyRecord, remote: RemoteAE, owed: Sequence[DeliveryRecord]
) -> None:
    try:
        _request(site, study, remote, owed)
    except PeerUnreachable:
        _note_transaction(site, owed, None, 0)  # it never left
        raise
    except PeerRefused:
        if remote.proof is Proof.COMMITMENT:
            raise
        _read_back(site, study, remote, owed)


def _request(
    site: Site, study: StudyRecord, remote: RemoteAE, owed: Sequence[DeliveryRecord]
) -> None:
    """Write the transaction down, then ask; the answer may overtake us."""
    transaction = derive_uid(
        "commitment",
        study.study_instance_uid,
        str(study.revision),
        remote.name,
        site.clock().isoformat(),
    )
    asked = any(row.transaction_uid is not None for row in owed)
    _note_transaction(site, owed, transaction, study.attempts if asked else 0)
    references = [
        InstanceReference(
            sop_class_uid=row.sop_class_uid, sop_instance_uid=row.sop_instance_uid
        )
        for row in owed
    ]
    pass_failpoint("commitment:before")
    request_commitment(
        site.local,
        remote,
        references,
        transaction,
        lambda report: take_report(site, report),
        is_over=partial(_is_answered, site, study, remote, transaction),
    )
    pass_failpoint("commitment:after")


def _is_answered(
    site: Site, study: StudyRecord, remote: RemoteAE, transaction_uid: str
) -> bool:
    """Tell whether the result came to a listener of ours, of any process."""
    with site.ledger.reading() as rows:
        outbox = rows.deliveries(study.id, study.revision, remote.name)
    return not any(
        row.state is DeliveryState.STORED and row.transaction_uid == transaction_uid
        for row in outbox
    )


def _note_transaction(
    site: Site,
    owed: Sequence[DeliveryRecord],
    transaction_uid: str | None,
    requests: int,
) -> None:
    """Keep the transaction and how long its result is awaited.

    A new request makes an old result unknown, so an archive that is slower than
    the wait gets twice the time at each request. Turns in which nothing could be
    asked are no requests.
    """
    now = site.clock()
    wait = timedelta(
        seconds=site.settings.delivery.commitment_wait_seconds * 2 ** min(requests, 10)
    )
    with site.ledger.writing() as rows:
        for row in owed:
            rows.update_delivery(
                row.id,
                state=DeliveryState.STORED,
                now=now,
                transaction_uid=transaction_uid,
                not_before=now + wait if transaction_uid else None,
            )


def _read_back(
    site: Site, study: StudyRecord, remote: RemoteAE, owed: Sequence[DeliveryRecord]
) -> None:
    held = peer.find_instances(site.local, remote, study.study_instance_uid)
    now, service = site.clock(), remote.query_service
    with site.ledger.writing() as rows:
        for row in owed:
            if row.sop_instance_uid in held:
                mark_kept(rows, row, now, f"read back by {service}")
            else:
                mark_lost(site, rows, row, f"not found by {service}")
        entry = kinds.results_read_back(study.study_instance_uid, remote, owed, now)
        rows.append_audit(entry)


def _mark_all_kept(site: Site, owed: Sequence[DeliveryRecord], how: str) -> None:
    with site.ledger.writing() as rows:
        for row in owed:
            mark_kept(rows, row, site.clock(), how)


def _judge(
    site: Site, study: StudyRecord, outbox: Sequence[DeliveryRecord], told: str
) -> Outcome:
    lost = [row for row in outbox if row.state is DeliveryState.PENDING]
    if lost:
        reason = f"{lost[0].destination}: {lost[0].detail}"
        return Moved(event=Event.COMMITMENT_FAILED, reason=reason)
    owed = [row for row in outbox if row.state is DeliveryState.STORED]
    refused = [row for row in outbox if row.state is DeliveryState.REFUSED]
    if refused and not owed:
        reason = f"{refused[0].destination}: {refused[0].detail}"
        return Moved(event=Event.GAVE_UP, reason=reason)
    if not owed:
        return Moved(event=Event.RESULTS_COMMITTED)
    return _wait(site, study, owed, told)


def _wait(
    site: Site, study: StudyRecord, owed: Sequence[DeliveryRecord], told: str
) -> Outcome:
    now, wanted = site.clock(), site.settings.delivery
    is_out = any(
        site.couriers.is_out(("prove", study.id, row.destination)) for row in owed
    )
    if is_out:
        return Later(not_before=now + LOOK_AGAIN, reason=told, attempts=study.attempts)
    if now - study.changed_at > timedelta(days=wanted.give_up_days):
        reason = f"no proof came; {told or 'no answer'}"
        return Moved(event=Event.GAVE_UP, reason=reason)
    if told:
        pause = pause_after(site, study.attempts)
        return Later(not_before=now + pause, reason=told, attempts=study.attempts + 1)
    until = min((row.not_before for row in owed if row.not_before), default=now)
    names = ", ".join(sorted({row.destination for row in owed}))
    reason = f"waits for the commitment of {names}"
    return Later(not_before=until, reason=reason, attempts=study.attempts + 1)
