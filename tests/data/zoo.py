"""Stubborn archives: scripted on pynetdicom's provider side, none of our own code."""

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socket import socket
from threading import Event as Signal
from threading import Thread

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_GET, C_MOVE, DimseServiceType
from pynetdicom.dsutils import decode
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from pynetdicom.transport import ThreadedAssociationServer

SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
OUT_OF_RESOURCES, WRONG_IDENTIFIER, UNABLE = 0xA700, 0xA900, 0xC001

GET, MOVE = "C-GET", "C-MOVE"
STUDY, SERIES, IMAGE = "STUDY", "SERIES", "IMAGE"
US = "MAIRA_GW"

_LONGEST_SECONDS = 30.0
"""Archives without end do end, should nobody stop them."""
_POLL_SECONDS = 0.02
_STORAGE = (ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation)
_SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_MODELS = {
    GET: StudyRootQueryRetrieveInformationModelGet,
    MOVE: StudyRootQueryRetrieveInformationModelMove,
}
_UNIQUE = {
    STUDY: "StudyInstanceUID",
    SERIES: "SeriesInstanceUID",
    IMAGE: "SOPInstanceUID",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What an archive does in its own way; the default is as the standard has it.

    leaves_out : keys that it does not return. refuses_keys : it refuses any request
    with one of them, by `refusal`. answers_at_most : it stops there, and ends with
    `ends_with`. repeats : it begins its answers anew, for ever; every answer takes
    `pause_seconds`. heeds_cancel : a C-CANCEL ends that. writes_in : its character
    set. levels : at which it retrieves, else `refusal`. sends_as, sends_from : AE and
    address of what it moves; originator : whom it names for that. associations :
    how many it takes for that, at most. delays_seconds : it answers, then sends.
    too_late : it answers, and sends when `late` is set. counts : it says how much it
    sent. trickles : it retrieves without an end; stalls : and says nothing after its
    first word.
    """

    leaves_out: tuple[str, ...] = ()
    ignores_keys: bool = False
    refuses_keys: tuple[str, ...] = ()
    refusal: int = WRONG_IDENTIFIER
    answers_at_most: int | None = None
    ends_with: int = SUCCESS
    repeats: bool = False
    pause_seconds: float = 0.0
    heeds_cancel: bool = True
    writes_in: str | None = None
    services: tuple[str, ...] = (GET, MOVE)
    levels: tuple[str, ...] = (STUDY, SERIES, IMAGE)
    sends_as: str = "ARCHIVE"
    sends_from: str = "127.0.0.1"
    originator: str | None = US
    associations: int = 1
    delays_seconds: float | None = None
    too_late: bool = False
    counts: bool = True
    trickles: bool = False
    stalls: bool = False


@dataclass
class ZooArchive:
    """A scripted archive: what it holds, and what it was asked.

    requests : service and level, in order. cancelled : Message IDs. stored : what its
    C-STORE requests were answered; None: no association.
    """

    habits: Habits
    held: Sequence[Dataset]
    deliver_to: int = 0
    port: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    aborted: int = 0
    stored: list[int | None] = field(default_factory=list)
    senders: list[Thread] = field(default_factory=list)
    visits: list[Association] = field(default_factory=list)
    sockets: list[socket] = field(default_factory=list)
    late: Signal = field(default_factory=Signal)

    def keep(self, assoc: Association) -> None:
        """Keep a socket to close: pynetdicom does not where the peer was faster."""
        transport = assoc.dul.socket
        if transport is not None and transport.socket is not None:
            self.sockets.append(transport.socket)

    def find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        """Answer a C-FIND."""
        asked, habits = event.identifier, self.habits
        self.requests.append(("C-FIND", asked.QueryRetrieveLevel))
        if any(key in asked for key in habits.refuses_keys):
            yield habits.refusal, None
            return
        end = time.monotonic() + _LONGEST_SECONDS
        for answer in self._answers(asked):
            if event.is_cancelled:
                self.cancelled.append(event.message_id)
                if habits.heeds_cancel:
                    yield CANCELLED, None
                    return
            if time.monotonic() > end or event.assoc.acse.is_aborted():
                return
            yield PENDING, answer
            _pause(event.assoc, habits.pause_seconds)
        yield habits.ends_with, None

    def _answers(self, asked: Dataset) -> Iterator[Dataset]:
        held = list(self.held if self.habits.ignores_keys else self._meant(asked))
        level = asked.QueryRetrieveLevel
        named = {str(each[_UNIQUE[level]].value): each for each in reversed(held)}
        answers = [self._answer(asked, each) for each in reversed(named.values())]
        while True:
            yield from answers[: self.habits.answers_at_most]
            if not (answers and self.habits.repeats):
                return

    def _answer(self, asked: Dataset, held: Dataset) -> Dataset:
        """Return what is asked for, as far as it is supported and known."""
        answer = Dataset()
        for element in asked:
            if element.keyword not in self.habits.leaves_out:
                value = held.get(element.keyword)
                setattr(answer, element.keyword, value)
        answer.QueryRetrieveLevel = asked.QueryRetrieveLevel
        answer.SpecificCharacterSet = self.habits.writes_in or "ISO_IR 192"
        if "ModalitiesInStudy" in answer:
            answer.ModalitiesInStudy = held.Modality
        return answer

    def _meant(self, asked: Dataset) -> Iterator[Dataset]:
        """Yield what the matching keys mean."""
        keys = ("PatientID", "IssuerOfPatientID", *_UNIQUE.values())
        wanted = {key: asked.get(key) for key in keys if asked.get(key)}
        for each in self.held:
            if all(each.get(key) == value for key, value in wanted.items()):
                yield each

    def retrieve(
        self, assoc: Association, request: C_GET | C_MOVE, context_id: int
    ) -> None:
        """Serve a C-GET or C-MOVE."""
        syntax = assoc._accepted_cx[context_id].transfer_syntax[0]
        assert request.Identifier is not None
        asked = decode(
            request.Identifier, syntax.is_implicit_VR, syntax.is_little_endian
        )
        service = GET if isinstance(request, C_GET) else MOVE
        self.requests.append((service, asked.QueryRetrieveLevel))
        answer = _Answering(assoc, request, context_id)
        if asked.QueryRetrieveLevel not in self.habits.levels:
            answer(self.habits.refusal)
            return
        films = list(self._meant(asked))
        if self.habits.trickles:
            self._trickle(assoc, service, films, answer)
        elif service == GET:
            self.stored += [_stored(assoc, each) for each in films]
            answer(SUCCESS, self._counted(films))
        else:
            self._move(films, answer)

    def _counted(self, films: Sequence[Dataset]) -> int | None:
        return len(films) if self.habits.counts else None

    def _move(self, films: Sequence[Dataset], answer: "_Answering") -> None:
        if self.habits.delays_seconds is None and not self.habits.too_late:
            self._deliver(films)
            answer(SUCCESS, self._counted(films))
            return
        answer(SUCCESS, self._counted(films))
        sender = Thread(target=self._deliver_later, args=(films,), daemon=True)
        self.senders.append(sender)
        sender.start()

    def _deliver_later(self, films: Sequence[Dataset]) -> None:
        time.sleep(self.habits.delays_seconds or 0)
        if self.habits.too_late:
            self.late.wait(_LONGEST_SECONDS)
        self._deliver(films)

    def _deliver(self, films: Sequence[Dataset]) -> None:
        """Send to the gateway's listener, over as many associations as it likes."""
        for part in range(self.habits.associations):
            group = films[part :: self.habits.associations]
            if not group:
                continue
            with _to(self.deliver_to, self.habits) as assoc:
                if assoc is not None:
                    self.keep(assoc)
                self.stored += [self._delivered(assoc, each) for each in group]

    def _delivered(self, assoc: Association | None, film: Dataset) -> int | None:
        if assoc is None:
            return None
        return _stored(assoc, film, self.habits.originator)

    def _trickle(
        self,
        assoc: Association,
        service: str,
        films: Sequence[Dataset],
        answer: "_Answering",
    ) -> None:
        """Say again and again that one more is done, and send one film each time."""
        end = time.monotonic() + _LONGEST_SECONDS
        pause = _LONGEST_SECONDS if self.habits.stalls else self.habits.pause_seconds
        number = 0
        while time.monotonic() < end and not assoc.acse.is_aborted():
            if answer.is_cancelled:
                self.cancelled.append(answer.message_id)
                if self.habits.heeds_cancel:
                    answer(CANCELLED, number)
                    return
            number += 1
            if service == GET:
                with suppress(RuntimeError):  # the association has ended
                    self.stored.append(_stored(assoc, films[number % len(films)]))
            else:
                self._deliver(films if number == 1 else [])
                answer(PENDING, number)
            _pause(assoc, pause)


def _pause(assoc: Association, seconds: float) -> None:
    """Do nothing for so long, or until the association is aborted."""
    end = time.monotonic() + seconds
    time.sleep(min(seconds, _POLL_SECONDS))  # none is one, too: it lets others run
    while (left := end - time.monotonic()) > 0 and not assoc.acse.is_aborted():
        time.sleep(min(left, _POLL_SECONDS))


class _Answering:
    """Responds to one C-GET or C-MOVE request."""

    def __init__(
        self, assoc: Association, request: C_GET | C_MOVE, context_id: int
    ) -> None:
        self._assoc, self._request, self._context_id = assoc, request, context_id
        self.message_id = int(request.MessageID or 0)

    @property
    def is_cancelled(self) -> bool:
        return self.message_id in self._assoc.dimse.cancel_req

    def __call__(self, status: int, completed: int | None = None) -> None:
        response = type(self._request)()
        response.MessageIDBeingRespondedTo = self.message_id
        response.AffectedSOPClassUID = self._request.AffectedSOPClassUID
        response.Status = status
        if completed is not None:
            response.NumberOfCompletedSuboperations = completed
            response.NumberOfFailedSuboperations = 0
            response.NumberOfWarningSuboperations = 0
        self._assoc.dimse.send_msg(response, self._context_id)


def _stored(assoc: Association, film: Dataset, originator: str | None = None) -> int:
    answer = assoc.send_c_store(
        film,
        originator_aet=originator,
        originator_id=None if originator is None else 1,
    )
    return int(answer.get("Status", -1))


@contextmanager
def _to(port: int, habits: Habits) -> Iterator[Association | None]:
    """Open an association to the gateway; None: it was not accepted."""
    ae = AE(habits.sends_as)
    for class_uid in _STORAGE:
        ae.add_requested_context(class_uid, _SYNTAXES)
    assoc = ae.associate(
        "127.0.0.1", port, ae_title=US, bind_address=(habits.sends_from, 0)
    )
    yield assoc if assoc.is_established else None
    if assoc.is_established:
        assoc.release()


def _take_over(archive: ZooArchive, assoc: Association) -> None:
    """Serve C-GET and C-MOVE by `archive`: pynetdicom's own is too well-behaved."""
    archive.visits.append(assoc)
    archive.keep(assoc)
    usual = assoc._serve_request

    def serve(message: DimseServiceType, context_id: int) -> None:
        if not isinstance(message, C_GET | C_MOVE):
            usual(message, context_id)
            return
        assoc._is_paused = True  # as pynetdicom does around its own services
        archive.retrieve(assoc, message, context_id)
        assoc._is_paused = False

    assoc._serve_request = serve  # type: ignore[assignment, method-assign]


def _note_abort(archive: ZooArchive) -> None:
    archive.aborted += 1


@contextmanager
def zoo_archive(habits: Habits, held: Iterable[Dataset]) -> Iterator[ZooArchive]:
    """Run an archive on loopback for the length of a with block."""
    archive = ZooArchive(habits=habits, held=list(held))
    ae = AE("ARCHIVE")
    ae.network_timeout = ae.dimse_timeout = _LONGEST_SECONDS
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    for service in habits.services:
        ae.add_supported_context(_MODELS[service])
    for class_uid in _STORAGE:
        ae.add_supported_context(class_uid, _SYNTAXES, scu_role=True, scp_role=True)
    server = ae.make_server(
        ("127.0.0.1", 0),
        server_class=ThreadedAssociationServer,
        evt_handlers=[
            (evt.EVT_C_FIND, archive.find),
            (evt.EVT_ESTABLISHED, lambda event: _take_over(archive, event.assoc)),
            (evt.EVT_ABORTED, lambda _event: _note_abort(archive)),
        ],
    )
    archive.port = server.server_address[1]
    # As `start_server` does, which polls for its end every half second alone.
    ae._servers.append(server)
    serving = Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    serving.start()
    try:
        yield archive
    finally:
        for sender in archive.senders:
            sender.join()
        server.shutdown()
        serving.join()
        for visit in archive.visits:
            visit.join(_LONGEST_SECONDS)
        for each in archive.sockets:
            each.close()
        gc.collect()  # what pynetdicom leaves open is to be met in this test
