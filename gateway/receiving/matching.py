"""Why is an instance here? Deliveries are matched to what we asked for.

An archive may send what we asked it to move from another AE, another host, in
several associations, and after its answer; it may name as the Move Originator us,
itself, or nobody. What tells the answer to an open request is thus the study. What
answers none, and yet looks like a delivery, is set aside: it must never be read as a
new study (docs/decisions/0016).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dicom_io.contexts import FILM_CLASSES, FRAMES_CLASSES
from dicom_io.header import Instance
from dicom_io.product import PRODUCT_NAME
from dicom_io.sink import StoreFacts
from gateway.ledger import RetrievalRecord, Role, Writing
from gateway.receiving.admitting import asked_by_campaign

IMAGE_CLASSES = frozenset(FILM_CLASSES + FRAMES_CLASSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """A delivery that answers no open request; `reason` says how that is known."""

    reason: str


RoleRule = Callable[[Writing, StoreFacts, Instance, datetime], Role | Unmatched | None]
"""Decides why an instance is here; None: it was not asked for and is not kept."""


def role_of_sent(
    rows: Writing, facts: StoreFacts, header: Instance, now: datetime
) -> Role | Unmatched:
    """Decide for what a peer sends to our listener.

    Answers to our own retrievals, our own outputs and documents never open a study,
    but for what a campaign had asked for.
    """
    if rows.is_own_result(header.sop_instance_uid):
        return Role.OWN
    if asked_by_campaign(rows, facts, header.study_instance_uid, now) is not None:
        return _role_to_be_read(header)
    retrievals = rows.recent_retrievals(header.study_instance_uid, now)
    if not all(each.closed for each in retrievals):
        return Role.RETRIEVED
    if retrievals and _is_answer(facts, retrievals[0]):
        return Unmatched(reason="it came after its retrieval had ended")
    if facts.is_move_delivery:
        return Unmatched(reason="no retrieval of ours waits for it")
    return _role_to_be_read(header)


def role_of_retrieved(
    rows: Writing, facts: StoreFacts, header: Instance, now: datetime
) -> Role | None:
    """Decide for what a C-GET of ours brings, on our own association."""
    _ = facts
    if rows.is_own_result(header.sop_instance_uid):
        return Role.OWN
    waiting = rows.open_retrieval(header.study_instance_uid, now)
    return Role.RETRIEVED if waiting else None


def _role_to_be_read(header: Instance) -> Role:
    return Role.CURRENT if _is_picture(header) else Role.DOCUMENT


def _is_answer(facts: StoreFacts, asked: RetrievalRecord) -> bool:
    """Whether an instance is of the peer that was asked lately, or of a move.

    What others send without a Move Originator is sent to be read.
    """
    is_of_peer = facts.peer is not None and facts.peer.name == asked.peer
    return is_of_peer or facts.move_originator is not None


def _is_picture(header: Instance) -> bool:
    """Whether the instance is an image that no installation of this gateway made."""
    made_here = header.model_name == PRODUCT_NAME
    return header.sop_class_uid in IMAGE_CLASSES and not made_here
