"""C-GET and C-MOVE as user (PS3.4 C.4.2, C.4.3)."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicom_io.ae import LocalAE, RemoteAE, Retrieval
from dicom_io.contexts import (
    STORAGE_CLASSES,
    message_context,
    retrieval_contexts,
    scp_roles,
)
from dicom_io.errors import PeerFailure, PeerTimedOut, PeerUnreachable
from dicom_io.scp.intake import IntakeOptions, StoreIntake, StoreRequest, finished
from dicom_io.scu.answers import retrieve_identifier
from dicom_io.scu.association import (
    PENDING,
    Proposal,
    answered_code,
    associated,
    require_context,
    require_success,
)
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.status import Status

_GET = StudyRootQueryRetrieveInformationModelGet
_MOVE = StudyRootQueryRetrieveInformationModelMove


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """How a retrieval ended: its sub-operations.

    service : c-get, c-move or wado-rs.
    """

    service: str
    completed: int
    failed: int
    warning: int
    status: int

    @property
    def is_whole(self) -> bool:
        """Whether every instance that the archive counted came."""
        return self.status == Status.SUCCESS and not self.failed


def retrieve_study(
    local: LocalAE, remote: RemoteAE, study_instance_uid: str, sink: Sink
) -> Retrieved:
    """Fetch a study: by C-GET into `sink`, by C-MOVE to our own listener.

    AUTO asks by C-MOVE where C-GET is not offered, fails, or brings nothing.
    Raises the PeerFailure kinds.
    """
    study = study_instance_uid
    match remote.retrieval:
        case Retrieval.GET:
            return _get(local, remote, study, sink)
        case Retrieval.MOVE:
            return _move(local, remote, study)
        case Retrieval.AUTO:
            return _get_or_move(local, remote, study, sink)


def _get_or_move(local: LocalAE, remote: RemoteAE, study: str, sink: Sink) -> Retrieved:
    try:
        got = _get(local, remote, study, sink)
    except (PeerUnreachable, PeerTimedOut):
        raise
    except PeerFailure:
        return _move(local, remote, study)
    brought_nothing = not (got.completed or got.warning)
    return _move(local, remote, study) if brought_nothing else got


def _get(local: LocalAE, remote: RemoteAE, study: str, sink: Sink) -> Retrieved:
    with _receiving(local, remote, sink) as assoc:
        require_context(assoc, _GET, remote)
        responses = assoc.send_c_get(retrieve_identifier(study), _GET)
        return _retrieved(responses, remote, Retrieval.GET)


def _move(local: LocalAE, remote: RemoteAE, study: str) -> Retrieved:
    proposal = Proposal(contexts=[message_context(_MOVE)])
    with associated(local, remote, proposal) as assoc:
        require_context(assoc, _MOVE, remote)
        identifier = retrieve_identifier(study)
        responses = assoc.send_c_move(identifier, local.title, _MOVE)
        return _retrieved(responses, remote, Retrieval.MOVE)


@contextmanager
def _receiving(local: LocalAE, remote: RemoteAE, sink: Sink) -> Iterator[Association]:
    """Open an association on which `remote` may store into `sink`."""
    proposal = Proposal(
        contexts=[message_context(_GET), *retrieval_contexts()],
        roles=scp_roles(STORAGE_CLASSES),
        handlers=[(evt.EVT_C_STORE, _stored)],
    )
    intakes: list[StoreIntake] = []
    try:
        with associated(local, remote, proposal) as assoc:
            options = _intake_options(local, remote, assoc, sink)
            intakes.append(StoreIntake(assoc, options))
            assoc.dimse = intakes[0]
            yield assoc
    finally:
        # Only now: before, the association's thread may still be writing.
        for intake in intakes:
            intake.drop_streams()


def _stored(event: Event) -> int:
    return int(finished(event))


def _intake_options(
    local: LocalAE, remote: RemoteAE, assoc: Association, sink: Sink
) -> IntakeOptions:
    association_id = uuid4().hex
    address = str(assoc.remote["address"])

    def opened(request: StoreRequest) -> Incoming | Status:
        refusal = request.refusal
        if refusal is not None:
            return refusal
        return sink(
            StoreFacts(
                association_id=association_id,
                calling_title=remote.title,
                called_title=local.title,
                peer_address=address,
                peer=remote,
                sop_class_uid=request.sop_class_uid,
                sop_instance_uid=request.sop_instance_uid,
                transfer_syntax_uid=request.transfer_syntax,
                move_originator=None,
            )
        )

    return IntakeOptions(
        open=opened,
        max_instance_bytes=local.max_instance_bytes,
        deadline_seconds=remote.deadline_seconds,
    )


def _retrieved(
    responses: Iterable[tuple[Dataset, Dataset | None]],
    remote: RemoteAE,
    service: Retrieval,
) -> Retrieved:
    """Follow the sub-operations to the end; one that stands still is given up."""
    what = service.value.upper()
    last, since = (-1, -1, -1), time.monotonic()
    for status, _ in responses:
        code = answered_code(status, remote, what)
        counts = _counts(status)
        if code not in PENDING:
            if not any(counts):
                require_success(status, remote, what)
            return _ended(service, counts, code)
        if counts != last:
            last, since = counts, time.monotonic()
        if time.monotonic() - since > remote.deadline_seconds:
            break
    raise PeerTimedOut(f"{remote.name} did not end the {what}")


def _ended(service: Retrieval, counts: tuple[int, int, int], code: int) -> Retrieved:
    completed, failed, warning = counts
    return Retrieved(
        service=service,
        completed=completed,
        failed=failed,
        warning=warning,
        status=code,
    )


def _counts(status: Dataset) -> tuple[int, int, int]:
    """Return how many sub-operations are completed, failed, with a warning."""
    return (
        int(status.get("NumberOfCompletedSuboperations") or 0),
        int(status.get("NumberOfFailedSuboperations") or 0),
        int(status.get("NumberOfWarningSuboperations") or 0),
    )
