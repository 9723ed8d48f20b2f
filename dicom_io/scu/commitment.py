"""Storage Commitment Push Model as user (PS3.4 Annex J)."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT, DimseServiceType
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    uid_to_service_class,
)

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.contexts import message_context, scp_roles
from dicom_io.errors import Unreadable
from dicom_io.malformed import MALFORMED
from dicom_io.scp.intake import guarded
from dicom_io.scu.association import (
    Proposal,
    associated,
    require_context,
    require_success,
)
from dicom_io.status import Status

_Message: TypeAlias = "tuple[int | None, DimseServiceType | None]"
"""Context ID and message, as pynetdicom hands them out."""

_REQUEST_COMMITMENT = 1
"""Action Type ID (PS3.4 J.3.2)."""

_PROCESSING_FAILURE = 0x0110
"""Failure Reason of an item that names none (PS3.3 C.14.1.1)."""

_GLANCE_SECONDS = 0.1

_ALL_COMMITTED, _SOME_FAILED = 1, 2
"""Event Type ID (PS3.4 table J.3-2)."""


class Remedy(Enum):
    """What helps where an archive did not commit to an instance."""

    SEND_AGAIN = "it does not hold it"
    ASK_AGAIN = "it could not say, or not now"
    ASK_OTHERWISE = "it never commits to this class"
    GIVE_UP = "it holds something else under this UID"


_REMEDIES = {
    0x0110: Remedy.ASK_AGAIN,
    0x0112: Remedy.SEND_AGAIN,
    0x0119: Remedy.GIVE_UP,
    0x0122: Remedy.ASK_OTHERWISE,
    0x0131: Remedy.ASK_AGAIN,
    0x0213: Remedy.ASK_AGAIN,
}
"""By Failure Reason (0008,1197), PS3.3 C.14.1.1: processing failure, no such object
instance, class and instance in conflict, class not supported, duplicate transaction
UID (a new request has a new one), resource limitation."""


def remedy_of(failure_reason: int) -> Remedy:
    """Return what helps; a reason that no table names is taken for a loss."""
    return _REMEDIES.get(failure_reason, Remedy.SEND_AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReference:
    """An instance by class and UID."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentReport:
    """What an archive answered to a commitment request (PS3.4 J.3.3).

    `failed` holds (SOP Instance UID, Failure Reason (0008,1197)). `peer_title` is
    the title that the reporting node calls itself, `peer_name` the name under
    which the site wrote it down; None: it did not.
    """

    transaction_uid: str
    committed: frozenset[str]
    failed: tuple[tuple[str, int], ...]
    peer_title: str
    peer_address: str
    peer_name: str | None = None


class _Awaited:
    """The reports of one association, and the one that is waited for."""

    def __init__(
        self,
        transaction_uid: str,
        remote: RemoteAE,
        take: Callable[[CommitmentReport], None],
    ) -> None:
        self._transaction_uid = transaction_uid
        self._remote = remote
        self._take = take
        self._came = threading.Event()
        self._answered = threading.Event()

    def reported(self, event: Event) -> tuple[int, None]:
        """Hand a report on; only one that was taken is answered with success."""
        taken = guarded(lambda: self._taken(event), "commitment report")
        if isinstance(taken, Status):
            return int(Status.PROCESSING_FAILURE), None
        if taken == self._transaction_uid:
            self._came.set()
        return int(Status.SUCCESS), None

    def sent(self, _event: Event) -> None:
        """Note that what followed our report has gone out: its answer."""
        if self._came.is_set():
            self._answered.set()

    def wait(self, seconds: float, is_over: Callable[[], bool]) -> bool:
        """Wait until our report is answered, or it is over; returns whether it came."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._answered.wait(min(left, _GLANCE_SECONDS)) or is_over():
                break
        return self._came.is_set()

    def _taken(self, event: Event) -> str:
        report = report_of(event, self._remote.title, self._remote)
        self._take(report)
        return report.transaction_uid


def request_commitment(  # noqa: PLR0913 - the request, then what becomes of reports
    local: LocalAE,
    remote: RemoteAE,
    references: Sequence[InstanceReference],
    transaction_uid: str,
    take: Callable[[CommitmentReport], None],
    *,
    wait_seconds: float = 3.0,
    is_over: Callable[[], bool] = lambda: False,
) -> bool:
    """Ask `remote` to take responsibility for instances.

    `take` gets every report that comes while the association is open, of other
    transactions too, on the association's thread; when it raises, the peer is
    answered with a failure. Returns whether the report of this transaction came
    and was taken, which ends the wait; otherwise it will come to our listener.
    `is_over` is asked a few times a second whether it has come there already.
    Raises PeerRefused where the peer offers no commitment, and the other
    PeerFailure kinds.
    """
    awaited = _Awaited(transaction_uid, remote, take)
    proposal = Proposal(
        contexts=[message_context(StorageCommitmentPushModel)],
        handlers=[
            (evt.EVT_N_EVENT_REPORT, awaited.reported),
            (evt.EVT_PDU_SENT, awaited.sent),
        ],
    )
    with associated(local, remote, proposal) as assoc:
        require_context(assoc, StorageCommitmentPushModel, remote)
        _serve_while_asking(assoc)
        answer, _ = assoc.send_n_action(
            _action_information(references, transaction_uid),
            _REQUEST_COMMITMENT,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        require_success(answer, remote, "commitment request")
        return awaited.wait(wait_seconds, is_over)


def _serve_while_asking(assoc: Association) -> None:
    """Serve a report that overtakes the response to our request.

    pynetdicom takes whatever comes next for the response, and aborts where it is
    none; an archive may report before it answers.
    """
    take = assoc.dimse.get_msg
    contexts = {each.context_id: each for each in assoc.accepted_contexts}
    service = uid_to_service_class(StorageCommitmentPushModel)(assoc)

    def get(block: bool = False) -> _Message:  # noqa: FBT001, FBT002 - as the library
        context_id, message = take(block)
        while block and _is_report(message) and context_id in contexts:
            service.SCP(message, contexts[context_id])
            context_id, message = take(block)
        return context_id, message

    assoc.dimse.get_msg = get  # type: ignore[method-assign, assignment]


def _is_report(message: "DimseServiceType | None") -> bool:
    return isinstance(message, N_EVENT_REPORT) and message.is_valid_request


def send_report(
    local: LocalAE,
    remote: RemoteAE,
    transaction_uid: str,
    committed: Sequence[InstanceReference],
    failed: Sequence[tuple[InstanceReference, int]],
) -> None:
    """Tell a node what we commit to, and to what we do not (PS3.4 J.3.3).

    On an association of our own, in the role of the SCP. `failed` has the Failure
    Reasons. Raises a PeerFailure kind unless the node says that it took it.
    """
    report = Dataset()
    report.TransactionUID = UID(transaction_uid)
    if committed:
        report.ReferencedSOPSequence = [_item(each) for each in committed]
    if failed:
        report.FailedSOPSequence = [_failed_item(*each) for each in failed]
    proposal = Proposal(
        contexts=[message_context(StorageCommitmentPushModel)],
        roles=scp_roles([StorageCommitmentPushModel]),
    )
    with associated(local, remote, proposal) as assoc:
        require_context(assoc, StorageCommitmentPushModel, remote)
        answer, _ = assoc.send_n_event_report(
            report,
            _SOME_FAILED if failed else _ALL_COMMITTED,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        require_success(answer, remote, "commitment report")


def _failed_item(reference: InstanceReference, reason: int) -> Dataset:
    item = _item(reference)
    item.FailureReason = reason
    return item


def _action_information(
    references: Sequence[InstanceReference], transaction_uid: str
) -> Dataset:
    information = Dataset()
    information.TransactionUID = UID(transaction_uid)
    information.ReferencedSOPSequence = [_item(each) for each in references]
    return information


def _item(reference: InstanceReference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = UID(reference.sop_class_uid)
    item.ReferencedSOPInstanceUID = UID(reference.sop_instance_uid)
    return item


def report_of(event: Event, title: str, peer: RemoteAE | None) -> CommitmentReport:
    """Read an N-EVENT-REPORT; raises Unreadable where it is not a commitment's.

    `title` and `peer` are who speaks on the association, as its owner found. An
    instance that is named on both sides counts as failed.
    """
    try:
        return _report_of(event, title, peer)
    except MALFORMED as error:
        detail = f"commitment report: {type(error).__name__}"
        raise Unreadable(detail) from error


def _report_of(event: Event, title: str, peer: RemoteAE | None) -> CommitmentReport:
    information = event.event_information
    if "TransactionUID" not in information:
        raise Unreadable("commitment report without a Transaction UID")
    failed = {
        str(item.get("ReferencedSOPInstanceUID", "")): int(
            item.get("FailureReason") or _PROCESSING_FAILURE
        )
        for item in information.get("FailedSOPSequence") or ()
    }
    named = {
        str(item.get("ReferencedSOPInstanceUID", ""))
        for item in information.get("ReferencedSOPSequence") or ()
    }
    return CommitmentReport(
        transaction_uid=str(information.TransactionUID),
        committed=frozenset(named - failed.keys() - {""}),
        failed=tuple(sorted(failed.items())),
        peer_title=title,
        peer_address=str(event.assoc.remote["address"]),
        peer_name=None if peer is None else peer.name,
    )
