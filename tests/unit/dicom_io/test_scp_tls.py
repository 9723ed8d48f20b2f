"""Who is let in by certificate, and what is said of who is not."""

import shutil
import socket
import ssl
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.ae import AETitle, LocalAE, RemoteAE, TlsOptions, certificate_name
from dicom_io.errors import PeerFailure, PeerRefused
from dicom_io.scp.listener import Listener
from dicom_io.scu.query import echo
from dicom_io.tls import RenewedContext, client_context
from tests.data.certificates import Authority, authority, trusting
from tests.data.network import LOCAL, MODALITY, Recorder, at, caller, listening
from tests.data.peers import run_peer, until

PROFILE = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""PS3.15 B.12, the suites of TLS 1.2."""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def node(ours: Authority) -> TlsOptions:
    """The listener's files, with a list of revocations."""
    listener = ours.node("listener")
    return replace(listener, revocations=ours.revoke(ours.node("revoked")))


@pytest.fixture(scope="module")
def xray(ours: Authority) -> TlsOptions:
    return ours.node("xray")


@pytest.fixture(scope="module")
def ct(ours: Authority) -> TlsOptions:
    return ours.node("ct")


@pytest.fixture
def local(node: TlsOptions) -> LocalAE:
    return replace(LOCAL, tls=node)


def secured(listener: Listener, shown: TlsOptions) -> RemoteAE:
    """Return the listener as it is called with a certificate."""
    return replace(at(listener.port), tls=shown)


def told(recorder: Recorder) -> str:
    """Wait for a refusal; return what was said of it."""
    until(lambda: bool(recorder.refused), 10, "the refusal is told")
    return recorder.refused[0][1]


def _strangers(ours: Authority, folder: Path) -> dict[str, TlsOptions]:
    return {
        "ended": ours.node("ended", ended=True),
        "self-signed": ours.self_signed("alone"),
        "other authority": trusting(authority(folder).node("xray"), ours),
        "revoked": TlsOptions(
            certificate=ours.folder / "revoked.pem",
            key=ours.folder / "revoked.key",
            authority=ours.certificate,
        ),
    }


@pytest.fixture(scope="module")
def strangers(
    ours: Authority, node: TlsOptions, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, TlsOptions]:
    assert node.revocations is not None
    return _strangers(ours, tmp_path_factory.mktemp("other"))


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("ended", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("other authority", "unable to get local issuer certificate"),
        ("revoked", "certificate revoked"),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused_and_told(
    local: LocalAE, strangers: dict[str, TlsOptions], who: str, why: str
) -> None:
    recorder = Recorder()
    with listening(recorder, local) as listener:
        with pytest.raises(PeerFailure):
            echo(caller(), secured(listener, strangers[who]))
        assert told(recorder) == f"TLS handshake failed: {why}"
    assert recorder.opened == []


def test_who_shows_no_certificate_is_refused_and_told(
    local: LocalAE, node: TlsOptions
) -> None:
    context = ssl.create_default_context(cafile=str(node.authority))
    context.check_hostname = False
    recorder = Recorder()
    with listening(recorder, local) as listener:
        assert not _speaks(listener.port, context)
        assert "did not return a certificate" in told(recorder)


def _speaks(port: int, context: ssl.SSLContext) -> bool:
    """Whether a secured connection stands until its first byte is answered."""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        suppress(OSError),
        context.wrap_socket(plain) as secured,
    ):
        secured.sendall(bytes.fromhex("05000000000400000000"))
        return secured.recv(1) == b"\x07"
    return False


def _client(node: TlsOptions) -> ssl.SSLContext:
    """Return a client that would speak any version with any suite."""
    context = client_context(node)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"])
def test_versions_before_1_2_are_refused(
    local: LocalAE, xray: TlsOptions, version: str
) -> None:
    context = _client(xray)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion[version]
        recorder = Recorder()
        with listening(recorder, local) as listener:
            assert _speaks(listener.port, context) == (version > "TLSv1_1")


@pytest.fixture(scope="module")
def with_rsa(tmp_path_factory: pytest.TempPathFactory) -> TlsOptions:
    return authority(tmp_path_factory.mktemp("rsa"), "rsa").node("listener")


@pytest.fixture(params=["ec", "rsa"])
def any_key(
    request: pytest.FixtureRequest, xray: TlsOptions, with_rsa: TlsOptions
) -> TlsOptions:
    return xray if request.param == "ec" else with_rsa


def test_a_scan_finds_the_suites_of_the_profile_alone(any_key: TlsOptions) -> None:
    local = replace(LOCAL, tls=any_key)
    context = _client(any_key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    names = [c["name"] for c in context.get_ciphers() if c["protocol"] != "TLSv1.3"]
    weak = [name for name in names if name not in PROFILE]
    assert len(weak) > 20
    with listening(Recorder(), local) as listener:
        context.set_ciphers(":".join(weak) + ":@SECLEVEL=0")
        assert not _speaks(listener.port, context)
        found = [name for name in PROFILE if _speaks_suite(listener, any_key, name)]
    kind = "ECDSA" if any_key.certificate.parent.name.startswith("ours") else "RSA"
    assert found == [name for name in PROFILE if kind in name]


def _speaks_suite(listener: Listener, node: TlsOptions, name: str) -> bool:
    context = _client(node)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(name)
    return _speaks(listener.port, context)


@pytest.mark.peers
def test_dcmtk_speaks_tls_with_us(local: LocalAE, xray: TlsOptions) -> None:
    words = ("+tls", xray.key, xray.certificate, "+cf", xray.authority)
    call = ("-aet", "XRAY", "-aec", "MAIRA_GW", "127.0.0.1")
    recorder = Recorder()
    with listening(recorder, local) as listener:
        answer = run_peer("echoscu", *words, *call, listener.port)
        assert answer.returncode == 0, answer.stderr
        plain = run_peer("echoscu", *call, listener.port)
        assert plain.returncode != 0
    assert recorder.opened[0].certificate >= {"cn:xray", "dns:xray.example"}


def test_plain_dicom_at_the_tls_port_ends_at_once(
    local: LocalAE, xray: TlsOptions
) -> None:
    patient = replace(local, pdu_deadline_seconds=60.0)
    recorder = Recorder()
    with listening(recorder, patient) as listener:
        began = time.monotonic()
        with pytest.raises(PeerFailure):
            echo(caller(), replace(at(listener.port), deadline_seconds=60.0))
        assert time.monotonic() - began < 30
        echo(caller(), secured(listener, xray))
        assert told(recorder).startswith("TLS handshake failed: ")


def test_tls_at_the_plain_port_ends_at_once(xray: TlsOptions) -> None:
    patient = replace(LOCAL, pdu_deadline_seconds=60.0)
    with listening(Recorder(), patient) as listener:
        began = time.monotonic()
        with pytest.raises(PeerFailure):
            echo(caller(), replace(secured(listener, xray), deadline_seconds=60.0))
        assert time.monotonic() - began < 30
        echo(caller(), at(listener.port))


def _fingerprint(node: TlsOptions) -> str:
    encoded = ssl.PEM_cert_to_DER_cert(node.certificate.read_text())
    from hashlib import sha256

    return certificate_name(sha256(encoded).hexdigest().upper())


CT = RemoteAE(name="ct", title=AETitle("CT"), host="127.0.0.1", port=104)


@pytest.fixture(params=["sha256", "cn", "dns"])
def bound(request: pytest.FixtureRequest, xray: TlsOptions) -> list[RemoteAE]:
    """Peers of which one is bound to its certificate, by each of its names."""
    name = {"cn": "cn:xray", "dns": "dns:XRAY.example", "sha256": _fingerprint(xray)}
    names = frozenset({certificate_name(name[request.param].removeprefix("sha256:"))})
    return [replace(MODALITY, certificates=names), CT]


def test_a_peer_is_known_by_its_certificate(
    local: LocalAE, xray: TlsOptions, bound: list[RemoteAE]
) -> None:
    with listening(Recorder(), local, bound) as listener:
        echo(caller(), secured(listener, xray))


@pytest.fixture
def devices(xray: TlsOptions, ct: TlsOptions) -> dict[str, TlsOptions]:
    return {"xray": xray, "ct": ct}


@pytest.mark.parametrize(
    ("title", "shown"),
    [("XRAY", "ct"), ("CT", "xray")],
)
def test_a_valid_certificate_of_another_device_is_refused_and_told(
    local: LocalAE,
    devices: dict[str, TlsOptions],
    bound: list[RemoteAE],
    title: str,
    shown: str,
) -> None:
    recorder = Recorder()
    with listening(recorder, local, bound) as listener:
        with pytest.raises(PeerRefused):
            echo(caller(title), secured(listener, devices[shown]))
        why = told(recorder)
    assert (
        why
        == {
            "XRAY": "certificate is not one of x-ray",
            "CT": "certificate is of x-ray, which has another title",
        }[title]
    )
    assert recorder.refused[0][0].calling_title == title


def test_without_tls_nobody_shows_a_certificate() -> None:
    peer = replace(MODALITY, certificates=frozenset({"cn:xray"}))
    recorder = Recorder()
    with listening(recorder, LOCAL, [peer]) as listener:
        with pytest.raises(PeerRefused):
            echo(caller(), at(listener.port))
        assert told(recorder) == "certificate is not one of x-ray"


@pytest.fixture
def copied(node: TlsOptions, tmp_path: Path) -> TlsOptions:
    """The listener's files where they can be exchanged."""
    return TlsOptions(
        certificate=Path(shutil.copy(node.certificate, tmp_path / "own.pem")),
        key=Path(shutil.copy(node.key, tmp_path / "own.key")),
        authority=Path(shutil.copy(node.authority, tmp_path / "ca.pem")),
    )


def _shown(port: int, client: TlsOptions) -> str:
    """Return the common name of the certificate that the listener shows."""
    context = client_context(client)
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain) as secured,
    ):
        subject = secured.getpeercert() or {}
        return str(subject["subject"])


def test_renewed_files_serve_new_connections_without_a_restart(
    copied: TlsOptions,
    ours: Authority,
    xray: TlsOptions,
    caplog: pytest.LogCaptureFixture,
) -> None:
    new = ours.node("renewed")
    with listening(Recorder(), replace(LOCAL, tls=copied)) as listener:
        assert "'listener'" in _shown(listener.port, xray)
        shutil.copy(new.certificate, copied.certificate)
        # Its key is not there yet: the old pair stays in force, and it is said.
        for _ in range(2):
            assert "'listener'" in _shown(listener.port, xray)
        broken = [r for r in caplog.records if "broken" in r.message]
        assert len(broken) == 1
        shutil.copy(new.key, copied.key)
        assert "'renewed'" in _shown(listener.port, xray)
        copied.certificate.unlink()
        assert "'renewed'" in _shown(listener.port, xray)


def test_a_certificate_that_is_revoked_later_is_refused_later(
    tmp_path: Path,
) -> None:
    own = authority(tmp_path / "own")
    listener_files, device = own.node("listener"), own.node("device")
    files = replace(listener_files, revocations=own.revoke())
    with listening(Recorder(), replace(LOCAL, tls=files)) as listener:
        echo(caller(), secured(listener, device))
        own.revoke(device)
        with pytest.raises(PeerFailure):
            echo(caller(), secured(listener, device))


def test_files_that_did_not_change_are_read_once(node: TlsOptions) -> None:
    renewed = RenewedContext(node)
    assert renewed.current() is renewed.current()


@pytest.mark.parametrize(
    "text", ["", "xray", "cn:", "dns: ", "sha256:" + "a" * 64, "a" * 63, "CN:xray"]
)
def test_what_names_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        certificate_name(text)


def test_a_fingerprint_is_read_with_and_without_colons() -> None:
    plain = "AB" * 32
    assert certificate_name(":".join(["AB"] * 32)) == certificate_name(plain)
