"""Records of the audit as reviewers see them."""

from dataclasses import fields
from datetime import datetime

from gateway.audit import codes, parts
from gateway.audit.message import Action, AuditEntry
from gateway.audit.parts import Happening
from gateway.ledger import AuditRecord
from tests.data.ledgers import IMAGE_CLASS


def kept_of(entry: AuditEntry, sequence: int = 1) -> AuditRecord:
    """Return an entry as the ledger gives it back, its patient left out."""
    values = {field.name: getattr(entry, field.name) for field in fields(entry)}
    return AuditRecord(sequence=sequence, **{**values, "patient": None})


def model_read(study_uid: str, prior_uid: str, now: datetime) -> AuditEntry:
    """Return that a model read a film and a prior film."""
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.REPORT_WRITTEN,
        action=Action.READ,
        at=now,
        detail="maira-2 read it: grounded-findings",
    )
    seen = [
        parts.study(uid, sop_classes=[IMAGE_CLASS], details=(("Model", "maira-2"),))
        for uid in (study_uid, prior_uid)
    ]
    us = parts.application(is_requestor=True)
    return parts.record(what, [us], seen, study_instance_uid=study_uid)


def results_taken(study_uid: str, destination: str, now: datetime) -> AuditEntry:
    """Return that a destination took all results of a study."""
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.RESULTS_SENT,
        action=Action.CREATE,
        at=now,
        detail=f"{destination}: 2 of 2 stored",
    )
    us = parts.gateway(is_requestor=True, role=codes.SOURCE)
    there = parts.node(
        destination, "10.0.0.8", is_requestor=False, role=codes.DESTINATION
    )
    about = [parts.study(study_uid)]
    return parts.record(what, [us, there], about, study_instance_uid=study_uid)
