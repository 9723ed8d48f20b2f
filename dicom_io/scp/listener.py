"""The guarded SCP: C-ECHO, C-STORE, and storage commitment in both roles.

It knows who may speak and what an instance may weigh; where bytes go, and what
is remembered, is for those who call `open_listener`.
"""

import threading
import time
from collections.abc import Callable, Sequence

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.errors import ListenerFailure
from dicom_io.scp.acceptor import Limits
from dicom_io.scp.admission import AssociationFacts
from dicom_io.scp.crowd import WAITING_CONNECTIONS
from dicom_io.scp.receiver import Receiver, Reception
from dicom_io.scp.session import (
    ClassCount,
    ListenerEvents,
    Node,
    Session,
)
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.tls import RenewedContext

__all__ = [
    "AssociationFacts",
    "ClassCount",
    "Incoming",
    "Listener",
    "ListenerEvents",
    "Sink",
    "StoreFacts",
    "open_listener",
]

_POLL_SECONDS = 0.02
_TEND_SECONDS = 0.5
_STUCK_SECONDS = 5.0
_LONGEST_END_SECONDS = 3.0
"""What associations get to hear that they are over."""


class Listener:
    """An open port; made by `open_listener`."""

    def __init__(self, node: Node, server: Receiver) -> None:
        self._node = node
        self._server = server
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=job, name=name, daemon=True)
            for name, job in (
                ("dicom-listener", server.serve_until_stopped),
                ("dicom-refusals", self._tend),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._server.port

    @property
    def is_accepting(self) -> bool:
        """Whether the thread that accepts is alive and comes round."""
        is_late = time.monotonic() - self._server.beat > _STUCK_SECONDS
        return self._threads[0].is_alive() and not is_late

    def close(
        self,
        deadline_seconds: float = 10.0,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        """Accept nothing more, and abort associations as soon as they are idle.

        An instance that is under way has the deadline to arrive and be answered,
        unless `hurry` says that there is no time.
        """
        self._server.stop()
        self._closing.set()
        for thread in self._threads:
            thread.join()
        self._end(deadline_seconds, lambda session: hurry() or not session.is_busy)
        longest = min(self._node.local.pdu_deadline_seconds, _LONGEST_END_SECONDS)
        self._end(0.0 if hurry() else longest, lambda _session: True)
        self._server.crowd.evict_all()
        self._node.refusals.settle(is_end=True)

    def _tend(self) -> None:
        """Tell the refusals that were counted: not on a thread that accepts."""
        while not self._closing.wait(_TEND_SECONDS):
            self._node.refusals.settle()

    def _end(self, seconds: float, may_end: Callable[[Session], bool]) -> None:
        """Abort the sessions that may end, until none is left or the time is up."""
        end = time.monotonic() + seconds
        while (running := self._node.running()) and time.monotonic() < end:
            for session in filter(may_end, running):
                session.abort()
            time.sleep(_POLL_SECONDS)


def open_listener(
    local: LocalAE, peers: Sequence[RemoteAE], sink: Sink, events: ListenerEvents
) -> Listener:
    """Listen as `local` for `peers`; port 0 takes any free one.

    Raises ListenerFailure when the port is taken or the TLS files are broken.
    """
    node = Node(local=local, peers=tuple(peers), sink=sink, events=events)
    try:
        server = _bound(node)
    except OSError as error:
        where = f"{local.host}:{local.port}"
        raise ListenerFailure(f"cannot listen on {where}: {error}") from error
    return Listener(node, server)


def _bound(node: Node) -> Receiver:
    def session(
        address: str, stop: Callable[[], None], certificate: frozenset[str]
    ) -> Session:
        return Session(node, address, stop, certificate)

    def refused(address: str, reason: str) -> None:
        node.refuse(node.facts(address), reason)

    def shut_out(address: str, reason: str) -> None:
        node.refuse(node.facts(address), reason, at_once=False)

    local = node.local
    reception = Reception(
        limits=Limits(
            max_pdu_bytes=local.max_pdu_bytes,
            pdu_seconds=local.pdu_deadline_seconds,
            idle_seconds=local.idle_seconds,
            commits=local.commits,
        ),
        tls=None if local.tls is None else RenewedContext(local.tls).current,
        # `Node.admit` bounds the associations and the crowd those who wait for one;
        # the number here bounds all connections, those that are just ending too.
        max_connections=local.max_associations + 2 * WAITING_CONNECTIONS,
        max_per_address=local.max_per_address + WAITING_CONNECTIONS,
        session=session,
        refused=refused,
        shut_out=shut_out,
    )
    return Receiver(local.host, local.port, reception)
