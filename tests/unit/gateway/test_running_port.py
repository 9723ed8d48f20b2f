import socket
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from dicom_io.ae import AETitle, LocalAE
from dicom_io.scp.receiver import MADE_ROOM
from gateway.running.port import is_answering, is_free
from tests.data.network import Recorder, listening
from tests.data.ports import reserved_port

LOCAL = LocalAE(title=AETitle("MAIRA_GW"), host="127.0.0.1", port=0)


@pytest.fixture
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let who will answer be slow."""
    monkeypatch.setattr("gateway.running.port._SECONDS", 30.0)


@pytest.fixture
def held() -> Iterator[LocalAE]:
    """A port that is bound and listens, as some other program would."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield replace(LOCAL, port=int(server.getsockname()[1]))


@pytest.fixture
def web_port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = Thread(target=server.handle_request)
    server.timeout = 10.0
    thread.start()
    yield server.server_port
    thread.join()
    server.server_close()


def test_a_port_that_nobody_holds_is_free_and_does_not_answer(held: LocalAE) -> None:
    with reserved_port() as port:
        local = replace(LOCAL, port=port)
        assert is_free(local)
        assert not is_answering(local)
    assert not is_free(held)


@pytest.mark.usefixtures("_patience")
def test_a_listener_on_every_address_is_asked_on_loopback() -> None:
    with listening(Recorder()) as listener:
        everywhere = replace(LOCAL, host="0.0.0.0", port=listener.port)  # noqa: S104
        assert is_answering(everywhere)


def test_a_program_that_says_nothing_is_no_dicom_node(
    held: LocalAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.running.port._SECONDS", 0.2)
    assert not is_answering(held)


def test_a_web_server_is_no_dicom_node(web_port: int) -> None:
    assert not is_answering(replace(LOCAL, port=web_port))


@pytest.mark.usefixtures("_patience")
def test_our_own_listener_answers_and_has_nothing_to_record() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        assert is_answering(replace(LOCAL, port=listener.port))
    # Who has gone may still be there for a thread that did not run meanwhile.
    assert [why for _, why in recorder.refused if why != MADE_ROOM] == []
    assert recorder.opened == []
