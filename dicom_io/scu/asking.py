"""One C-FIND request on the wire: its answers up to the end, a limit or the deadline.

An archive may stop early, go on without end, or fall silent. What it has said by
then is kept, and said to be incomplete.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom.association import Association

from dicom_io.ae import RemoteAE
from dicom_io.errors import PeerTimedOut
from dicom_io.scu.association import PENDING, require_success
from dicom_io.status import Status

Responses = Iterator[tuple[Dataset, Dataset | None]]

GRACE_SECONDS = 0.5
"""What a peer has to end its answers after a C-CANCEL; then it is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A C-FIND request.

    `model` is its SOP class, `limit` the answers that are read at most, `what` its
    name for people. No two requests of an association have one `message_id`.
    """

    identifier: Dataset
    model: str
    limit: int
    message_id: int = 1
    what: str = "C-FIND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was answered; `cut` says why there may be more, None: that is all."""

    answers: tuple[Dataset, ...]
    cut: str | None = None


def ask(assoc: Association, remote: RemoteAE, question: Question) -> Found:
    """Send a request and collect its answers.

    Raises PeerTimedOut where none came within the deadline, and what
    `require_success` raises where the peer refused before it answered anything.
    """
    answers: list[Dataset] = []
    end = time.monotonic() + remote.deadline_seconds
    assoc.dimse_timeout = remote.deadline_seconds
    responses = assoc.send_c_find(
        question.identifier, question.model, msg_id=question.message_id
    )
    for status, answer in responses:
        left = end - time.monotonic()
        if status.get("Status") not in PENDING:
            return _ended(status, answers, remote, question)
        answers += [] if answer is None else [answer]
        if len(answers) >= question.limit or left <= 0:
            stop(assoc, question.model, question.message_id, responses)
            break
        assoc.dimse_timeout = left + GRACE_SECONDS
    return _unended(answers, remote, question)


def stop(assoc: Association, model: str, message_id: int, responses: Responses) -> None:
    """Send a C-CANCEL (PS3.7 9.3.2.3); a peer that goes on is cut off."""
    assoc.send_c_cancel(message_id, query_model=model)
    assoc.dimse_timeout = GRACE_SECONDS
    end = time.monotonic() + GRACE_SECONDS
    for status, _ in responses:
        if status.get("Status") not in PENDING:
            return
        if time.monotonic() > end:
            break
    assoc.abort()


def _ended(
    status: Dataset, answers: list[Dataset], remote: RemoteAE, question: Question
) -> Found:
    """Judge the last response; it may end in a failure what began well."""
    code = status.get("Status")
    if code == Status.SUCCESS:
        return Found(answers=tuple(answers))
    if not answers:
        _raise_unless_warned(status, remote, question)
    said = "fell silent" if code is None else f"ended with {int(code):#06x}"
    cut = f"{remote.name} {said} after {len(answers)} answers: there may be more"
    return Found(answers=tuple(answers), cut=cut)


def _raise_unless_warned(status: Dataset, remote: RemoteAE, question: Question) -> None:
    if "Status" not in status:
        raise PeerTimedOut(f"{remote.name} did not answer the {question.what}")
    require_success(status, remote, question.what)


def _unended(answers: list[Dataset], remote: RemoteAE, question: Question) -> Found:
    """Say of answers that were stopped why they were."""
    number = len(answers)
    if not number:
        what = question.what
        raise PeerTimedOut(f"{remote.name} did not end its answers to the {what}")
    if number >= question.limit:
        why = f"names as many as are read, {number}"
    else:
        why = f"did not end its answers in time, {number} were read"
    cut = f"{remote.name} {why}: there may be more"
    return Found(answers=tuple(answers), cut=cut)
