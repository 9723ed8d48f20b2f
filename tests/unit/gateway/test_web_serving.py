"""The console's port: slow, many and wrong connections, TLS, proxies, the stop."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from fastapi import FastAPI, Request

from gateway.errors import NotReady
from gateway.web import serving
from gateway.web.boundary import Boundary, Limits
from gateway.web.serving import PortOptions, WebPort
from tests.data.certificates import authority
from tests.data.sites import wait_until

HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def small_app(seconds: float = 30.0) -> FastAPI:
    app = FastAPI(openapi_url=None)
    limits = Limits(hosts=None, body_bytes=10_000, seconds=seconds)
    app.add_middleware(Boundary, limits=limits)

    @app.get("/")
    def say(request: Request) -> dict[str, str]:
        assert request.client is not None
        return {"client": request.client.host, "scheme": request.url.scheme}

    @app.post("/")
    async def take(request: Request) -> int:
        return len(await request.body())

    return app


@contextmanager
def opened(app: FastAPI, **more: object) -> Iterator[int]:
    options = {"host": "127.0.0.1", "port": 0, "connections": 8, **more}
    port = WebPort(app, PortOptions(**options))  # type: ignore[arg-type]
    try:
        yield port.port
    finally:
        port.close()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def rest_of(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes, which it does."""
    came = b""
    try:
        while piece := connection.recv(1 << 16):
            came += piece
    except ConnectionResetError:
        pass
    return came


@pytest.fixture
def _quick_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)


@pytest.mark.usefixtures("_quick_head")
@pytest.mark.parametrize("said", [b"", b"GET", HEAD])
def test_whoever_does_not_finish_the_head_is_closed(said: bytes) -> None:
    with opened(small_app()) as port, closing(connected(port)) as slow:
        slow.sendall(said)
        assert rest_of(slow) == b""


@pytest.mark.usefixtures("_quick_head")
def test_whoever_drips_a_head_is_closed_all_the_same() -> None:
    stop = threading.Event()

    def drip(slow: socket.socket) -> None:
        try:
            slow.sendall(HEAD)
            while not stop.wait(0.05):
                slow.sendall(b"X-A: b\r\n")
        except OSError:
            pass

    with opened(small_app()) as port, closing(connected(port)) as slow:
        dripping = threading.Thread(target=drip, args=(slow,))
        dripping.start()
        assert rest_of(slow) == b""
        stop.set()
        dripping.join()


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with opened(small_app(0.3)) as port, closing(connected(port)) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        assert b" 408 " in slow.recv(1 << 16)


def test_connections_beyond_the_limit_are_closed_and_the_others_served() -> None:
    with opened(small_app(), connections=3) as port:
        held = [connected(port) for _ in range(3)]
        held[0].sendall(HEAD + b"\r\n")
        assert b"200 OK" in held[0].recv(1 << 16)
        with closing(connected(port)) as beyond:
            assert rest_of(beyond) == b""
        for each in held:
            each.close()

        def is_served() -> bool | None:
            with closing(connected(port)) as late:
                late.sendall(HEAD + b"Connection: close\r\n\r\n")
                return b"200 OK" in rest_of(late) or None

        wait_until(is_served, 30, lambda: "no place was given back")


def test_what_is_no_http_is_told_so() -> None:
    with opened(small_app()) as port, closing(connected(port)) as other:
        other.sendall(b"\x01\x00\x00\x00\x00\xcd\r\n\r\n")
        assert b" 400 " in rest_of(other)


def asked(port: int, forwarded: str) -> bytes:
    with closing(connected(port)) as proxy:
        head = f"X-Forwarded-For: {forwarded}\r\nX-Forwarded-Proto: https\r\n"
        proxy.sendall(HEAD + head.encode() + b"Connection: close\r\n\r\n")
        return rest_of(proxy)


def test_what_a_proxy_says_is_believed_of_those_that_are_named_alone() -> None:
    said = b'{"client":"192.0.2.9","scheme":"https"}'
    with opened(small_app(), proxies=["127.0.0.0/8"]) as port:
        assert said in asked(port, "192.0.2.9")
        assert said in asked(port, "198.51.100.1, 192.0.2.9"), "the last one counts"
    for proxies in ([], ["192.0.2.0/24"]):
        with opened(small_app(), proxies=proxies) as port:
            assert b'{"client":"127.0.0.1","scheme":"http"}' in asked(port, "192.0.2.9")


@pytest.mark.peers
def test_a_console_with_a_certificate_speaks_tls_alone(tmp_path: Path) -> None:
    signer = authority(tmp_path)
    own = signer.node("localhost")
    files = {"certificate": str(own.certificate), "key": str(own.key)}
    trusted = ssl.create_default_context(cafile=str(signer.certificate))
    trusted.check_hostname = False
    with opened(small_app(), **files) as port:
        url = f"https://127.0.0.1:{port}/"
        with urlopen(url, timeout=30, context=trusted) as answer:
            assert b'"scheme":"https"' in answer.read()
        with closing(connected(port)) as plain:
            plain.sendall(HEAD + b"\r\n")
            assert b"200" not in rest_of(plain)


def test_a_certificate_that_is_none_ends_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for path in (empty, tmp_path / "none.pem"):
        with pytest.raises(NotReady, match=r"web\.certificate"):
            WebPort(
                small_app(),
                PortOptions(
                    host="127.0.0.1",
                    port=0,
                    connections=8,
                    certificate=str(path),
                    key=str(path),
                ),
            )


def test_a_stop_waits_for_no_idle_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 600)
    port = WebPort(small_app(), PortOptions(host="127.0.0.1", port=0, connections=8))
    with closing(connected(port.port)) as idle:
        idle.sendall(HEAD + b"\r\n")
        assert b"200 OK" in idle.recv(1 << 16)
        port.close()
        port._thread.join(30)
        assert not port._thread.is_alive()
