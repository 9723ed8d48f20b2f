"""Audit messages about instances that cross the network.

Sections are those of PS3.15 A.5.3.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from dicom_io.ae import RemoteAE, WebService
from dicom_io.scp.admission import AssociationFacts
from dicom_io.scp.session import ClassCount
from dicom_io.scu.commitment import CommitmentReport
from dicom_io.scu.send import StoreOutcome
from dicom_io.sink import StoreFacts
from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    ObjectRole,
    Outcome,
    Participant,
    ParticipantObject,
    Patient,
)
from gateway.audit.parts import Happening
from gateway.ledger.records import DeliveryRecord, NewInstance, Role


def instance_received(
    facts: StoreFacts,
    new: NewInstance,
    role: Role,
    now: datetime,
    *,
    patient: Patient | None = None,
) -> AuditEntry:
    """Record an instance that is durable here (PS3.15 A.5.3.7)."""
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        action=Action.CREATE,
        at=now,
        detail=f"{role} instance {new.sop_instance_uid}",
    )
    study = parts.study(new.study_instance_uid, sop_classes=[new.sop_class_uid])
    return parts.record(
        what,
        _receiving(facts),
        [study],
        study_instance_uid=new.study_instance_uid,
        patient=patient,
    )


def instance_quarantined(new: NewInstance, reason: str) -> AuditEntry:
    """Record an instance that is set aside: a contradiction, or asked for by nobody."""
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.INSTANCE_QUARANTINED,
        action=Action.CREATE,
        at=new.received_at,
        outcome=Outcome.SERIOUS_FAILURE,
        detail=f"{reason}: {new.sop_instance_uid}",
    )
    sender = parts.node(new.calling_title, None, is_requestor=True, role=codes.SOURCE)
    study = parts.study(new.study_instance_uid, sop_classes=[new.sop_class_uid])
    return parts.record(
        what,
        [sender, parts.gateway(is_requestor=False, role=codes.DESTINATION)],
        [study],
        study_instance_uid=new.study_instance_uid,
    )


def delivery_refused(facts: StoreFacts, now: datetime) -> AuditEntry:
    """Record an instance of a C-MOVE that nobody here had asked for."""
    reason = "an instance that no retrieval of ours waits for"
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.RESTRICTED_FUNCTION,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.MINOR_FAILURE,
        detail=f"{reason}: {facts.sop_instance_uid}",
    )
    return parts.record(
        what, _receiving(facts), [parts.alert_subject(facts.calling_title, reason)]
    )


def transfer_ended(
    facts: AssociationFacts, counts: Sequence[ClassCount], now: datetime
) -> AuditEntry:
    """Record what an association brought in all."""
    received = sum(count.received for count in counts)
    refused = sum(count.refused for count in counts)
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.TRANSFER_ENDED,
        action=Action.CREATE,
        at=now,
        outcome=Outcome.MINOR_FAILURE if refused else Outcome.SUCCESS,
        detail=f"{facts.association_id}: {received} received, {refused} refused",
    )
    sender = ParticipantObject(
        object_id=facts.calling_title,
        id_type=codes.NODE_ID,
        role=ObjectRole.SECURITY_RESOURCE,
        sop_classes=tuple((count.sop_class_uid, count.received) for count in counts),
    )
    return parts.record(what, _receiving(facts), [sender])


def results_sent(
    study_instance_uid: str,
    remote: RemoteAE,
    outcomes: Sequence[StoreOutcome],
    now: datetime,
) -> AuditEntry:
    """Record what one destination answered for each result."""
    failed = [outcome for outcome in outcomes if not outcome.verdict.is_stored]
    told = "; ".join(f"{o.sop_instance_uid}: {o.detail}" for o in failed)
    count = f"{len(outcomes) - len(failed)} of {len(outcomes)} stored"
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.RESULTS_SENT,
        action=Action.CREATE,
        at=now,
        outcome=Outcome.MINOR_FAILURE if failed else Outcome.SUCCESS,
        detail=f"{remote.name}: {count}. {told}".rstrip(". "),
    )
    return parts.record(
        what,
        _sending(remote),
        [parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def results_read_back(
    study_instance_uid: str,
    remote: RemoteAE,
    owed: Sequence[DeliveryRecord],
    now: datetime,
) -> AuditEntry:
    """Record that results were looked for at their destination by a query."""
    what = Happening(
        event=codes.QUERY,
        event_type=codes.READ_BACK,
        action=Action.EXECUTE,
        at=now,
        detail=f"{remote.name} was asked for {len(owed)} results "
        f"by {remote.query_service}",
    )
    return parts.record(
        what,
        _sending(remote),
        [
            parts.study_query(
                {"StudyInstanceUID": study_instance_uid},
                remote.web if remote.uses_web_for(WebService.QUERY) else None,
            ),
            parts.study(
                study_instance_uid, sop_classes=[row.sop_class_uid for row in owed]
            ),
        ],
        study_instance_uid=study_instance_uid,
    )


def commitment_reported(
    report: CommitmentReport, disbelieved: str | None, now: datetime
) -> AuditEntry:
    """Record a storage commitment result.

    disbelieved : why it changes nothing here; None: results waited for it.
    """
    committed, failed = len(report.committed), len(report.failed)
    known = disbelieved or "awaited"
    told = "".join(
        f", {count} with {code:04X}"
        for code, count in sorted(Counter(dict(report.failed).values()).items())
    )
    good = disbelieved is None and not failed
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.COMMITMENT,
        action=Action.READ,
        at=now,
        outcome=Outcome.SUCCESS if good else Outcome.MINOR_FAILURE,
        detail=f"transaction {report.transaction_uid}, {known}: "
        f"{committed} committed, {failed} failed{told}",
    )
    archive = parts.node(report.peer_title, report.peer_address, is_requestor=True)
    return parts.record(what, [archive, parts.application(is_requestor=False)])


def _receiving(facts: StoreFacts | AssociationFacts) -> list[Participant]:
    """Return who sent to us; for a retrieval of ours the peer is only the source."""
    return [
        parts.node(
            facts.calling_title,
            facts.peer_address,
            is_requestor=True,
            role=codes.SOURCE,
        ),
        parts.gateway(
            is_requestor=False, role=codes.DESTINATION, title=facts.called_title
        ),
        *parts.identified(facts.user),
    ]


def _sending(remote: RemoteAE) -> list[Participant]:
    destination = parts.node(
        remote.title, remote.host, is_requestor=False, role=codes.DESTINATION
    )
    return [parts.gateway(is_requestor=True, role=codes.SOURCE), destination]
