"""Associations that we open: guarded, with a deadline, and always closed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLContext

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.events import Event, InterventionEvent, NotificationEvent
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.errors import (
    IdentifierRefused,
    PeerFailure,
    PeerRefused,
    PeerTimedOut,
    PeerUnreachable,
)
from dicom_io.product import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.scp.guard import GuardedAE, Limits
from dicom_io.status import Status, StoreVerdict, outcome_of
from dicom_io.tls import client_context

Handler = tuple[InterventionEvent | NotificationEvent, Callable[[Event], object]]

PENDING = frozenset({0xFF00, 0xFF01})
"""More answers follow; FF01: an optional key is not supported (PS3.4 C.4.1.1.4)."""

_ACCEPTED = 0
_REJECTED_PERMANENT = 1
"""Result of an association request (PS3.8 7.1.1.7); 2 is transient."""

_REJECTIONS: dict[tuple[int | None, int | None], str] = {
    (1, 2): "it does not know the application context",
    (1, 3): "it does not know our calling AE title",
    (1, 7): "it has another AE title",
    (3, 1): "it is congested",
    (3, 2): "it has no association left",
}
"""(source, reason) of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an association of ours asks for, and who serves what comes back."""

    contexts: Sequence[PresentationContext]
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = ()
    handlers: Sequence[Handler] = ()


@contextmanager
def associated(
    local: LocalAE, remote: RemoteAE, proposal: Proposal
) -> Iterator[Association]:
    """Open an association with `remote` for the length of a with block.

    Released at the end, aborted when the block raises. Raises PeerUnreachable,
    also for an association that the peer ends too early, or PeerRefused where it
    rejects us for good.
    """
    assoc = _requested(local, remote, proposal)
    if not assoc.is_established:
        raise _not_established(assoc, remote)
    try:
        yield assoc
    except RuntimeError as error:
        # What pynetdicom raises when asked to send on an association that is gone.
        assoc.abort()
        raise PeerUnreachable(f"{remote.name} ended the association") from error
    except BaseException:
        assoc.abort()
        raise
    assoc.release()


def _requested(local: LocalAE, remote: RemoteAE, proposal: Proposal) -> Association:
    seconds = remote.deadline_seconds
    limits = Limits(max_pdu_bytes=local.max_pdu_bytes, pdu_deadline_seconds=seconds)
    ae = GuardedAE(local.title, limits)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    try:
        return ae.associate(
            remote.host,
            remote.port,
            list(proposal.contexts),
            remote.title,
            max_pdu=local.max_pdu_bytes,
            ext_neg=list(proposal.roles),
            tls_args=_tls_args(remote),
            evt_handlers=list(proposal.handlers),
        )
    except OSError as error:
        raise PeerUnreachable(f"{remote.name}: {error}") from error


def _tls_args(remote: RemoteAE) -> tuple[SSLContext, str] | None:
    return None if remote.tls is None else (client_context(remote.tls), remote.host)


def _not_established(assoc: Association, remote: RemoteAE) -> PeerFailure:
    where = f"{remote.name} ({remote.title} at {remote.host}:{remote.port})"
    answer = _answer(assoc)
    if answer is not None and answer.result == _ACCEPTED:
        return PeerRefused(f"{where} takes none of the SOP classes proposed")
    if answer is not None:
        key = (answer.result_source, answer.diagnostic)
        why = _REJECTIONS.get(key, f"source {key[0]}, reason {key[1]}")
        kind = PeerRefused if answer.result == _REJECTED_PERMANENT else PeerUnreachable
        return kind(f"{where} rejected the association: {why}")
    return PeerUnreachable(f"{where} did not open an association")


def _answer(assoc: Association) -> A_ASSOCIATE | None:
    """Return what the peer answered to our request.

    A rejection closes the connection; where that was quicker than the library, which
    then takes it for one that never opened, the answer lies unread.
    """
    answer = assoc.acceptor.primitive or assoc.dul.receive_pdu(wait=False)
    return answer if isinstance(answer, A_ASSOCIATE) else None


def has_context(assoc: Association, class_uid: str) -> bool:
    """Whether the peer accepted a context for `class_uid`."""
    return any(each.abstract_syntax == class_uid for each in assoc.accepted_contexts)


def require_context(assoc: Association, class_uid: str, remote: RemoteAE) -> None:
    """Raise PeerRefused where the peer accepted no context for `class_uid`."""
    if not has_context(assoc, class_uid):
        raise PeerRefused(f"{remote.name} does not offer SOP class {class_uid}")


def answered_code(answer: Dataset, remote: RemoteAE, what: str) -> int:
    """Return the status code of a response; raises PeerTimedOut without one."""
    if "Status" not in answer:
        raise PeerTimedOut(f"{remote.name} did not answer the {what}")
    return int(answer.Status)


def require_success(answer: Dataset, remote: RemoteAE, what: str) -> None:
    """Raise unless the response says success or warns."""
    code = answered_code(answer, remote, what)
    verdict = outcome_of(code)
    if verdict.is_stored:
        return
    kind = PeerFailure if verdict is StoreVerdict.TRANSIENT else _refusal(code)
    raise kind(f"{remote.name} answered {code:#06x} to the {what}")


def _refusal(code: int) -> type[PeerRefused]:
    """A900 and Cxxx blame the identifier (PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4)."""
    blamed = code == Status.DATA_SET_MISMATCH or code & 0xF000 == 0xC000
    return IdentifierRefused if blamed else PeerRefused
