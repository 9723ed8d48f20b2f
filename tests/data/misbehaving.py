"""Destinations that misbehave: sockets and pynetdicom's providers, none of our code."""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Thread

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
)
from pynetdicom.transport import ThreadedAssociationServer

from dicom_io.ae import AETitle, Proof, RemoteAE

_POLL_SECONDS = 0.02
_LONGEST_SECONDS = 120.0
_PENDING = 0xFF00

SAME, NEW, NEW_WITHOUT_ROLE, BEFORE, NEVER = (
    "on the same association",
    "on a new association",
    "on a new association without role selection",
    "before the response to the request",
    "never",
)
"""Where a commitment is reported."""


def destination(port: int, name: str = "pacs", seconds: float = 30.0) -> RemoteAE:
    """Return what listens on a loopback port as a destination."""
    return RemoteAE(
        name=name,
        title=AETitle("PACS"),
        host="127.0.0.1",
        port=port,
        deadline_seconds=seconds,
    )


@dataclass
class RawPeer:
    """Something on a port that is no DICOM node; `visits` counts connections."""

    port: int = 0
    visits: int = 0


@contextmanager
def raw_peer(behave: Callable[[socket.socket], None]) -> Iterator[RawPeer]:
    """Run `behave` on each connection, a thread each, for the length of a block."""
    peer, connections = RawPeer(), list[socket.socket]()
    with socket.create_server(("127.0.0.1", 0)) as door:
        peer.port = door.getsockname()[1]

        def serve(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                behave(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = door.accept()
                    connection.settimeout(_LONGEST_SECONDS)
                    peer.visits += 1
                    connections.append(connection)
                    Thread(target=serve, args=(connection,), daemon=True).start()

        accepting = Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield peer
        finally:
            door.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for connection in connections:
                with suppress(OSError):  # wakes who reads from it
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()


def say_nothing(connection: socket.socket) -> None:
    """Read everything and never answer."""
    while connection.recv(1 << 16):
        pass


def drop_after(count: int) -> Callable[[socket.socket], None]:
    """Read so many bytes, then reset the connection."""

    def behave(connection: socket.socket) -> None:
        left = count
        while left > 0 and (data := connection.recv(left)):
            left -= len(data)
        _reset(connection)

    return behave


def reject(result: int, source: int, reason: int) -> Callable[[socket.socket], None]:
    """Answer an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    def behave(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(struct.pack(">BxLxBBB", 3, 4, result, source, reason))
        say_nothing(connection)

    return behave


def _hang_up(assoc: Association) -> None:
    """Close the connection without a word, as where the peer's process is gone."""
    transport = assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a DICOM destination answers; the default is a good one.

    status : to each C-STORE. keeps : it stores what it answered success for.
    aborts, closes : the association, the connection, in each C-STORE.
    failures : Failure Reasons by the order of references.
    reports : where, and `times` : how often. transaction : named instead of the one
    that was asked for. calls_itself : on a new association. action_status : to the
    request. with_commitment : it offers the service.
    """

    status: int = 0x0000
    keeps: bool = True
    aborts: bool = False
    closes: bool = False
    failures: Mapping[int, int] = field(default_factory=dict)
    reports: str = SAME
    times: int = 1
    transaction: str | None = None
    calls_itself: str = "PACS"
    action_status: int = 0x0000
    with_commitment: bool = True


@dataclass
class BadDestination:
    """A running destination: what it holds, and what it was asked.

    `manners` may be changed while it runs. `answers` are the statuses that its
    reports were answered, None: none came. `listener` is our port.
    """

    manners: Manners
    remote: RemoteAE
    listener: int = 0
    stores: int = 0
    held: dict[str, Dataset] = field(default_factory=dict)
    asked: list[Dataset] = field(default_factory=list)
    answers: list[int | None] = field(default_factory=list)
    senders: list[Thread] = field(default_factory=list)
    visits: list[Association] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)

    def visited(self, event: Event) -> None:
        """Note an association that was asked of it."""
        self.visits.append(event.assoc)
        self._keep(event.assoc)

    def _keep(self, assoc: Association) -> None:
        """Keep a socket to close: pynetdicom does not where the peer was faster."""
        transport = assoc.dul.socket
        if transport is not None and transport.socket is not None:
            self.sockets.append(transport.socket)

    def store(self, event: Event) -> int:
        """Answer a C-STORE."""
        self.stores += 1
        if self.manners.aborts:
            event.assoc.abort()
            return 0xC000
        if self.manners.closes:
            _hang_up(event.assoc)
            return 0xC000
        ds = event.dataset
        if self.manners.keeps and self.manners.status & 0xF000 in (0, 0xB000):
            self.held[str(ds.SOPInstanceUID)] = ds
        return self.manners.status

    def find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        """Answer a C-FIND at the levels of series and image."""
        keys = {"SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
        asked = event.identifier
        key = keys[asked.QueryRetrieveLevel]
        for uid in sorted({str(ds[key].value) for ds in self.held.values()}):
            answer = Dataset()
            answer.QueryRetrieveLevel = asked.QueryRetrieveLevel
            setattr(answer, key, uid)
            yield _PENDING, answer

    def commit(self, event: Event) -> tuple[int, None]:
        """Answer an N-ACTION, and report as the manners say."""
        self.asked.append(event.action_information)
        report = self._report(event.action_information)
        if self.manners.reports == BEFORE:
            self._say(event.assoc, report)
        elif self.manners.reports != NEVER and not self.manners.action_status:
            later = Thread(target=self._report_later, args=(event.assoc, report))
            self.senders.append(later)
        return self.manners.action_status, None

    def sent(self, _event: Event) -> None:
        """Begin to report once the response has gone out."""
        for sender in self.senders:
            if sender.ident is None:
                sender.start()

    def _report(self, asked: Dataset) -> Dataset:
        report = Dataset()
        report.TransactionUID = self.manners.transaction or asked.TransactionUID
        items = list(asked.ReferencedSOPSequence)
        failures = self.manners.failures
        report.ReferencedSOPSequence = [
            item for number, item in enumerate(items) if number not in failures
        ]
        failed = [(items[n], why) for n, why in failures.items() if n < len(items)]
        for item, why in failed:
            item.FailureReason = why
        if failed:
            report.FailedSOPSequence = [item for item, _ in failed]
        return report

    def _report_later(self, assoc: Association, report: Dataset) -> None:
        if self.manners.reports == SAME:
            self._say(assoc, report)
            return
        ae = AE(self.manners.calls_itself)
        ae.add_requested_context(StorageCommitmentPushModel)
        with_role = self.manners.reports == NEW
        roles = [build_role(StorageCommitmentPushModel, scp_role=True)]
        back = ae.associate(
            "127.0.0.1",
            self.listener,
            ae_title="MAIRA_GW",
            ext_neg=roles if with_role else [],  # type: ignore[arg-type]
        )
        if not back.is_established:
            self.answers.append(None)
            return
        self._keep(back)
        self._say(back, report)
        back.release()

    def _say(self, assoc: Association, report: Dataset) -> None:
        if self.manners.reports == NEW_WITHOUT_ROLE:
            # pynetdicom does not let an SCU report; archives that do exist.
            for context in assoc.accepted_contexts:
                context._as_scp = True
        for _ in range(self.manners.times):
            with suppress(RuntimeError, ValueError):
                answer, _ = assoc.send_n_event_report(
                    report,
                    2 if "FailedSOPSequence" in report else 1,
                    StorageCommitmentPushModel,
                    StorageCommitmentPushModelInstance,
                )
                self.answers.append(answer.get("Status"))


@contextmanager
def bad_destination(
    manners: Manners, name: str = "pacs", proof: Proof = Proof.AUTO, listener: int = 0
) -> Iterator[BadDestination]:
    """Run a destination on loopback for the length of a with block."""
    ae = AE("PACS")
    ae.network_timeout = ae.dimse_timeout = _LONGEST_SECONDS
    ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    if manners.with_commitment:
        ae.add_supported_context(StorageCommitmentPushModel)
    bad = BadDestination(
        manners=manners,
        listener=listener,
        remote=RemoteAE(
            name=name,
            title=AETitle("PACS"),
            host="127.0.0.1",
            port=0,
            proof=proof,
            deadline_seconds=60.0,
        ),
    )
    server = ae.make_server(
        ("127.0.0.1", 0),
        server_class=ThreadedAssociationServer,
        evt_handlers=[
            (evt.EVT_ESTABLISHED, bad.visited),
            (evt.EVT_C_STORE, bad.store),
            (evt.EVT_C_FIND, bad.find),
            (evt.EVT_N_ACTION, bad.commit),
            (evt.EVT_PDU_SENT, bad.sent),
        ],
    )
    bad.remote = replace(bad.remote, port=int(server.server_address[1]))
    # As `start_server` does, which polls for its end every half second alone.
    ae._servers.append(server)
    serving = Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    serving.start()
    try:
        yield bad
    finally:
        for sender in bad.senders:
            if sender.ident is not None:
                sender.join(_LONGEST_SECONDS)
        server.shutdown()
        serving.join()
        for visit in bad.visits:
            visit.join(_LONGEST_SECONDS)
        for each in bad.sockets:
            each.close()
