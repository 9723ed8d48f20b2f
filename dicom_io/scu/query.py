"""C-ECHO and C-FIND as user (PS3.4 Annexes A and C); `retrieve` fetches.

What is asked and how answers are read stands in `answers`; here is the wire.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.contexts import message_context
from dicom_io.errors import PeerTimedOut
from dicom_io.identifiers import StudyAnswer, StudyQuery
from dicom_io.scu.answers import (
    count_identifier,
    count_of,
    image_identifier,
    series_identifier,
    study_answer,
    study_identifier,
    text_of,
)
from dicom_io.scu.association import (
    PENDING,
    Proposal,
    answered_code,
    associated,
    require_context,
    require_success,
)
from dicom_io.uid import is_uid

_FIND = StudyRootQueryRetrieveInformationModelFind

_INSTANCES_CAP = 10_000
"""Answers of one series that are read at most: a C-FIND need not end by itself."""


def echo(local: LocalAE, remote: RemoteAE) -> None:
    """Verify that `remote` answers; raises a PeerFailure kind where it does not."""
    proposal = Proposal(contexts=[message_context(Verification)])
    with associated(local, remote, proposal) as assoc:
        require_context(assoc, Verification, remote)
        require_success(assoc.send_c_echo(), remote, "C-ECHO")


def find_studies(
    local: LocalAE, remote: RemoteAE, query: StudyQuery, limit: int = 500
) -> list[StudyAnswer]:
    """List what `remote` says of one patient's studies, at most `limit`.

    The answers are not to be trusted: filter them by patient again. Raises
    ValueError before anything is sent where the query is not about one patient,
    and the PeerFailure kinds.
    """
    identifier = study_identifier(query)
    with _query(local, remote) as find:
        answers = (study_answer(each) for each in find(identifier, limit))
        return [each for each in answers if each is not None]


def count_instances(
    local: LocalAE, remote: RemoteAE, study_instance_uid: str
) -> int | None:
    """Return how many instances of a study `remote` holds.

    0 where it knows no such study; None where it does not say.
    """
    identifier = count_identifier(study_instance_uid)
    with _query(local, remote) as find:
        answers = find(identifier, 2)
    if not answers:
        return 0
    matching = [
        each
        for each in answers
        if text_of(each, "StudyInstanceUID") in (study_instance_uid, None)
    ]
    return count_of(matching[0]) if matching else None


def find_instances(
    local: LocalAE,
    remote: RemoteAE,
    study_instance_uid: str,
    series_instance_uid: str | None = None,
) -> frozenset[str]:
    """Return the SOP Instance UIDs of a study, or of one of its series.

    Goes down the levels one by one, as an archive without relational queries
    demands (PS3.4 C.4.1.2.1).
    """
    with _query(local, remote) as find:
        if series_instance_uid is None:
            answers = find(series_identifier(study_instance_uid), _INSTANCES_CAP)
            series = _texts(answers, "SeriesInstanceUID")
        else:
            series = [series_instance_uid]
        asked = (image_identifier(study_instance_uid, each) for each in series)
        found = [answer for each in asked for answer in find(each, _INSTANCES_CAP)]
    return frozenset(_texts(found, "SOPInstanceUID"))


Find = Callable[[Dataset, int], list[Dataset]]


@contextmanager
def _query(local: LocalAE, remote: RemoteAE) -> Iterator[Find]:
    """Open an association for C-FIND requests, one after the other."""
    with associated(
        local, remote, Proposal(contexts=[message_context(_FIND)])
    ) as assoc:
        require_context(assoc, _FIND, remote)
        yield lambda identifier, limit: _found(assoc, remote, identifier, limit)


def _found(
    assoc: Association, remote: RemoteAE, identifier: Dataset, limit: int
) -> list[Dataset]:
    """Collect answers until the last, the limit, or the deadline."""
    answers: list[Dataset] = []
    end = time.monotonic() + remote.deadline_seconds
    for status, answer in assoc.send_c_find(identifier, _FIND):
        if answered_code(status, remote, "C-FIND") not in PENDING:
            require_success(status, remote, "C-FIND")
            return answers
        answers += [] if answer is None else [answer]
        if len(answers) >= limit:
            return _cancelled(assoc, answers)
        if time.monotonic() > end:
            break
    raise PeerTimedOut(f"{remote.name} did not end its answers to the C-FIND")


def _cancelled(assoc: Association, answers: list[Dataset]) -> list[Dataset]:
    """Stop a peer that has more to say; what it still sends is not awaited."""
    assoc.send_c_cancel(1, query_model=_FIND)
    assoc.abort()
    return answers


def _texts(answers: Iterable[Dataset], keyword: str) -> list[str]:
    """List the UIDs that were answered, without what breaks their grammar."""
    texts = (text_of(each, keyword) for each in answers)
    return [text for text in texts if text is not None and is_uid(text)]
