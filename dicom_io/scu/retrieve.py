"""C-GET and C-MOVE as user (PS3.4 C.4.2, C.4.3): which way, and at which level.

How the sub-operations of one request go on stands in `suboperations`.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from itertools import cycle
from math import inf
from operator import add
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
from dicom_io.errors import (
    IdentifierRefused,
    PeerFailure,
    PeerRefused,
    PeerTimedOut,
    PeerUnreachable,
)
from dicom_io.scp.intake import IntakeOptions, StoreIntake, StoreRequest, finished
from dicom_io.scu.answers import retrieve_identifier
from dicom_io.scu.association import (
    Proposal,
    associated,
    require_context,
)
from dicom_io.scu.query import find_instances, find_series
from dicom_io.scu.suboperations import (
    Errand,
    Level,
    Request,
    Retrieved,
    followed,
)
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.status import Status

_GET = StudyRootQueryRetrieveInformationModelGet
_MOVE = StudyRootQueryRetrieveInformationModelMove


Way = Callable[[Errand, Sequence[Dataset]], Retrieved]


def retrieve_study(
    local: LocalAE,
    remote: RemoteAE,
    study_instance_uid: str,
    sink: Sink,
    seconds: float = inf,
) -> Retrieved:
    """Fetch a study: by C-GET into `sink`, by C-MOVE to our own listener.

    AUTO asks by C-MOVE where C-GET is not offered, fails, or brings nothing. A peer
    that refuses to send a study is asked for its series, then for its instances.
    Ends after `seconds`, however lively the peer is, and where it stands still for
    its deadline. Raises the PeerFailure kinds.
    """
    errand = Errand(
        local=local,
        remote=remote,
        study=study_instance_uid,
        sink=sink,
        ends_at=time.monotonic() + seconds,
    )
    found: Retrieved | IdentifierRefused = _at_level(errand, Level.STUDY)
    for level in (Level.SERIES, Level.IMAGE):
        if not _goes_deeper(found):
            break
        found = _at_level(errand, level, found)
    if isinstance(found, IdentifierRefused):
        raise found
    return found


def _goes_deeper(found: Retrieved | IdentifierRefused) -> bool:
    """Whether a lower level may bring more: refused, or ended with nothing.

    What a C-MOVE sends may still be on its way, whatever its response counts.
    """
    if isinstance(found, IdentifierRefused):
        return True
    return found.service == Retrieval.GET and not (found.sent or found.failed)


def _at_level(
    errand: Errand,
    level: Level,
    before: Retrieved | IdentifierRefused | None = None,
) -> Retrieved | IdentifierRefused:
    """Ask at one level; `before` stands where it names nothing to ask for."""
    identifiers = _identifiers(errand, level)
    if before is not None and not identifiers:
        return before
    try:
        return replace(_WAYS[errand.remote.retrieval](errand, identifiers), level=level)
    except IdentifierRefused as error:
        return error


def _identifiers(errand: Errand, level: Level) -> list[Dataset]:
    """Name what the study consists of at a level, as the archive answers."""
    study, local, remote = errand.study, errand.local, errand.remote
    if level is Level.STUDY:
        return [retrieve_identifier(study)]
    every = find_series(local, remote, study)
    if level is Level.SERIES:
        return [retrieve_identifier(study, series) for series in every]
    return [
        retrieve_identifier(study, series, instance)
        for series in every
        for instance in sorted(find_instances(local, remote, study, series))
    ]


def _get_or_move(errand: Errand, identifiers: Sequence[Dataset]) -> Retrieved:
    try:
        got = _get(errand, identifiers)
    except (PeerUnreachable, PeerTimedOut):
        raise
    except IdentifierRefused as refused:
        return _move_unless_refused(errand, identifiers, refused)
    except PeerFailure:
        return _move(errand, identifiers)
    return got if got.sent else _move(errand, identifiers)


def _move_unless_refused(
    errand: Errand, identifiers: Sequence[Dataset], refused: IdentifierRefused
) -> Retrieved:
    """Ask by C-MOVE too; a peer that has none may yet do with other identifiers."""
    try:
        return _move(errand, identifiers)
    except PeerRefused as error:
        raise refused from error


def _get(errand: Errand, identifiers: Sequence[Dataset]) -> Retrieved:
    with _receiving(errand) as assoc:
        require_context(assoc, _GET, errand.remote)

        def get(identifier: Dataset, number: int) -> Retrieved:
            request = Request(service=Retrieval.GET, model=_GET, message_id=number)
            responses = assoc.send_c_get(identifier, _GET, msg_id=number)
            return followed(assoc, responses, errand, request)

        return _summed(get, identifiers)


def _move(errand: Errand, identifiers: Sequence[Dataset]) -> Retrieved:
    local, remote = errand.local, errand.remote
    proposal = Proposal(contexts=[message_context(_MOVE)])
    with associated(local, remote, proposal) as assoc:
        require_context(assoc, _MOVE, remote)

        def move(identifier: Dataset, number: int) -> Retrieved:
            request = Request(service=Retrieval.MOVE, model=_MOVE, message_id=number)
            responses = assoc.send_c_move(identifier, local.title, _MOVE, msg_id=number)
            return followed(assoc, responses, errand, request)

        return _summed(move, identifiers)


_WAYS: Mapping[Retrieval, Way] = {
    Retrieval.GET: _get,
    Retrieval.MOVE: _move,
    Retrieval.AUTO: _get_or_move,
}


def _summed(
    one: Callable[[Dataset, int], Retrieved], identifiers: Sequence[Dataset]
) -> Retrieved:
    """Fetch one after the other, each under a Message ID of its own."""
    numbers = cycle(range(1, 1 << 16))
    every = [one(*each) for each in zip(identifiers, numbers, strict=False)]
    return reduce(add, every)


@contextmanager
def _receiving(errand: Errand) -> Iterator[Association]:
    """Open an association on which the peer may store into the sink."""
    proposal = Proposal(
        contexts=[message_context(_GET), *retrieval_contexts()],
        roles=scp_roles(STORAGE_CLASSES),
        handlers=[(evt.EVT_C_STORE, lambda event: _stored(event, errand))],
    )
    intakes: list[StoreIntake] = []
    try:
        with associated(errand.local, errand.remote, proposal) as assoc:
            options = _intake_options(errand, assoc)
            intakes.append(StoreIntake(assoc, options))
            assoc.dimse = intakes[0]
            yield assoc
    finally:
        # Only now: before, the association's thread may still be writing.
        for intake in intakes:
            intake.drop_streams()


def _stored(event: Event, errand: Errand) -> int:
    """Finish an instance; when the time is over, end the association with it.

    Between a peer's C-STORE requests nobody else looks at the time.
    """
    status = finished(event)
    if time.monotonic() > errand.ends_at:
        event.assoc.abort(block=False)
    event.assoc.dimse_timeout = min(
        errand.remote.deadline_seconds, errand.wait_seconds()
    )
    return int(status)


def _intake_options(errand: Errand, assoc: Association) -> IntakeOptions:
    local, remote = errand.local, errand.remote
    association_id = uuid4().hex
    address = str(assoc.remote["address"])

    def opened(request: StoreRequest) -> Incoming | Status:
        refusal = request.refusal
        if refusal is not None:
            return refusal
        return errand.sink(
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
