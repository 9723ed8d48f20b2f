"""Audit messages about other nodes: who is silent, and what we commit to for them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from dicom_io.scp.commitment import CommitmentRequest
from gateway.audit import codes, parts
from gateway.audit.message import (
    Action,
    AuditEntry,
    ObjectRole,
    Outcome,
    ParticipantObject,
)
from gateway.audit.parts import Happening
from gateway.ledger.records import CommitmentItemRecord
from gateway.people import Decider


def peer_silent(peer: str, failures: int, since: datetime, now: datetime) -> AuditEntry:
    """Record that a node does not answer and is left alone (PS3.15 A.5.3.11)."""
    detail = (
        f"{peer} does not answer, {failures} times in a row since {since:%F %T} UTC"
    )
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.PEER_SILENT,
        action=Action.EXECUTE,
        at=now,
        outcome=Outcome.SERIOUS_FAILURE,
        detail=detail,
    )
    return _alert(what, peer)


def peer_answers(peer: str, since: datetime, now: datetime) -> AuditEntry:
    """Record that a node answers again which was said to be silent."""
    what = Happening(
        event=codes.SECURITY_ALERT,
        event_type=codes.PEER_ANSWERS,
        action=Action.EXECUTE,
        at=now,
        detail=f"{peer} answers again; it was silent since {since:%F %T} UTC",
    )
    return _alert(what, peer)


def results_resent(
    study_instance_uid: str,
    destinations: Iterable[str],
    count: int,
    by: Decider,
    now: datetime,
) -> AuditEntry:
    """Record that a person had refused results of a study sent again."""
    names = ", ".join(sorted(set(destinations)))
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.RESEND_DECIDED,
        action=Action.UPDATE,
        at=now,
        detail=f"{count} refused results to {names} are sent again by {by}: {by.why}",
    )
    return parts.record(
        what,
        [*parts.deciders(by), parts.application(is_requestor=False)],
        [parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def commitment_asked(
    request: CommitmentRequest, answer: str, now: datetime, *, taken: bool
) -> AuditEntry:
    """Record a request for commitment, and what was answered to it."""
    count = len(request.references)
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.COMMITMENT_ASKED,
        action=Action.READ,
        at=now,
        outcome=Outcome.SUCCESS if taken else Outcome.MINOR_FAILURE,
        detail=f"transaction {request.transaction_uid}, {count} instances: {answer}",
    )
    asking = parts.node(request.peer_title, request.peer_address, is_requestor=True)
    return parts.record(
        what,
        [asking, parts.gateway(is_requestor=False)],
        [_instances(request.transaction_uid, request.class_uids)],
    )


def commitment_given(
    transaction_uid: str,
    peer: str,
    items: Sequence[CommitmentItemRecord],
    now: datetime,
) -> AuditEntry:
    """Record what a node was told that we commit to, and to what we do not."""
    failed = Counter(item.reason for item in items if item.reason)
    told = "".join(f", {count} with {code:04X}" for code, count in failed.items())
    committed = len(items) - failed.total()
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.COMMITMENT_GIVEN,
        action=Action.READ,
        at=now,
        outcome=Outcome.MINOR_FAILURE if failed else Outcome.SUCCESS,
        detail=f"transaction {transaction_uid}: {committed} committed, "
        f"{failed.total()} failed{told}; {peer} took the report",
    )
    return parts.record(
        what,
        [
            parts.gateway(is_requestor=True),
            parts.node(peer, None, is_requestor=False),
        ],
        [_instances(transaction_uid, [item.sop_class_uid for item in items])],
    )


def commitment_undelivered(
    transaction_uid: str, peer: str, why: str, now: datetime
) -> AuditEntry:
    """Record that a node took no report for as long as it was tried."""
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.COMMITMENT_GIVEN,
        action=Action.READ,
        at=now,
        outcome=Outcome.SERIOUS_FAILURE,
        detail=f"transaction {transaction_uid}: {peer} took no report: {why}",
    )
    return parts.record(
        what,
        [
            parts.gateway(is_requestor=True),
            parts.node(peer, None, is_requestor=False),
        ],
    )


def _alert(what: Happening, peer: str) -> AuditEntry:
    return parts.record(
        what,
        [parts.application(is_requestor=True)],
        [parts.alert_subject(peer, what.detail or "")],
    )


def _instances(transaction_uid: str, class_uids: Iterable[str]) -> ParticipantObject:
    """Return what a transaction is about; its studies are not named in it."""
    return ParticipantObject(
        object_id=transaction_uid,
        id_type=codes.URI,
        role=ObjectRole.SECURITY_RESOURCE,
        sop_classes=tuple(sorted(Counter(class_uids).items())),
    )
