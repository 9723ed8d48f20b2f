import threading
import time
from dataclasses import dataclass, field, replace
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydicom import uid
from pynetdicom import build_context, sop_class
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext

from dicom_io.ae import AETitle
from dicom_io.contexts import message_context
from dicom_io.errors import ListenerFailure, PeerRefused, Unreadable
from dicom_io.scp.admission import AssociationFacts
from dicom_io.scp.listener import StoreFacts, open_listener
from dicom_io.scp.receiver import MADE_ROOM
from dicom_io.scp.session import ClassCount
from dicom_io.scu.association import Proposal, associated
from dicom_io.scu.query import echo
from dicom_io.scu.send import store_instances
from dicom_io.sink import NoRoom
from dicom_io.status import Status
from tests.data.network import (
    LOCAL,
    MODALITY,
    Recorded,
    Recorder,
    at,
    caller,
    data_set_bytes,
    listening,
    radiograph,
    written,
)
from tests.data.peers import until
from tests.data.ports import reserved_port


def test_a_known_peer_is_answered_and_both_ends_of_its_association_are_told() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        echo(caller(), at(listener.port))
        until(lambda: bool(recorder.closed), 30, "the close is told")
    facts, counts = recorder.closed[0]
    assert recorder.opened == [facts]
    assert (facts.calling_title, facts.peer_address) == ("XRAY", "127.0.0.1")
    assert facts.peer == MODALITY
    assert counts == ()


def test_an_unknown_calling_title_is_rejected_and_told() -> None:
    recorder = Recorder()
    with listening(recorder) as listener, pytest.raises(PeerRefused, match="calling"):
        echo(caller("STRANGER"), at(listener.port))
    # A test beside this one may knock at a port that was free a moment ago, silently.
    told = [f.calling_title for f, why in recorder.refused if why != MADE_ROOM]
    assert told == ["STRANGER"]
    assert recorder.opened == []


def test_a_refusal_that_repeats_is_told_with_its_count() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        for _ in range(3):
            with pytest.raises(PeerRefused):
                echo(caller("STRANGER"), at(listener.port))
    reasons = [why for _, why in recorder.refused if why != MADE_ROOM]
    assert reasons == [
        "calling AE title is not known",
        "calling AE title is not known (2 more like it within 60 s)",
    ]


def test_another_called_title_is_rejected() -> None:
    recorder = Recorder()
    with listening(recorder) as listener, pytest.raises(PeerRefused, match="AE title"):
        echo(caller(), at(listener.port, "SOMEBODY"))


def test_a_title_that_a_peer_only_sends_with_is_known() -> None:
    peer = replace(MODALITY, send_titles=(AETitle("ROOM2"),))
    recorder = Recorder()
    with listening(recorder, peers=[peer]) as listener:
        echo(caller("ROOM2"), at(listener.port))
    assert recorder.opened[0].peer == peer


def test_a_known_title_from_an_address_outside_its_networks_is_rejected() -> None:
    peer = replace(MODALITY, networks=(ip_network("10.0.0.0/8"),))
    recorder = Recorder()
    with listening(recorder, peers=[peer]) as listener, pytest.raises(PeerRefused):
        echo(caller(), at(listener.port))
    assert "networks" in recorder.refused[0][1]


def test_a_known_title_from_its_network_is_accepted() -> None:
    peer = replace(MODALITY, networks=(ip_network("127.0.0.0/8"),))
    recorder = Recorder()
    with listening(recorder, peers=[peer]) as listener:
        echo(caller(), at(listener.port))


def test_associations_over_the_limit_are_rejected_until_one_ends() -> None:
    local = replace(LOCAL, max_associations=1)
    recorder = Recorder()
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    with listening(recorder, local) as listener:
        with associated(caller(), at(listener.port), proposal):
            until(lambda: bool(recorder.opened), 30, "the association is open")
            with pytest.raises(Exception, match="no association left"):
                echo(caller(), at(listener.port))
        until(lambda: bool(recorder.closed), 30, "the association is closed")
        echo(caller(), at(listener.port))


def test_a_taken_port_is_a_listener_failure() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        local = replace(LOCAL, port=listener.port)
        with pytest.raises(ListenerFailure, match=str(listener.port)):
            open_listener(local, [], recorder.sink, recorder.events())


def test_a_closed_listener_gives_its_port_back() -> None:
    with reserved_port() as port:
        for _ in range(2):
            with listening(Recorder(), replace(LOCAL, port=port)) as listener:
                assert listener.port == port


def test_an_instance_reaches_the_sink_byte_for_byte_in_pieces(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph(PixelData=bytes(3 << 20)))
    recorder = Recorder()
    with listening(recorder) as listener:
        outcome = store_instances(caller(), at(listener.port), [path])[0]
        until(lambda: bool(recorder.closed), 30, "the association is closed")
    stored = recorder.incoming[0]
    assert outcome.status == Status.SUCCESS
    assert stored.committed
    assert stored.pieces >= 3
    assert bytes(stored.data) == data_set_bytes(path)
    assert stored.facts.transfer_syntax_uid == uid.ExplicitVRLittleEndian
    assert recorder.closed[0][1][0].received == 1


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (OSError(28, "No space left on device"), Status.OUT_OF_RESOURCES),
        (NoRoom("the spool is full"), Status.OUT_OF_RESOURCES),
        (Unreadable("broken"), Status.CANNOT_UNDERSTAND),
        (RuntimeError("a mistake of ours"), Status.PROCESSING_FAILURE),
        (Status.DUPLICATE_CONFLICT, Status.DUPLICATE_CONFLICT),
        (Status.DATA_SET_MISMATCH, Status.DATA_SET_MISMATCH),
    ],
)
def test_what_the_sink_does_not_keep_is_discarded_and_answered_with_a_failure(
    tmp_path: Path, failure: Status | Exception, status: Status
) -> None:
    path = written(tmp_path, radiograph())
    recorder = Recorder(answer=failure)
    with listening(recorder) as listener:
        outcome = store_instances(caller(), at(listener.port), [path])[0]
        echo(caller(), at(listener.port))
    assert outcome.status == status
    assert recorder.incoming[0].discarded


FULL = [OSError(28, "No space left on device"), NoRoom("the spool is full")]


@pytest.mark.parametrize("failure", FULL, ids=repr)
def test_a_sink_that_cannot_open_a_place_refuses_the_instance(
    tmp_path: Path, failure: Exception
) -> None:
    def full(_facts: StoreFacts) -> Recorded:
        raise failure

    path = written(tmp_path, radiograph())
    listener = open_listener(LOCAL, [MODALITY], full, Recorder().events())
    outcome = store_instances(caller(), at(listener.port), [path])[0]
    listener.close(0.5)
    assert outcome.status == Status.OUT_OF_RESOURCES


@dataclass
class _FillingUp(Recorded):
    """Takes one piece, then fails with its answer."""

    def write(self, data: bytes | memoryview) -> None:
        if self.pieces and isinstance(self.answer, Exception):
            raise self.answer
        super().write(data)


@pytest.mark.parametrize("failure", FULL, ids=repr)
def test_a_disk_that_fills_up_in_the_middle_refuses_the_instance(
    tmp_path: Path, failure: Exception
) -> None:
    places: list[_FillingUp] = []

    def sink(facts: StoreFacts) -> _FillingUp:
        places.append(_FillingUp(facts, failure))
        return places[-1]

    path = written(tmp_path, radiograph(PixelData=bytes(3 << 20)))
    listener = open_listener(LOCAL, [MODALITY], sink, Recorder().events())
    outcome = store_instances(caller(), at(listener.port), [path])[0]
    listener.close(0.5)
    assert outcome.status == Status.OUT_OF_RESOURCES
    assert places[0].discarded
    assert not places[0].committed


def test_an_instance_over_the_size_limit_is_refused_and_discarded(
    tmp_path: Path,
) -> None:
    paths = [
        written(tmp_path, radiograph(1, PixelData=bytes(1 << 20))),
        written(tmp_path, radiograph(2)),
    ]
    recorder = Recorder()
    with listening(recorder, replace(LOCAL, max_instance_bytes=100_000)) as listener:
        outcomes = store_instances(caller(), at(listener.port), paths)
    assert [each.status for each in outcomes] == [0xA700, 0x0000]
    assert recorder.incoming[0].discarded
    assert len(recorder.incoming[0].data) <= 100_000


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("bad", ["../../etc/x", "1.2.", "1..2", "C:\\x", "*"])
def test_a_uid_that_breaks_the_grammar_never_reaches_the_sink(bad: str) -> None:
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID = uid.UID(uid.ComputedRadiographyImageStorage)
    request.AffectedSOPInstanceUID = uid.UID(bad, validation_mode=0)
    request.DataSet = BytesIO(b"\x08\x00\x05\x00CS\x00\x00")
    recorder = Recorder()
    proposal = Proposal(contexts=[_cr_context()])
    with (
        listening(recorder) as listener,
        associated(caller(), at(listener.port), proposal) as assoc,
    ):
        assoc.dimse.send_msg(request, 1)
    until(lambda: bool(recorder.closed), 30, "the association is closed")
    assert recorder.closed[0][1][0].refused == 1
    assert recorder.incoming == []


def test_a_peer_that_may_not_store_is_refused_each_instance(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph())
    recorder = Recorder()
    peer = replace(MODALITY, may_store=False)
    with listening(recorder, peers=[peer]) as listener:
        outcome = store_instances(caller(), at(listener.port), [path])[0]
    assert outcome.status == Status.NOT_AUTHORISED
    assert recorder.incoming == []


@pytest.mark.parametrize(
    ("originator", "status"),
    [
        ("MAIRA_GW", Status.SUCCESS),
        ("XRAY", Status.SUCCESS),
        ("ROOM2", Status.SUCCESS),
        ("STRANGER", Status.NOT_AUTHORISED),
    ],
)
def test_a_peer_that_may_not_store_may_deliver_a_move(
    tmp_path: Path, originator: str, status: Status
) -> None:
    path = written(tmp_path, radiograph())
    recorder = Recorder()
    peer = replace(MODALITY, may_store=False, send_titles=(AETitle("ROOM2"),))
    proposal = Proposal(contexts=[_cr_context()])
    with (
        listening(recorder, peers=[peer]) as listener,
        associated(caller(), at(listener.port), proposal) as assoc,
    ):
        answer = assoc.send_c_store(path, originator_aet=originator, originator_id=1)
    assert answer.Status == status
    delivered = [each.facts.is_move_delivery for each in recorder.incoming]
    assert delivered == ([True] if status is Status.SUCCESS else [])


def test_an_instance_that_is_cut_off_is_discarded(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph(PixelData=bytes(4 << 20)))
    recorder = Recorder()
    proposal = Proposal(contexts=[_cr_context()])
    with listening(recorder) as listener:
        with associated(caller(), at(listener.port), proposal) as assoc:
            sender = threading.Thread(target=assoc.send_c_store, args=(path,))
            sender.start()
            until(lambda: bool(recorder.incoming), 30, "the instance has begun")
            assoc.abort()
            sender.join()
        until(lambda: bool(recorder.closed), 30, "the association is closed")
    stored = recorder.incoming[0]
    assert stored.discarded != stored.committed


def test_closing_the_listener_ends_what_is_open() -> None:
    recorder = Recorder()
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    listener = open_listener(LOCAL, [MODALITY], recorder.sink, recorder.events())
    with associated(caller(), at(listener.port), proposal):
        listener.close(0.1)
        assert len(recorder.closed) == 1


def test_closing_the_listener_does_not_wait_for_idle_associations() -> None:
    recorder = Recorder()
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    listener = open_listener(LOCAL, [MODALITY], recorder.sink, recorder.events())
    with associated(caller(), at(listener.port), proposal):
        until(lambda: bool(recorder.opened), 30, "the association is open")
        began = time.monotonic()
        listener.close(60.0)
        assert time.monotonic() - began < 30
        assert len(recorder.closed) == 1


def test_closing_the_listener_waits_until_each_end_is_told() -> None:
    told: list[AssociationFacts] = []

    def tell(facts: AssociationFacts, _counts: tuple[ClassCount, ...]) -> None:
        time.sleep(0.3)  # as a ledger whose disk is slow
        told.append(facts)

    events = replace(Recorder().events(), association_closed=tell)
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    listener = open_listener(LOCAL, [MODALITY], Recorder().sink, events)
    with associated(caller(), at(listener.port), proposal):
        listener.close(60.0)
        assert len(told) == 1


@dataclass
class _Slow(Recorded):
    """Commits when it is let go."""

    let_go: threading.Event = field(default_factory=threading.Event)

    def commit(self) -> Status:
        self.let_go.wait(60)
        return super().commit()


def test_closing_the_listener_lets_an_instance_under_way_arrive(
    tmp_path: Path,
) -> None:
    places: list[_Slow] = []

    def sink(facts: StoreFacts) -> _Slow:
        places.append(_Slow(facts))
        return places[-1]

    path = written(tmp_path, radiograph())
    listener = open_listener(LOCAL, [MODALITY], sink, Recorder().events())
    answered: list[int] = []
    with associated(
        caller(), at(listener.port), Proposal(contexts=[_cr_context()])
    ) as assoc:
        sender = threading.Thread(
            target=lambda: answered.append(assoc.send_c_store(path).Status)
        )
        sender.start()
        until(lambda: bool(places), 30, "the instance has begun")
        closing = threading.Thread(target=listener.close)
        closing.start()
        closing.join(0.3)
        assert closing.is_alive()
        places[0].let_go.set()
        closing.join(30)
        assert not closing.is_alive()
        sender.join(30)
    assert answered == [Status.SUCCESS]
    assert places[0].committed


def _cr_context() -> PresentationContext:
    return build_context(
        uid.ComputedRadiographyImageStorage, uid.ExplicitVRLittleEndian
    )
