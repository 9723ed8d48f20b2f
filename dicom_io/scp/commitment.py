"""A request that we commit to instances, read and judged (PS3.4 J.3.2)."""

from dataclasses import dataclass
from enum import IntEnum

from pydicom.dataset import Dataset
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModelInstance

from dicom_io.ae import RemoteAE
from dicom_io.malformed import MALFORMED
from dicom_io.scu.commitment import InstanceReference
from dicom_io.uid import is_uid

_REQUEST_COMMITMENT = 1
"""Action Type ID (PS3.4 table J.3-1)."""


class ActionStatus(IntEnum):
    """What an N-ACTION that asks for commitment is answered (PS3.7 10.1.4.1.10)."""

    TAKEN = 0x0000
    FAILED = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    INVALID_ARGUMENT = 0x0115
    NOT_OFFERED = 0x0122
    NO_SUCH_ACTION = 0x0123
    NOT_AUTHORISED = 0x0124
    DUPLICATE_TRANSACTION = 0x0131
    TOO_MANY = 0x0213


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequest:
    """What a node that the site wrote down asks us to commit to."""

    transaction_uid: str
    references: tuple[InstanceReference, ...]
    peer_name: str
    peer_title: str
    peer_address: str

    @property
    def class_uids(self) -> list[str]:
        """The SOP class of each instance."""
        return [each.sop_class_uid for each in self.references]


def request_of(
    event: Event, peer: RemoteAE, title: str, address: str
) -> CommitmentRequest | ActionStatus:
    """Read an N-ACTION request, or say what it is answered as it is none.

    `peer`, `title` and `address` are who asks, as the owner of the association
    found. A request with a reference that is no pair of UIDs is refused as a whole.
    """
    if event.action_type != _REQUEST_COMMITMENT:
        return ActionStatus.NO_SUCH_ACTION
    named = event.request.RequestedSOPInstanceUID  # type: ignore[union-attr]
    if named != StorageCommitmentPushModelInstance:
        return ActionStatus.NO_SUCH_INSTANCE
    information = event.action_information
    transaction = _uid(information, "TransactionUID")
    references = _references(information)
    if transaction is None or not references:
        return ActionStatus.INVALID_ARGUMENT
    return CommitmentRequest(
        transaction_uid=transaction,
        references=references,
        peer_name=peer.name,
        peer_title=title,
        peer_address=address,
    )


def _references(information: Dataset) -> tuple[InstanceReference, ...]:
    """Return the instances, each once; empty where one of them cannot be read."""
    try:
        items = list(information.get("ReferencedSOPSequence") or ())
    except MALFORMED:
        return ()
    found: dict[InstanceReference, None] = {}
    for item in items:
        class_uid = _uid(item, "ReferencedSOPClassUID")
        instance_uid = _uid(item, "ReferencedSOPInstanceUID")
        if class_uid is None or instance_uid is None:
            return ()
        reference = InstanceReference(
            sop_class_uid=class_uid, sop_instance_uid=instance_uid
        )
        found[reference] = None
    return tuple(found)


def _uid(item: Dataset, keyword: str) -> str | None:
    text = str(item.get(keyword) or "")
    return text if is_uid(text) else None
