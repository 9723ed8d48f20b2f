"""What hostile, slow and broken connections may cost the listener: little."""

import socket
import threading
import time
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from pydicom import uid
from pynetdicom import AE, build_context, evt, sop_class

from dicom_io.contexts import message_context
from dicom_io.errors import PeerFailure, PeerRefused
from dicom_io.scp.listener import Listener
from dicom_io.scu.association import Proposal, associated
from dicom_io.scu.query import echo
from tests.data.network import (
    LOCAL,
    QUICK,
    Recorder,
    at,
    caller,
    listening,
    radiograph,
    written,
)
from tests.data.peers import until

CR = uid.ComputedRadiographyImageStorage

HALF_PDU = b"\x01\x00\x00\x00\x00\xd0"


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


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


def _echo_succeeds(port: int, seconds: float = 10.0) -> bool:
    try:
        echo(caller(), replace(at(port), deadline_seconds=seconds))
    except PeerRefused:
        return False
    return True


def _echo_comes_through(port: int) -> bool:
    """Tell whether we were served; a listener in a hurry may cut us too."""
    try:
        return _echo_succeeds(port)
    except PeerFailure:
        return False


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def _hurrying(recorder: Recorder) -> AbstractContextManager[Listener]:
    """Open a listener that waits no longer than four seconds for a PDU.

    So long we are given too, who echo beside those that are cut.
    """
    return listening(recorder, replace(LOCAL, pdu_deadline_seconds=4.0))


def test_half_pdus_leave_room_and_their_slots_come_back() -> None:
    recorder = Recorder()
    before = threading.active_count()
    with _hurrying(recorder) as listener, ExitStack() as stack:
        for _ in range(12):
            half = stack.enter_context(_connect(listener.port))
            half.sendall(HALF_PDU)
        assert _echo_succeeds(listener.port)
        until(lambda: threading.active_count() <= before + 2, 30, "threads end")


@pytest.mark.parametrize("sent", [b"", HALF_PDU[:1], HALF_PDU, HALF_PDU + b"\x00"])
def test_two_hundred_slow_peers_shut_nobody_out(sent: bytes) -> None:
    local = replace(LOCAL, pdu_deadline_seconds=60.0)
    with listening(Recorder(), local) as listener, ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(_connect(listener.port))
            with suppress(OSError):
                connection.sendall(sent)
            if number % 50 == 0:
                _echo_within(30.0, listener.port)
        _echo_within(30.0, listener.port)


def _echo_within(seconds: float, port: int) -> None:
    """Echo sooner than any deadline here could have helped."""
    began = time.monotonic()
    assert _echo_succeeds(port, 60.0)
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
    with (
        listening(Recorder(), QUICK) as listener,
        _connect(listener.port) as connection,
    ):
        connection.sendall(bytes([kind, 0, 0, 0, 0, 4, 0, 0, 0, 0]))
        assert _is_cut(connection, 30)
        until(lambda: _echo_comes_through(listener.port), 30, "an echo is served")


@pytest.mark.parametrize("length", [0, 1, 3, 68, 4096])
def test_an_association_request_of_noise_ends_the_connection(length: int) -> None:
    noise = bytes(index * 37 % 256 for index in range(length))
    with (
        listening(Recorder(), QUICK) as listener,
        _connect(listener.port) as connection,
    ):
        connection.sendall(b"\x01\x00" + length.to_bytes(4, "big") + noise)
        assert _is_cut(connection, 30)
        until(lambda: _echo_comes_through(listener.port), 30, "an echo is served")


def test_one_byte_a_second_is_cut_by_the_deadline_while_others_are_served() -> None:
    with _hurrying(Recorder()) as listener, _connect(listener.port) as connection:
        began = time.monotonic()
        drip = threading.Thread(target=_drip, args=(connection,), daemon=True)
        drip.start()
        while drip.is_alive():
            assert _echo_succeeds(listener.port)
        assert time.monotonic() - began < 60


def _drip(connection: socket.socket) -> None:
    """Send the header byte by byte until the other side has closed."""
    connection.settimeout(0.5)
    for byte in HALF_PDU * 40:
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
        until(lambda: threading.active_count() <= before, 30, "threads end")
        assert _echo_succeeds(listener.port)


def test_an_association_that_says_nothing_is_closed() -> None:
    local = replace(LOCAL, idle_seconds=2.0)
    recorder = Recorder()
    proposal = Proposal(contexts=[message_context(sop_class.Verification)])  # type: ignore[attr-defined]
    with (
        listening(recorder, local) as listener,
        associated(caller(), at(listener.port), proposal),
    ):
        until(lambda: bool(recorder.closed), 30, "the idle association is closed")


def test_a_data_set_that_drips_is_cut_though_each_pdu_is_in_time(
    session: list[bytes],
) -> None:
    recorder = Recorder()
    with _hurrying(recorder) as listener, _connect(listener.port) as connection:
        _associate(connection, session[0])
        connection.sendall(session[1])
        drop = b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x01\x00\x08\x00"
        drip = threading.Thread(target=_repeat, args=(connection, drop), daemon=True)
        drip.start()
        drip.join(30)
        assert not drip.is_alive()
        until(lambda: bool(recorder.closed), 30, "the association is closed")
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
    end = time.monotonic() + 30
    while time.monotonic() < end:
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
        until(lambda: len(recorder.closed) == len(recorder.opened), 30, "all closed")
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
            [build_context(CR, uid.ExplicitVRLittleEndian)],
            "MAIRA_GW",
            evt_handlers=[(evt.EVT_DATA_SENT, lambda event: sent.append(event.data))],
        )
        assoc.send_c_store(path)
        assoc.release()
    return sent
