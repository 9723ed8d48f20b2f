"""C-ECHO and C-FIND as user (PS3.4 Annexes A and C); `retrieve` fetches.

What is asked and how answers are read stands in `answers`; here is the wire.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pydicom.dataset import Dataset
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.contexts import message_context
from dicom_io.errors import IdentifierRefused, PeerFailure
from dicom_io.identifiers import CohortQuery, StudyAnswers, StudyQuery
from dicom_io.scu.answers import (
    cohort_identifier,
    count_identifier,
    count_of,
    image_identifier,
    in_cohort,
    required_study_identifier,
    series_identifier,
    study_answer,
    study_identifier,
    text_of,
)
from dicom_io.scu.asking import Found, Question, ask
from dicom_io.scu.association import (
    Proposal,
    associated,
    require_context,
    require_success,
)
from dicom_io.scu.reuse import IDLE
from dicom_io.uid import is_uid

_FIND = StudyRootQueryRetrieveInformationModelFind

_INSTANCES_CAP = 10_000
"""Answers of one series that are read at most: a C-FIND need not end by itself."""

Find = Callable[[Dataset, int], Found]
"""Asks on an open association: an identifier, and how many answers are read."""


def echo(local: LocalAE, remote: RemoteAE) -> None:
    """Verify that `remote` answers; raises a PeerFailure kind where it does not."""
    proposal = Proposal(contexts=[message_context(Verification)])
    with associated(local, remote, proposal) as assoc:
        require_context(assoc, Verification, remote)
        require_success(assoc.send_c_echo(), remote, "C-ECHO")


def find_studies(
    local: LocalAE, remote: RemoteAE, query: StudyQuery, limit: int = 500
) -> StudyAnswers:
    """List what `remote` says of one patient's studies, at most `limit`.

    A peer that refuses the optional keys is asked once more for the required ones.
    The answers are not to be trusted: filter them by patient again. Raises
    ValueError before anything is sent where the query is not about one patient,
    and the PeerFailure kinds.
    """
    identifier = study_identifier(query)
    remarks: list[str] = []
    with _query(local, remote) as find:
        try:
            found = find(identifier, limit)
        except IdentifierRefused as error:
            found = find(required_study_identifier(query), limit)
            remarks.append(f"{error}; asked again for the required keys alone")
    studies = (study_answer(each) for each in found.answers)
    return StudyAnswers(
        studies=tuple(each for each in studies if each is not None),
        remarks=(*remarks, *([found.cut] if found.cut else [])),
    )


def find_cohort(
    local: LocalAE, remote: RemoteAE, query: CohortQuery, limit: int = 5000
) -> tuple[str, ...]:
    """Return the studies of one day, each once, as they were answered.

    Raises PeerFailure where there may be more of them than were named: part of a
    cohort is none.
    """
    identifier = cohort_identifier(query)
    with _query(local, remote) as find:
        answers = _every(find(identifier, limit))
    return tuple(dict.fromkeys(u for a in answers if (u := in_cohort(query, a))))


def count_instances(
    local: LocalAE, remote: RemoteAE, study_instance_uid: str
) -> int | None:
    """Return how many instances of a study `remote` holds.

    0 where it knows no such study; None where it does not say.
    """
    identifier = count_identifier(study_instance_uid)
    with _query(local, remote) as find:
        answers = find(identifier, 2).answers
    if not answers:
        return 0
    matching = [
        each
        for each in answers
        if text_of(each, "StudyInstanceUID") in (study_instance_uid, None)
    ]
    return count_of(matching[0]) if matching else None


def find_series(
    local: LocalAE, remote: RemoteAE, study_instance_uid: str
) -> tuple[str, ...]:
    """Return the Series Instance UIDs of a study, as they were answered."""
    with _query(local, remote) as find:
        return _series(find, study_instance_uid)


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
            series = _series(find, study_instance_uid)
        else:
            series = (series_instance_uid,)
        asked = (image_identifier(study_instance_uid, each) for each in series)
        found = [each for i in asked for each in _every(find(i, _INSTANCES_CAP))]
    return frozenset(_texts(found, "SOPInstanceUID"))


def _series(find: Find, study_instance_uid: str) -> tuple[str, ...]:
    answers = _every(find(series_identifier(study_instance_uid), _INSTANCES_CAP))
    return tuple(dict.fromkeys(_texts(answers, "SeriesInstanceUID")))


@contextmanager
def _query(local: LocalAE, remote: RemoteAE) -> Iterator[Find]:
    """Open an association for C-FIND requests, or take the one that is open."""
    proposal = Proposal(contexts=[message_context(_FIND)])
    with IDLE.borrow(local, remote, proposal) as opened:
        require_context(opened.association, _FIND, remote)

        def find(identifier: Dataset, limit: int) -> Found:
            question = Question(
                identifier=identifier,
                model=_FIND,
                limit=limit,
                message_id=opened.next_message_id(),
            )
            return ask(opened.association, remote, question)

        yield find


def _every(found: Found) -> tuple[Dataset, ...]:
    """Return the answers; raises PeerFailure where there may be more."""
    if found.cut is not None:
        raise PeerFailure(found.cut)
    return found.answers


def _texts(answers: Iterable[Dataset], keyword: str) -> list[str]:
    """List the UIDs that were answered, without what breaks their grammar."""
    texts = (text_of(each, keyword) for each in answers)
    return [text for text in texts if text is not None and is_uid(text)]
