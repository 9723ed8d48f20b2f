"""Storage Commitment Push Model as user (PS3.4 Annex J)."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.contexts import message_context
from dicom_io.errors import Unreadable
from dicom_io.scp.intake import guarded
from dicom_io.scu.association import (
    Proposal,
    associated,
    require_context,
    require_success,
)
from dicom_io.status import Status

_REQUEST_COMMITMENT = 1
"""Action Type ID (PS3.4 J.3.2)."""

_PROCESSING_FAILURE = 0x0110
"""Failure Reason of an item that names none (PS3.3 C.14.1.1)."""


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

    def wait(self, seconds: float) -> bool:
        """Wait until our report is answered; returns whether it came."""
        self._answered.wait(seconds)
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
) -> bool:
    """Ask `remote` to take responsibility for instances.

    `take` gets every report that comes while the association is open, of other
    transactions too, on the association's thread; when it raises, the peer is
    answered with a failure. Returns whether the report of this transaction came
    and was taken, which ends the wait; otherwise it will come to our listener.
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
        answer, _ = assoc.send_n_action(
            _action_information(references, transaction_uid),
            _REQUEST_COMMITMENT,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        require_success(answer, remote, "commitment request")
        return awaited.wait(wait_seconds)


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
