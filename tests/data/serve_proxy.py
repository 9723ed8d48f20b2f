"""A proxy of Ray Serve as the gateway sees one, with replicas that do as they are told.

What it answers was read off Ray Serve 2.60: /-/routes, 404 without the application,
503 where every replica has its fill, 500 where one was lost.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext

from model.engine import EngineIdentity
from model.engines.rayserve.asking import ALONE
from model.engines.wire import Ask, Failed, Message, Ready, Reports, decode, encode
from model.errors import ModelError
from model.report import GroundedReport
from tests.data.engines import CannedEngine

APPLICATION = "maira"
Does = int | ModelError | bytes | None
"""A status; an error that the replica answers; bytes as they are; None: hangs up."""


@dataclass
class FakeProxy:
    """What it is to do next, and what it was asked."""

    engine: CannedEngine = field(default_factory=CannedEngine)
    identity: EngineIdentity = field(default_factory=lambda: CannedEngine().identity)
    routes: dict[str, str] = field(
        default_factory=lambda: {f"/{APPLICATION}": APPLICATION}
    )
    next: list[Does] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    alone: list[bool] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    """Cleared: a question is held until it is set."""
    address: str = ""

    def reply(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        """Return status and body; None hangs up."""
        if path == "/-/routes":
            return 200, json.dumps(self.routes).encode()
        if path not in self.routes:
            return 404, b"not found"
        does = self.next.pop(0) if self.next else 200
        match does:
            case None:
                return None
            case bytes():
                return 200, does
            case int() if does != 200:
                return does, b"Internal Server Error"
            case _:
                return 200, self._said(method, body, does)

    def _said(self, method: str, body: bytes, does: Does) -> bytes:
        ready = encode(Ready(identity=self.identity, device="cpu"))
        return ready if method == "GET" else ready + encode(self._answer(body, does))

    def _answer(self, body: bytes, does: Does) -> Message:
        ask = decode(body)
        assert isinstance(ask, Ask)
        self.asked.append(ask)
        if isinstance(does, ModelError):
            return Failed.of(does)
        given = self.engine.generate(ask.requests)
        return Reports(reports=tuple(tuple(map(self._signed, each)) for each in given))

    def _signed(self, report: GroundedReport) -> GroundedReport:
        signed = replace(
            report.provenance,
            weights_digest=self.identity.weights_digest,
            settings_digest=self.identity.settings_digest,
        )
        return replace(report, provenance=signed)


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "POST":
            proxy.alone.append(ALONE in self.headers)
        proxy.go.wait(60)
        reply = proxy.reply(self.command, self.path, body)
        self.close_connection = True
        if reply is None:
            return
        self.send_response(reply[0])
        self.send_header("Content-Length", str(len(reply[1])))
        self.end_headers()
        self.wfile.write(reply[1])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], proxy: FakeProxy) -> None:
        super().__init__(address, _Handler)
        self.proxy = proxy

    def handle_error(self, *_: object) -> None:
        """Say nothing of callers that are gone."""


@contextmanager
def fake_proxy(tls: SSLContext | None = None) -> Iterator[FakeProxy]:
    """Run a proxy on loopback."""
    proxy = FakeProxy()
    proxy.go.set()

    with _Server(("127.0.0.1", 0), proxy) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "https" if tls else "http"
        proxy.address = f"{scheme}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.go.set()
            server.shutdown()
            thread.join()
