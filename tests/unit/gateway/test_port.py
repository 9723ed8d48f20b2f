import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dicom_io.ae import AETitle, LocalAE
from gateway.port import is_answering, is_free
from tests.data.network import Recorder, listening

LOCAL = LocalAE(title=AETitle("MAIRA_GW"), host="127.0.0.1", port=0)


@pytest.fixture
def held() -> Iterator[LocalAE]:
    """A port that is bound and listens, as some other program would."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield replace(LOCAL, port=int(server.getsockname()[1]))


def test_a_port_that_nobody_holds_is_free_and_does_not_answer(held: LocalAE) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    local = replace(LOCAL, port=port)
    assert is_free(local)
    assert not is_answering(local)
    assert not is_free(held)


def test_a_listener_on_every_address_is_asked_on_loopback(held: LocalAE) -> None:
    assert is_answering(replace(held, host="0.0.0.0"))  # noqa: S104 - not bound


def test_our_own_listener_answers_and_has_nothing_to_record() -> None:
    recorder = Recorder()
    with listening(recorder) as listener:
        assert is_answering(replace(LOCAL, port=listener.port))
    assert recorder.refused == []
    assert recorder.opened == []
