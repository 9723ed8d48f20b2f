"""One association with our listener: who may speak, and what is taken from them."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from types import TracebackType
from uuid import uuid4

from pynetdicom import evt
from pynetdicom.events import Event as LibraryEvent
from pynetdicom.presentation import PresentationContext

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.scp.admission import (
    AssociationFacts,
    Identified,
    find_peer,
    identify,
    judge,
)
from dicom_io.scp.arrival import Arrival, StoreRequest, guarded
from dicom_io.scp.commitment import ActionStatus, CommitmentRequest, request_of
from dicom_io.scp.crowd import origin_of
from dicom_io.scp.negotiation import Rejection, Request
from dicom_io.scp.refusals import Refusals
from dicom_io.scp.services import LibraryServices
from dicom_io.scp.states import Event, Interruption
from dicom_io.scu.commitment import CommitmentReport, report_of
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.status import Status

LOGGER = logging.getLogger(__name__)


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
    commitment_asked: Callable[[CommitmentRequest], ActionStatus] | None = None
    """Keeps a request, then says what it is answered; None: we commit to nothing."""


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
        local, facts = self.local, session.facts
        origin = origin_of(facts.peer_address)
        # One place at least is for everybody.
        reserved = min(local.reserved_for_peers, local.max_associations - 1)
        with self.lock:
            holders = [each for each in self.sessions if each.holds_place]
            near = sum(origin_of(h.facts.peer_address) == origin for h in holders)
            plain = sum(not h.facts.is_vouched_for for h in holders)
            if len(holders) >= local.max_associations:
                return _no_place("no association left")
            if near >= local.max_per_address:
                return _no_place("no association left for its address")
            if not facts.is_vouched_for and plain >= local.max_associations - reserved:
                return _no_place("no association left that is not reserved")
            session.holds_place = True
        return None

    def facts(
        self, address: str, certificate: frozenset[str] = frozenset()
    ) -> AssociationFacts:
        """Return what is known of a connection before it says anything."""
        return AssociationFacts(
            association_id=uuid4().hex,
            calling_title="",
            called_title="",
            peer_address=address,
            peer=None,
            encrypted=self.local.tls is not None,
            certificate=certificate,
        )

    def refuse(
        self, facts: AssociationFacts, reason: str, *, at_once: bool = True
    ) -> None:
        """Record that a connection came to nothing; repeats are counted.

        at_once : before it returns; else a little later, by another thread.
        """

        def tell(told: str) -> None:
            LOGGER.warning("association %s refused: %s", facts.association_id, told)
            refused = self.events.association_refused
            guarded(lambda: refused(facts, told), "recording a refusal")

        record = self.refusals.add if at_once else self.refusals.note
        record(origin_of(facts.peer_address), reason, tell)


def _no_place(reason: str) -> Rejection:
    return Rejection(code=(2, 3, 2), reason=reason)


class Session:
    """One connection: who is at its other end, and what is taken from them."""

    def __init__(
        self,
        node: Node,
        address: str,
        stop: Callable[[], None],
        certificate: frozenset[str] = frozenset(),
    ) -> None:
        self._node = node
        self._facts = node.facts(address, certificate)
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._stop = stop
        self._services: LibraryServices | None = None
        self._request: Request | None = None
        self._is_open = False
        self._refused: set[Status] = set()
        self.answers_user = False
        self.at_place: Callable[[], None] = _nothing
        self.at_end: Callable[[], None] = _nothing
        self.holds_place = False
        self.is_busy = False

    @property
    def facts(self) -> AssociationFacts:
        """What is known of the other end."""
        return self._facts

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
        self._is_open = True
        self.at_place()
        opened = self._node.events.association_opened
        guarded(lambda: opened(self._facts), "recording an association")

    def released(self) -> None:
        """Give the place back before the peer hears that it may come again."""
        self.holds_place = False

    def ended(self) -> None:
        """Tell once that the association is over; it runs until that is told."""
        self.is_busy = self.holds_place = False
        with self._node.lock:
            was_open, self._is_open = self._is_open, False
        self.at_end()
        if was_open:
            closed, counts = self._node.events.association_closed, self._totals()
            guarded(lambda: closed(self._facts, counts), "recording a close")
        with self._node.lock:
            self._node.sessions.discard(self)

    def open(self, request: StoreRequest) -> Arrival:
        """Check the command set, then let the sink open a place."""
        self.is_busy = True
        place = guarded(lambda: self._opened(request), "opening")
        return Arrival(place, self._node.local.max_instance_bytes)

    def stored(self, request: StoreRequest, status: Status) -> None:
        """Count an instance before its sender is answered."""
        received = status is Status.SUCCESS
        self._counts[request.sop_class_uid, received] += 1
        if not received and status not in self._refused:
            self._refused.add(status)  # one line of each: the close tells the count
            identity = self._facts.association_id
            LOGGER.warning("association %s: instance refused, %r", identity, status)

    def answered(self) -> None:
        """Note that nothing is under way."""
        self.is_busy = False

    def serve(self, context: PresentationContext, command: bytes, data: bytes) -> bytes:
        """Let the library serve a report of commitment, or a request for one."""
        if self._request is None:
            raise Interruption(Event.ABORT, "no association was asked for")
        if self._services is None:
            self._services = LibraryServices(
                self._request,
                self._facts.peer_address,
                [
                    (evt.EVT_N_EVENT_REPORT, self._reported),
                    (evt.EVT_N_ACTION, self._asked),
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
        local = self._node.local
        rejection = judge(local, self._facts, self._node.peers)
        return rejection or self._identified(request) or self._node.admit(self)

    def _identified(self, request: Request) -> Rejection | None:
        found = identify(self._node.local, request)
        self._facts = replace(self._facts, user=found.user)
        if not isinstance(found, Identified):
            return found
        self.answers_user = found.answered
        return None

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
            user=self._facts.user,
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

    def _asked(self, event: LibraryEvent) -> tuple[int, None]:
        """Answer a request for commitment, once it is kept."""
        status = guarded(lambda: self._commitment_status(event), "commitment request")
        if isinstance(status, Status):
            status = ActionStatus.FAILED
        if status is not ActionStatus.TAKEN:
            identity = self._facts.association_id
            LOGGER.warning("association %s: commitment %s", identity, status.name)
        return int(status), None

    def _commitment_status(self, event: LibraryEvent) -> ActionStatus:
        """Say what a request is answered; only nodes that are written down ask."""
        asked, peer = self._node.events.commitment_asked, self._facts.peer
        if asked is None or not self._node.local.commits:
            return ActionStatus.NOT_OFFERED
        if peer is None:
            return ActionStatus.NOT_AUTHORISED
        title, address = self._facts.calling_title, self._facts.peer_address
        request = request_of(event, peer, title, address)
        return request if isinstance(request, ActionStatus) else asked(request)


def _nothing() -> None:
    """Nobody waits to hear it."""
