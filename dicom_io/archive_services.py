"""The DIMSE services of the embedded archive, one association at a time."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, cast

from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pynetdicom import build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.archive_index import Held, Holdings, answers
from dicom_io.contexts import message_context, scp_roles, storage_contexts
from dicom_io.part10 import part10_header
from dicom_io.scp.intake import IntakeOptions, StoreIntake, StoreRequest, finished
from dicom_io.scu.association import Proposal, associated
from dicom_io.sink import Incoming, StoreFacts
from dicom_io.status import Status

if TYPE_CHECKING:
    from pynetdicom.dimse_primitives import C_MOVE

_SERVICES = (
    Verification,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

_PENDING = 0xFF00

_NO_SUCH_INSTANCE = 0x0112
"""Failure Reason (PS3.3 C.14.1.1)."""

_ALL_COMMITTED, _SOME_FAILED = 1, 2
"""Event Type ID (PS3.4 J.3.3)."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """What the associations of an archive share."""

    local: LocalAE
    holdings: Holdings
    destinations: Mapping[str, RemoteAE]
    reports_on_new_association: bool = False

    def arriving(self, request: StoreRequest) -> Incoming | Status:
        """Open a place for an instance."""
        if request.refusal is not None:
            return request.refusal
        facts = StoreFacts(
            association_id="",
            calling_title="",
            called_title=self.local.title,
            peer_address="",
            peer=None,
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            transfer_syntax_uid=request.transfer_syntax,
            move_originator=None,
        )
        return _Arriving(self.holdings, part10_header(facts))

    def report(self, assoc: Association, report: Dataset) -> None:
        """Send a commitment report back, or to the requester's listener."""
        if assoc.is_established and not self.reports_on_new_association:
            _send_report(assoc, report)
            return
        remote = self.destinations.get(assoc.requestor.ae_title.strip())
        if remote is not None:
            proposal = Proposal(
                contexts=[message_context(StorageCommitmentPushModel)],
                roles=scp_roles([StorageCommitmentPushModel]),
            )
            with associated(self.local, remote, proposal) as back:
                _send_report(back, report)


class _Arriving:
    """An instance in memory until it is whole."""

    def __init__(self, holdings: Holdings, head: bytes) -> None:
        self._holdings = holdings
        self._content = BytesIO(head)
        self._content.seek(0, SEEK_END)

    def write(self, data: bytes | memoryview) -> None:
        """Take the next piece."""
        self._content.write(data)

    def commit(self) -> Status:
        """Hand the file to the holdings."""
        self._holdings.put(self._content.getvalue())
        return Status.SUCCESS

    def discard(self) -> None:
        """Forget the instance."""
        self._content.close()


class Visit:
    """One association with the archive."""

    def __init__(self, desk: Desk, assoc: Association) -> None:
        self._desk = desk
        self._assoc = assoc
        self._report: Dataset | None = None

    def __enter__(self) -> "Visit":
        """Take the association over before its threads start."""
        assoc, local = self._assoc, self._desk.local
        options = IntakeOptions(
            open=self._desk.arriving,
            max_instance_bytes=local.max_instance_bytes,
            deadline_seconds=local.pdu_deadline_seconds,
        )
        self._intake = StoreIntake(assoc, options)
        assoc.dimse = self._intake
        assoc.bind(evt.EVT_C_STORE, lambda event: int(finished(event)))
        assoc.bind(evt.EVT_C_FIND, self._find)
        assoc.bind(evt.EVT_C_GET, self._get)
        assoc.bind(evt.EVT_C_MOVE, self._move)
        assoc.bind(evt.EVT_N_ACTION, self._commit)
        assoc.bind(evt.EVT_PDU_SENT, self._sent)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget what was cut off."""
        self._intake.drop_streams()

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset]]:
        for answer in answers(self._desk.holdings.headers(), event.identifier):
            yield _PENDING, answer

    def _get(self, event: Event) -> Iterator[int | tuple[int, Dataset]]:
        yield from _suboperations(self._desk.holdings.meant(event.identifier))

    def _move(self, event: Event) -> Iterator[object]:
        """Name the destination, then what goes there; None: it is not known."""
        title = str(cast("C_MOVE", event.request).MoveDestination).strip()
        remote = self._desk.destinations.get(title)
        if remote is None:
            yield None, None
            return
        held = self._desk.holdings.meant(event.identifier)
        yield remote.host, remote.port, {"contexts": _offered(held)}
        yield from _suboperations(held)

    def _commit(self, event: Event) -> tuple[int, None]:
        """Keep the report until the response to the request has gone out."""
        held = {each.sop_instance_uid for each in self._desk.holdings.instances()}
        self._report = _commitment(event.action_information, held)
        return int(Status.SUCCESS), None

    def _sent(self, _event: Event) -> None:
        report, self._report = self._report, None
        if report is not None:
            threading.Thread(
                target=self._desk.report, args=(self._assoc, report), daemon=True
            ).start()


def archive_contexts() -> list[PresentationContext]:
    """List storage in both roles, for C-GET, and the services."""
    storage = storage_contexts()
    for context in storage:
        context.scu_role = context.scp_role = True
    return storage + [message_context(each) for each in _SERVICES]


def _suboperations(held: list[Held]) -> Iterator[int | tuple[int, Dataset]]:
    yield len(held)
    for each in held:
        yield _PENDING, dcmread(each.path)


def _offered(held: list[Held]) -> list[PresentationContext]:
    """Propose each class in the syntaxes in which it is held."""
    pairs = {
        (each.sop_class_uid, str(dcmread(each.path).file_meta.TransferSyntaxUID))
        for each in held
    }
    return [build_context(class_uid, syntax) for class_uid, syntax in sorted(pairs)]


def _commitment(request: Dataset, held: set[str]) -> Dataset:
    """Sort the referenced instances into held and unknown."""
    report = Dataset()
    report.TransactionUID = request.TransactionUID
    items = list(request.ReferencedSOPSequence)
    known = [each for each in items if each.ReferencedSOPInstanceUID in held]
    unknown = [each for each in items if each.ReferencedSOPInstanceUID not in held]
    if known:
        report.ReferencedSOPSequence = known
    for item in unknown:
        item.FailureReason = _NO_SUCH_INSTANCE
    if unknown:
        report.FailedSOPSequence = unknown
    return report


def _send_report(assoc: Association, report: Dataset) -> None:
    assoc.send_n_event_report(
        report,
        _SOME_FAILED if "FailedSOPSequence" in report else _ALL_COMMITTED,
        StorageCommitmentPushModel,
        StorageCommitmentPushModelInstance,
    )
