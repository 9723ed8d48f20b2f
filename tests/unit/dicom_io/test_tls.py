import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.ae import LocalAE, TlsOptions
from dicom_io.errors import ListenerFailure, PeerUnreachable
from dicom_io.scp.listener import open_listener
from dicom_io.scu.query import echo
from dicom_io.tls import server_context
from tests.data.network import LOCAL, Recorder, at, caller, listening
from tests.data.peers import require_peer, until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> TlsOptions:
    return _site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> TlsOptions:
    return _site(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def local(site: TlsOptions) -> LocalAE:
    return replace(LOCAL, tls=site)


def _site(folder: Path) -> TlsOptions:
    """Make an authority and a node's certificate that it signed."""
    _openssl(folder, _key("ca"), ["-x509", "-days", "2", "-out", "ca.pem"])
    signed = ["-x509", "-days", "2", "-CA", "ca.pem", "-CAkey", "ca.key"]
    _openssl(folder, _key("node"), [*signed, "-out", "node.pem"])
    return TlsOptions(
        certificate=folder / "node.pem",
        key=folder / "node.key",
        authority=folder / "ca.pem",
    )


def _key(name: str) -> Sequence[str]:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    return ["req", *curve, "-keyout", f"{name}.key", "-subj", f"/CN={name}"]


def _openssl(folder: Path, *arguments: Sequence[str]) -> None:
    command = [require_peer("openssl"), *(each for part in arguments for each in part)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_a_peer_with_a_certificate_of_the_site_is_served(
    local: LocalAE, site: TlsOptions
) -> None:
    recorder = Recorder()
    with listening(recorder, local) as listener:
        echo(caller(), replace(at(listener.port), tls=site))
    assert recorder.opened[0].encrypted


def test_a_certificate_of_another_authority_is_refused_and_told(
    local: LocalAE, stranger: TlsOptions, site: TlsOptions
) -> None:
    recorder = Recorder()
    ours = replace(stranger, authority=site.authority)
    with listening(recorder, local) as listener:
        with pytest.raises(PeerUnreachable):
            echo(caller(), replace(at(listener.port), tls=ours))
        until(lambda: bool(recorder.refused), 30, "the refusal is told")
    assert "TLS handshake failed" in recorder.refused[0][1]


def test_a_listener_of_another_authority_is_not_spoken_to(
    local: LocalAE, stranger: TlsOptions
) -> None:
    with listening(Recorder(), local) as listener, pytest.raises(PeerUnreachable):
        echo(caller(), replace(at(listener.port), tls=stranger))


def test_a_silent_tls_peer_does_not_block_others(
    local: LocalAE, site: TlsOptions
) -> None:
    recorder = Recorder()
    with (
        listening(recorder, local) as listener,
        socket.create_connection(("127.0.0.1", listener.port)),
    ):
        echo(caller(), replace(at(listener.port), tls=site))
        assert recorder.refused == []


def test_a_silent_tls_peer_is_cut(local: LocalAE) -> None:
    recorder = Recorder()
    hurried = replace(local, pdu_deadline_seconds=1.0)
    with (
        listening(recorder, hurried) as listener,
        socket.create_connection(("127.0.0.1", listener.port)),
    ):
        until(lambda: bool(recorder.refused), 30, "the silent peer is cut")


def test_two_hundred_silent_tls_peers_shut_nobody_out(
    local: LocalAE, site: TlsOptions
) -> None:
    patient = replace(local, pdu_deadline_seconds=60.0)
    with listening(Recorder(), patient) as listener, ExitStack() as stack:
        for _ in range(200):
            address = ("127.0.0.1", listener.port)
            stack.enter_context(socket.create_connection(address))
        began = time.monotonic()
        echo(caller(), replace(at(listener.port), tls=site, deadline_seconds=60.0))
        assert time.monotonic() - began < 30


def test_a_plain_peer_at_the_tls_port_fails_and_harms_nobody(
    local: LocalAE, site: TlsOptions
) -> None:
    with listening(Recorder(), local) as listener:
        with pytest.raises(PeerUnreachable):
            echo(caller(), at(listener.port))
        echo(caller(), replace(at(listener.port), tls=site))


def test_only_the_suites_of_the_profile_are_offered(site: TlsOptions) -> None:
    context = server_context(site)
    before_13 = {
        each["name"] for each in context.get_ciphers() if each["protocol"] == "TLSv1.2"
    }
    assert before_13 == {
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
    }
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_broken_tls_files_end_the_start(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    tls = TlsOptions(certificate=missing, key=missing, authority=missing)
    recorder = Recorder()
    with pytest.raises(ListenerFailure):
        open_listener(replace(LOCAL, tls=tls), [], recorder.sink, recorder.events())
