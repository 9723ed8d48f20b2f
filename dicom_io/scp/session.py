"""One association with our listener: who may speak, and what is taken from them."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from threading import Lock
from types import TracebackType
from uuid import uuid4

from pynetdicom import evt
from pynetdicom.events import Event as LibraryEvent
from pynetdicom.presentation import PresentationContext

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.scp.arrival import Arrival, StoreRequest, guarded
from dicom_io.scp.negotiation import Rejection, Request
from dicom_io.scp.refusals import Refusals
from dicom_io.scp.services import LibraryServices
from dicom_io.scp.states import Event, Interruption
from dicom_io.scu.commitment import CommitmentReport, report_of
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.status import Status

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
        """List the connections that have not ended."""
        with self.lock:
            return list(self.sessions)

    def admit(self, session: "Session") -> Rejection | None:
        """Give a session one of the places for associations, or say that none is left.

        Connections that wait for an association hold none.
        """
        with self.lock:
            taken = sum(each.holds_place for each in self.sessions)
            if taken >= self.local.max_associations:
                return Rejection(code=(2, 3, 2), reason="no association left")
            session.holds_place = True
        return None

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


def judge(local: LocalAE, facts: AssociationFacts) -> Rejection | None:
    """Say why an association is not accepted; None: it is.

    A title is only a label, so where a peer's networks are written down, the
    address must be in them too.
    """
    peer = facts.peer
    if local.require_called and facts.called_title != local.title:
        return Rejection(code=(1, 1, 7), reason="called AE title is not ours")
    if local.require_calling and peer is None:
        return Rejection(code=(1, 1, 3), reason="calling AE title is not known")
    if peer is not None and not _is_in_networks(facts.peer_address, peer):
        reason = f"address is not in the networks of {peer.name}"
        return Rejection(code=(1, 1, 3), reason=reason)
    return None


def _is_in_networks(address: str, peer: RemoteAE) -> bool:
    if not peer.networks:
        return True
    where = ip_address(address.partition("%")[0])
    mapped = getattr(where, "ipv4_mapped", None)
    return any((mapped or where) in network for network in peer.networks)


class Session:
    """One connection: who is at its other end, and what is taken from them."""

    def __init__(self, node: Node, address: str, stop: Callable[[], None]) -> None:
        self._node = node
        self._facts = node.facts(address)
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._stop = stop
        self._services: LibraryServices | None = None
        self._request: Request | None = None
        self._was_opened = False
        self.at_place: Callable[[], None] = _nothing
        self.holds_place = False
        self.is_busy = False

    def __enter__(self) -> "Session":
        """Be counted among the connections of the node."""
        with self._node.lock:
            self._node.sessions.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say that the association is over, where nobody has yet."""
        self.ended()

    def abort(self) -> None:
        """End the association as soon as its thread listens to the peer."""
        self._stop()

    def judge(self, request: Request) -> Rejection | None:
        """Reject what is not to be accepted, and what cannot be judged."""
        rejection = guarded(lambda: self._judged(request), "judging a request")
        if isinstance(rejection, Status):
            rejection = Rejection(code=(2, 1, 1), reason="this node failed")
        if rejection is not None:
            self._node.refuse(self._facts, rejection.reason)
        return rejection

    def opened(self) -> None:
        """Tell that the association is accepted."""
        self._was_opened = True
        self.at_place()
        opened = self._node.events.association_opened
        guarded(lambda: opened(self._facts), "recording an association")

    def released(self) -> None:
        """Give the place back before the peer hears that it may come again."""
        self.holds_place = False

    def ended(self) -> None:
        """Tell once that the association is over."""
        self.is_busy = self.holds_place = False
        with self._node.lock:
            is_first = self in self._node.sessions
            self._node.sessions.discard(self)
        if is_first and self._was_opened:
            closed, counts = self._node.events.association_closed, self._totals()
            guarded(lambda: closed(self._facts, counts), "recording a close")

    def open(self, request: StoreRequest) -> Arrival:
        """Check the command set, then let the sink open a place."""
        self.is_busy = True
        place = guarded(lambda: self._opened(request), "opening")
        return Arrival(place, self._node.local.max_instance_bytes)

    def stored(self, request: StoreRequest, status: Status) -> None:
        """Count an instance before its sender is answered."""
        received = status is Status.SUCCESS
        self._counts[request.sop_class_uid, received] += 1
        if not received:
            identity = self._facts.association_id
            LOGGER.warning("association %s: instance refused, %r", identity, status)

    def answered(self) -> None:
        """Note that nothing is under way."""
        self.is_busy = False

    def serve(self, context: PresentationContext, command: bytes, data: bytes) -> bytes:
        """Let the library serve a report of commitment, or refuse to commit."""
        if self._request is None:
            raise Interruption(Event.ABORT, "no association was asked for")
        if self._services is None:
            self._services = LibraryServices(
                self._request,
                self._facts.peer_address,
                [
                    (evt.EVT_N_EVENT_REPORT, self._reported),
                    (evt.EVT_N_ACTION, _not_offered),
                ],
            )
        return self._services.serve(context, command, data)

    def _judged(self, request: Request) -> Rejection | None:
        self._request = request
        self._facts = replace(
            self._facts,
            calling_title=request.calling_title,
            called_title=request.called_title,
            peer=find_peer(self._node.peers, request.calling_title),
        )
        return judge(self._node.local, self._facts) or self._node.admit(self)

    def _opened(self, request: StoreRequest) -> Incoming | Status:
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

    def _totals(self) -> tuple[ClassCount, ...]:
        return tuple(
            ClassCount(
                sop_class_uid=class_uid,
                received=self._counts[class_uid, True],
                refused=self._counts[class_uid, False],
            )
            for class_uid in sorted({key[0] for key in self._counts})
        )

    def _reported(self, event: LibraryEvent) -> tuple[int, None]:
        """Pass a commitment report on; only from a peer that is written down."""
        if self._facts.peer is None:
            return int(Status.NOT_AUTHORISED), None
        reported = self._node.events.commitment_reported
        title, peer = self._facts.calling_title, self._facts.peer
        failure = guarded(
            lambda: reported(report_of(event, title, peer)), "commitment report"
        )
        return int(failure or Status.SUCCESS), None


def _not_offered(_event: LibraryEvent) -> tuple[int, None]:
    """Answer a request for commitment: we ask for it, and never give it."""
    return int(Status.CLASS_NOT_SUPPORTED), None


def _nothing() -> None:
    """Nobody waits to hear it."""
