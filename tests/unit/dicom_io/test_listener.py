import socket
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path
from random import Random

import pytest
from pydicom import uid
from pynetdicom import AE, build_context, evt, sop_class
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext

from dicom_io.ae import AETitle
from dicom_io.association import Proposal, associated
from dicom_io.contexts import message_context
from dicom_io.errors import ListenerFailure, PeerRefused, Unreadable
from dicom_io.listener import StoreFacts, open_listener
from dicom_io.query import echo
from dicom_io.send import store_instances
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
from tests.data.peers import free_port, until

HALF_PDU = b"\x01\x00\x00\x00\x00\xd0"


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def _is_cut(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def _echo_succeeds(port: int) -> bool:
    try:
        echo(caller(), at(port))
    except PeerRefused:
        return False
    return True


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_known_peer_is_answered_and_both_ends_of_its_association_are_told() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        echo(caller(), at(listener.port))
        until(lambda: bool(recorder.closed), 5, "the close is told")
    facts, counts = recorder.closed[0]
    assert recorder.opened == [facts]
    assert (facts.calling_title, facts.peer_address) == ("XRAY", "127.0.0.1")
    assert facts.peer == MODALITY
    assert counts == ()


def test_an_unknown_calling_title_is_rejected_and_told() -> None:
    recorder = Recorder()
    with listening(recorder) as listener, pytest.raises(PeerRefused, match="calling"):
        echo(caller("STRANGER"), at(listener.port))
    assert [facts.calling_title for facts, _ in recorder.refused] == ["STRANGER"]
    assert recorder.opened == []


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
        assert _echo_succeeds(listener.port)


def test_associations_over_the_limit_are_rejected_until_one_ends() -> None:
    local = replace(LOCAL, max_associations=1)
    recorder = Recorder()
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    with listening(recorder, local) as listener:
        with associated(caller(), at(listener.port), proposal):
            until(lambda: bool(recorder.opened), 5, "the association is open")
            with pytest.raises(Exception, match="no association left"):
                echo(caller(), at(listener.port))
        until(lambda: bool(recorder.closed), 5, "the association is closed")
        echo(caller(), at(listener.port))


def test_a_taken_port_is_a_listener_failure() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        local = replace(LOCAL, port=listener.port)
        with pytest.raises(ListenerFailure, match=str(listener.port)):
            open_listener(local, [], recorder.sink, recorder.events())


def test_a_closed_listener_gives_its_port_back() -> None:
    local = replace(LOCAL, port=free_port())
    for _ in range(2):
        with listening(Recorder(), local) as listener:
            assert listener.port == local.port


def test_an_instance_reaches_the_sink_byte_for_byte_in_pieces(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph(PixelData=bytes(3 << 20)))
    recorder = Recorder()
    with listening(recorder) as listener:
        outcome = store_instances(caller(), at(listener.port), [path])[0]
        until(lambda: bool(recorder.closed), 5, "the association is closed")
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
        assert _echo_succeeds(listener.port)
    assert outcome.status == status
    assert recorder.incoming[0].discarded


def test_a_sink_that_cannot_open_a_place_refuses_the_instance(tmp_path: Path) -> None:
    def full(_facts: StoreFacts) -> Recorded:
        raise OSError(28, "No space left on device")

    path = written(tmp_path, radiograph())
    listener = open_listener(LOCAL, [MODALITY], full, Recorder().events())
    outcome = store_instances(caller(), at(listener.port), [path])[0]
    listener.close(0.5)
    assert outcome.status == Status.OUT_OF_RESOURCES


class _FillingUp(Recorded):
    def write(self, data: bytes | memoryview) -> None:
        if self.pieces:
            raise OSError(28, "No space left on device")
        super().write(data)


def test_a_disk_that_fills_up_in_the_middle_refuses_the_instance(
    tmp_path: Path,
) -> None:
    places: list[_FillingUp] = []

    def sink(facts: StoreFacts) -> _FillingUp:
        places.append(_FillingUp(facts))
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
    until(lambda: bool(recorder.closed), 5, "the association is closed")
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


def test_an_instance_that_is_cut_off_is_discarded(tmp_path: Path) -> None:
    path = written(tmp_path, radiograph(PixelData=bytes(4 << 20)))
    recorder = Recorder()
    proposal = Proposal(contexts=[_cr_context()])
    with listening(recorder) as listener:
        with associated(caller(), at(listener.port), proposal) as assoc:
            sender = threading.Thread(target=assoc.send_c_store, args=(path,))
            sender.start()
            until(lambda: bool(recorder.incoming), 5, "the instance has begun")
            assoc.abort()
            sender.join()
        until(lambda: bool(recorder.closed), 5, "the association is closed")
    stored = recorder.incoming[0]
    assert stored.discarded != stored.committed


def test_half_pdus_leave_room_and_their_slots_come_back() -> None:
    recorder = Recorder()
    before = threading.active_count()
    with listening(recorder) as listener, ExitStack() as stack:
        for _ in range(12):
            half = stack.enter_context(_connect(listener.port))
            half.sendall(HALF_PDU)
        assert _echo_succeeds(listener.port)
        until(lambda: threading.active_count() <= before + 1, 6, "threads end")


@pytest.mark.parametrize("sent", [b"", HALF_PDU[:1], HALF_PDU, HALF_PDU + b"\x00"])
def test_two_hundred_slow_peers_shut_nobody_out(sent: bytes) -> None:
    local = replace(LOCAL, pdu_deadline_seconds=20.0)
    with listening(Recorder(), local) as listener, ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(_connect(listener.port))
            with suppress(OSError):
                connection.sendall(sent)
            if number % 50 == 0:
                _echo_within(3.0, listener.port)
        _echo_within(3.0, listener.port)


def _echo_within(seconds: float, port: int) -> None:
    began = time.monotonic()
    assert _echo_succeeds(port)
    assert time.monotonic() - began < seconds


def test_a_pdu_of_four_gibibytes_is_cut_with_memory_flat() -> None:
    with listening(Recorder()) as listener, _connect(listener.port) as connection:
        before = _resident_bytes()
        connection.sendall(b"\x01\x00\xff\xff\xff\xff")
        with pytest.raises(OSError, match=r"reset|pipe"):
            _pour(connection, 300 << 20)
        assert _resident_bytes() - before < 32 << 20
        assert _echo_succeeds(listener.port)


def _pour(connection: socket.socket, count: int) -> None:
    zeros = bytes(1 << 20)
    for _ in range(count // len(zeros)):
        connection.sendall(zeros)


@pytest.mark.parametrize("kind", [0x00, 0x08, 0x47, 0xFF])
def test_an_unknown_pdu_type_ends_the_connection(kind: int) -> None:
    with listening(Recorder()) as listener, _connect(listener.port) as connection:
        connection.sendall(bytes([kind, 0, 0, 0, 0, 4, 0, 0, 0, 0]))
        assert _is_cut(connection, 6)
        assert _echo_succeeds(listener.port)


@pytest.mark.parametrize("length", [0, 1, 3, 68, 4096])
def test_an_association_request_of_noise_ends_the_connection(length: int) -> None:
    noise = bytes(index * 37 % 256 for index in range(length))
    with listening(Recorder()) as listener, _connect(listener.port) as connection:
        connection.sendall(b"\x01\x00" + length.to_bytes(4, "big") + noise)
        assert _is_cut(connection, 6)
        assert _echo_succeeds(listener.port)


def test_one_byte_a_second_is_cut_by_the_deadline_while_others_are_served() -> None:
    with listening(Recorder()) as listener, _connect(listener.port) as connection:
        began = time.monotonic()
        drip = threading.Thread(target=_drip, args=(connection,), daemon=True)
        drip.start()
        while drip.is_alive():
            assert _echo_succeeds(listener.port)
        assert time.monotonic() - began < 6


def _drip(connection: socket.socket) -> None:
    """Send the header byte by byte until the other side has closed."""
    connection.settimeout(0.5)
    for byte in HALF_PDU * 4:
        try:
            connection.send(bytes([byte]))
            if not connection.recv(1):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def test_connections_that_ask_for_nothing_leave_no_threads() -> None:
    with listening(Recorder()) as listener:
        before = threading.active_count()
        for _ in range(100):
            _connect(listener.port).close()
        until(lambda: threading.active_count() <= before, 5, "threads end")
        assert _echo_succeeds(listener.port)


def test_an_association_that_says_nothing_is_closed() -> None:
    local = replace(LOCAL, idle_seconds=0.5)
    recorder = Recorder()
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    with (
        listening(recorder, local) as listener,
        associated(caller(), at(listener.port), proposal),
    ):
        until(lambda: bool(recorder.closed), 5, "the idle association is closed")


def test_a_data_set_that_drips_is_cut_though_each_pdu_is_in_time(
    session: list[bytes],
) -> None:
    recorder = Recorder()
    with listening(recorder) as listener, _connect(listener.port) as connection:
        _associate(connection, session[0])
        connection.sendall(session[1])
        drop = b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x01\x00\x08\x00"
        drip = threading.Thread(target=_repeat, args=(connection, drop), daemon=True)
        drip.start()
        drip.join(8)
        assert not drip.is_alive()
        until(lambda: bool(recorder.closed), 5, "the association is closed")
    assert recorder.incoming[0].discarded


def _repeat(connection: socket.socket, pdu: bytes) -> None:
    """Send `pdu` over and over, slowly, until the other side has closed."""
    connection.settimeout(0.05)
    with suppress(OSError):
        while True:
            connection.sendall(pdu)
            with suppress(TimeoutError):
                if b"\x07" in connection.recv(4096):
                    return


def test_a_command_set_without_end_is_cut(session: list[bytes]) -> None:
    body = b"\x01\x01" + bytes(1 << 19)
    value = len(body).to_bytes(4, "big") + body
    pdu = b"\x04\x00" + len(value).to_bytes(4, "big") + value
    before = _resident_bytes()
    with listening(Recorder()) as listener, _connect(listener.port) as connection:
        _associate(connection, session[0])
        with pytest.raises(OSError, match=r"reset|pipe"):
            _repeat_until_closed(connection, pdu)
        assert _echo_succeeds(listener.port)
    assert _resident_bytes() - before < 96 << 20


def _repeat_until_closed(connection: socket.socket, pdu: bytes) -> None:
    for _ in range(400):
        connection.sendall(pdu)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_mutated_sessions_end_without_harm(session: list[bytes]) -> None:
    chance = Random(20240131)  # noqa: S311 - reproducible
    recorder = Recorder()
    with listening(recorder) as listener:
        for _ in range(150):
            with _connect(listener.port) as connection, suppress(OSError):
                _play(connection, session, chance)
        assert _echo_succeeds(listener.port)
        until(lambda: len(recorder.closed) == len(recorder.opened), 8, "all closed")
    assert all(each.discarded != each.committed for each in recorder.incoming)


def _play(connection: socket.socket, session: list[bytes], chance: Random) -> None:
    """Send a session in which something is wrong, before or after its acceptance."""
    request, rest = session[0], b"".join(session[1:])
    if chance.randrange(4):
        _associate(connection, request)
        connection.sendall(_mutated(rest, chance))
    else:
        connection.sendall(_mutated(request, chance) + rest)
    connection.shutdown(socket.SHUT_WR)


def _associate(connection: socket.socket, request: bytes) -> None:
    """Send an A-ASSOCIATE-RQ and wait for the A-ASSOCIATE-AC."""
    connection.sendall(request)
    assert connection.recv(4096)[0] == 2


def _mutated(content: bytes, chance: Random) -> bytes:
    """Change one to eight bytes, or cut the end off."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(
        changed[: chance.choice((len(changed), chance.randrange(len(changed))))]
    )


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the PDUs of a C-STORE session, as pynetdicom sends them."""
    sent: list[bytes] = []
    path = written(tmp_path_factory.mktemp("session"), radiograph())
    with listening(Recorder()) as listener:
        ae = AE("XRAY")
        assoc = ae.associate(
            "127.0.0.1",
            listener.port,
            [_cr_context()],
            "MAIRA_GW",
            evt_handlers=[(evt.EVT_DATA_SENT, lambda event: sent.append(event.data))],
        )
        assoc.send_c_store(path)
        assoc.release()
    return sent


def test_closing_the_listener_ends_what_is_open() -> None:
    recorder = Recorder()
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    listener = open_listener(LOCAL, [MODALITY], recorder.sink, recorder.events())
    with associated(caller(), at(listener.port), proposal):
        listener.close(0.1)
        assert len(recorder.closed) == 1


def _cr_context() -> PresentationContext:
    return build_context(
        uid.ComputedRadiographyImageStorage, uid.ExplicitVRLittleEndian
    )
