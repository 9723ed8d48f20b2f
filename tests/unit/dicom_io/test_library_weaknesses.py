"""What pynetdicom does without our guard (decision 46).

Each test holds while the library has the weakness. One that fails says that upstream
has mended it, and which cover of ours may go.
"""

import fcntl
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from pynetdicom import AE, sop_class
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_P_ABORT
from pynetdicom.transport import AssociationSocket, ThreadedAssociationServer

from dicom_io.contexts import message_context
from dicom_io.scp.guard import GuardedSocket
from dicom_io.tls import client_context, server_context
from tests.data.certificates import authority


@contextmanager
def _plain(tls: ssl.SSLContext | None = None) -> Iterator[tuple[AE, int]]:
    """Run the library's own server; yield its entity and port."""
    ae = AE("PLAIN")
    ae.supported_contexts = [message_context(sop_class.Verification)]  # type: ignore[attr-defined]
    ae.acse_timeout = ae.network_timeout = ae.dimse_timeout = 0.3
    ae.maximum_associations = 2
    server = ae.start_server(("127.0.0.1", 0), block=False, ssl_context=tls)
    assert isinstance(server, ThreadedAssociationServer)
    try:
        yield ae, int(server.server_address[1])
    finally:
        server.shutdown()


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def test_one_silent_tls_client_blocks_everybody(tmp_path: Path) -> None:
    # Cover: the handshake is on the connection's thread (dicom_io/scp/receiver.py).
    node = authority(tmp_path / "own").node("node")
    with _plain(server_context(node)) as (_, port):
        silent = _connected(port)
        time.sleep(0.2)  # it is accepted; there is nothing to wait for
        with _connected(port) as second:
            second.settimeout(1.0)
            with pytest.raises(TimeoutError):
                client_context(node).wrap_socket(second)
        silent.close()
        with _connected(port) as third, client_context(node).wrap_socket(third):
            pass


def test_half_pdus_hold_their_places_beyond_every_timeout() -> None:
    # Cover: a deadline for each PDU (dicom_io/scp/channel.py, GuardedSocket).
    with _plain() as (ae, port), ExitStack() as stack:
        for _ in range(2):
            half = stack.enter_context(_connected(port))
            half.sendall(b"\x01\x00\x00\x00\x00\xd0")
        time.sleep(1.0)  # thrice the timeouts
        # Whoever asks now has longer; those that are held keep theirs.
        ae._acse_timeout = ae._network_timeout = 30.0
        asking = AE("XRAY")
        asking.acse_timeout = asking.connection_timeout = 30
        context = message_context(sop_class.Verification)  # type: ignore[attr-defined]
        assoc = asking.associate("127.0.0.1", port, [context])
        assert assoc.is_rejected


def test_the_length_of_a_pdu_is_believed() -> None:
    # Cover: a cap before anything is read (dicom_io/scp/acceptor.py, GuardedSocket).
    with _plain() as (_, port), _connected(port) as connection:
        connection.sendall(b"\x01\x00\xff\xff\xff\xff")
        for _ in range(24):  # more than the buffers of two sockets hold
            connection.sendall(bytes(1 << 20))


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_descriptor_above_1023_counts_as_lost() -> None:
    # Cover: poll instead of select (GuardedSocket.ready; our receiver never selects).
    ours, theirs = socket.socketpair()
    high = socket.socket(fileno=fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD, 1100))
    with ours, theirs, high:
        ours.sendall(b"x")
        assert _is_ready(AssociationSocket, theirs)
        assert not _is_ready(AssociationSocket, high)
        assert _is_ready(GuardedSocket, high)


def _is_ready(kind: type[AssociationSocket], connected: socket.socket) -> bool:
    asked = object.__new__(kind)
    vars(asked).update(
        socket=connected, _is_connected=True, _is_deaf=False, _ready=None, _assoc=None
    )
    with suppress(Exception):
        return bool(asked.ready)
    return False


def test_a_peer_that_is_gone_may_be_asked_again() -> None:
    # Cover: RestingAssociation (dicom_io/scp/checkpoint.py). Where the association's
    # own thread had no turn yet, the next question waits to the deadline.
    assoc = Association(AE(), "requestor")
    assoc.is_established = True
    assoc.dul.to_user_queue.put(A_P_ABORT())
    assoc._handle_no_response()
    assert assoc.is_established
