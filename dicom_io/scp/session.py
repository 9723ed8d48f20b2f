"""One association with our listener: who may speak, and what is taken from them."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.scp.intake import (
    IntakeOptions,
    StoreIntake,
    StoreRequest,
    finished,
    guarded,
)
from dicom_io.scp.refusals import Refusals
from dicom_io.scu.commitment import CommitmentReport, report_of
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.status import Status

if TYPE_CHECKING:
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.pdu_primitives import A_ASSOCIATE

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationFacts:
    """Who asked for an association; empty titles: none was read."""

    association_id: str
    calling_title: str
    called_title: str
    peer_address: str
    peer: RemoteAE | None
    encrypted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """How many instances of a SOP class were received and refused."""

    sop_class_uid: str
    received: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerEvents:
    """Who hears of associations; called on their threads.

    `association_closed` follows every `association_opened`, whatever happens.
    """

    association_opened: Callable[[AssociationFacts], None]
    association_refused: Callable[[AssociationFacts, str], None]
    association_closed: Callable[[AssociationFacts, tuple[ClassCount, ...]], None]
    commitment_reported: Callable[[CommitmentReport], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4), in words too."""

    code: tuple[int, int, int]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What the sessions of a listener share."""

    local: LocalAE
    peers: Sequence[RemoteAE]
    sink: Sink
    events: ListenerEvents
    sessions: "set[Session]" = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)
    refusals: Refusals = field(default_factory=lambda: Refusals(time.monotonic))

    def running(self) -> "list[Session]":
        """List the connections whose threads have not ended."""
        with self.lock:
            return list(self.sessions)

    def established(self) -> int:
        """Count the associations; connections that wait for one are not among them."""
        return sum(each.is_open for each in self.running())

    def facts(self, address: str) -> AssociationFacts:
        """Return what is known of a connection before it says anything."""
        return AssociationFacts(
            association_id=uuid4().hex,
            calling_title="",
            called_title="",
            peer_address=address,
            peer=None,
            encrypted=self.local.tls is not None,
        )

    def refuse(self, facts: AssociationFacts, reason: str) -> None:
        """Record that a connection came to nothing; repeats are counted."""

        def tell(told: str) -> None:
            LOGGER.warning("association %s refused: %s", facts.association_id, told)
            refused = self.events.association_refused
            guarded(lambda: refused(facts, told), "recording a refusal")

        self.refusals.add(facts.peer_address, reason, tell)


def find_peer(peers: Sequence[RemoteAE], title: str) -> RemoteAE | None:
    """Return the peer that calls itself `title` when it connects to us."""
    found = [each for each in peers if title in (each.title, *each.send_titles)]
    return found[0] if found else None


def judge(node: Node, facts: AssociationFacts) -> Rejection | None:
    """Say why an association is not accepted; None: it is.

    A title is only a label, so where a peer's networks are written down, the
    address must be in them too.
    """
    local, peer = node.local, facts.peer
    if local.require_called and facts.called_title != local.title:
        return Rejection(code=(1, 1, 7), reason="called AE title is not ours")
    if local.require_calling and peer is None:
        return Rejection(code=(1, 1, 3), reason="calling AE title is not known")
    if peer is not None and not _is_in_networks(facts.peer_address, peer):
        reason = f"address is not in the networks of {peer.name}"
        return Rejection(code=(1, 1, 3), reason=reason)
    if node.established() >= local.max_associations:
        return Rejection(code=(2, 3, 2), reason="no association left")
    return None


def _is_in_networks(address: str, peer: RemoteAE) -> bool:
    if not peer.networks:
        return True
    where = ip_address(address.partition("%")[0])
    mapped = getattr(where, "ipv4_mapped", None)
    return any((mapped or where) in network for network in peer.networks)


class Session:
    """One connection, from its acceptance until its last thread has ended."""

    def __init__(self, node: Node, assoc: Association, address: str) -> None:
        self._node = node
        self._assoc = assoc
        self._facts = node.facts(address)
        self._counts: Counter[tuple[str, bool]] = Counter()
        self.is_open = False

    def __enter__(self) -> "Session":
        """Take the association over before its threads start."""
        assoc, local = self._assoc, self._node.local
        options = IntakeOptions(
            open=self._open,
            max_instance_bytes=local.max_instance_bytes,
            deadline_seconds=local.pdu_deadline_seconds,
        )
        self._intake = StoreIntake(assoc, options)
        assoc.dimse = self._intake
        assoc.bind(evt.EVT_REQUESTED, self._requested)
        assoc.bind(evt.EVT_ESTABLISHED, self._established)
        assoc.bind(evt.EVT_C_STORE, self._stored)
        assoc.bind(evt.EVT_N_EVENT_REPORT, self._reported)
        assoc.bind(evt.EVT_N_ACTION, _not_offered)
        with self._node.lock:
            self._node.sessions.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Discard what was cut off and say that the association is over."""
        self._intake.drop_streams()
        with self._node.lock:
            self._node.sessions.discard(self)
        if self.is_open:
            closed, counts = self._node.events.association_closed, self._totals()
            guarded(lambda: closed(self._facts, counts), "recording a close")

    @property
    def is_busy(self) -> bool:
        """Whether an instance is under way, or the answer to it."""
        return self._intake.is_busy

    def abort(self) -> None:
        """End the association now."""
        self._assoc.abort(block=False)

    def _requested(self, event: Event) -> None:
        """Reject what is not to be accepted, and what cannot be judged."""
        rejection = guarded(self._judged, "judging an association request")
        if isinstance(rejection, Status):
            rejection = Rejection(code=(2, 1, 1), reason="this node failed")
        if rejection is not None:
            self._node.refuse(self._facts, rejection.reason)
            event.assoc.acse.send_reject(*rejection.code)
            event.assoc.kill()

    def _judged(self) -> Rejection | None:
        request = cast("A_ASSOCIATE", self._assoc.requestor.primitive)
        calling = request.calling_ae_title.strip()
        self._facts = replace(
            self._facts,
            calling_title=calling,
            called_title=request.called_ae_title.strip(),
            peer=find_peer(self._node.peers, calling),
        )
        return judge(self._node, self._facts)

    def _established(self, _event: Event) -> None:
        self.is_open = True
        opened = self._node.events.association_opened
        guarded(lambda: opened(self._facts), "recording an association")

    def _open(self, request: StoreRequest) -> Incoming | Status:
        """Check the command set, then let the sink open a place."""
        refusal = request.refusal
        if refusal is not None:
            return refusal
        facts = self._store_facts(request)
        # A peer that may not store may still deliver what we asked it to move;
        # whether we did ask is for the sink to say.
        may_store = facts.peer is None or facts.peer.may_store
        if not (may_store or facts.is_move_delivery):
            return Status.NOT_AUTHORISED
        return self._node.sink(facts)

    def _store_facts(self, request: StoreRequest) -> StoreFacts:
        return StoreFacts(
            association_id=self._facts.association_id,
            calling_title=self._facts.calling_title,
            called_title=self._facts.called_title,
            peer_address=self._facts.peer_address,
            peer=self._facts.peer,
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            transfer_syntax_uid=request.transfer_syntax,
            move_originator=request.move_originator or None,
        )

    def _stored(self, event: Event) -> int:
        status = finished(event)
        self._count(str(cast("C_STORE", event.request).AffectedSOPClassUID), status)
        return int(status)

    def _count(self, sop_class_uid: str, status: Status) -> None:
        received = status is Status.SUCCESS
        self._counts[sop_class_uid, received] += 1
        if not received:
            identity = self._facts.association_id
            LOGGER.warning("association %s: instance refused, %r", identity, status)

    def _totals(self) -> tuple[ClassCount, ...]:
        return tuple(
            ClassCount(
                sop_class_uid=class_uid,
                received=self._counts[class_uid, True],
                refused=self._counts[class_uid, False],
            )
            for class_uid in sorted({key[0] for key in self._counts})
        )

    def _reported(self, event: Event) -> tuple[int, None]:
        """Pass a commitment report on; only from a peer that is written down."""
        if self._facts.peer is None:
            return int(Status.NOT_AUTHORISED), None
        reported = self._node.events.commitment_reported
        title, peer = self._facts.calling_title, self._facts.peer
        failure = guarded(
            lambda: reported(report_of(event, title, peer)), "commitment report"
        )
        return int(failure or Status.SUCCESS), None


def _not_offered(_event: Event) -> tuple[int, None]:
    """Answer a request for commitment: we ask for it, and never give it."""
    return int(Status.CLASS_NOT_SUPPORTED), None
