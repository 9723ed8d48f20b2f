"""Storage Commitment Push Model as user (PS3.4 Annex J)."""

from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, Queue

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.association import Proposal, associated, require_context, require_success
from dicom_io.contexts import message_context
from dicom_io.errors import Unreadable
from dicom_io.intake import guarded
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

    `failed` holds (SOP Instance UID, Failure Reason (0008,1197)).
    """

    transaction_uid: str
    committed: frozenset[str]
    failed: tuple[tuple[str, int], ...]
    peer_title: str
    peer_address: str


def request_commitment(
    local: LocalAE,
    remote: RemoteAE,
    references: Sequence[InstanceReference],
    transaction_uid: str,
    wait_seconds: float = 3.0,
) -> CommitmentReport | None:
    """Ask `remote` to take responsibility for instances.

    Returns the report when it comes on the same association within
    `wait_seconds`; None: it will come to our listener. Raises PeerRefused where
    the peer offers no commitment, and the other PeerFailure kinds.
    """
    reports: Queue[CommitmentReport] = Queue()

    def handle(event: Event) -> tuple[int, None]:
        report = guarded(lambda: report_of(event), "commitment report")
        if isinstance(report, Status):
            return int(Status.PROCESSING_FAILURE), None
        reports.put(report)
        return int(Status.SUCCESS), None

    proposal = Proposal(
        contexts=[message_context(StorageCommitmentPushModel)],
        handlers=[(evt.EVT_N_EVENT_REPORT, handle)],
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
        return _waited(reports, transaction_uid, wait_seconds)


def _waited(
    reports: "Queue[CommitmentReport]", transaction_uid: str, seconds: float
) -> CommitmentReport | None:
    try:
        report = reports.get(timeout=seconds)
    except Empty:
        return None
    return report if report.transaction_uid == transaction_uid else None


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


def report_of(event: Event) -> CommitmentReport:
    """Read an N-EVENT-REPORT; raises Unreadable where it is not a commitment's.

    An instance that is named on both sides counts as failed.
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
    remote = event.assoc.remote
    return CommitmentReport(
        transaction_uid=str(information.TransactionUID),
        committed=frozenset(named - failed.keys() - {""}),
        failed=tuple(sorted(failed.items())),
        peer_title=str(remote["ae_title"]),
        peer_address=str(remote["address"]),
    )
