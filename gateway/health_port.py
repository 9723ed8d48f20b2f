"""The health of the gateway over HTTP, for this machine alone.

`/health/live` and `/health/ready` answer 200 or 503, with every finding as JSON.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6

from gateway.errors import NotReady
from gateway.health import Finding

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 8
_SECONDS = 5.0

Examine = Callable[[], Sequence[Finding]]


class HealthPort:
    """An open port; `close` it."""

    def __init__(self, host: str, port: int, pages: Mapping[str, Examine]) -> None:
        """Bind; raises NotReady where the port is taken."""
        try:
            self._server = _server(host, port, pages)
        except OSError as error:
            where = f"{host}:{port}"
            raise NotReady(f"web.port: cannot listen on {where}: {error}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="health", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._server.server_port

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """Serves so many connections at one time, and closes those beyond."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Examine]) -> None:
        self.pages = pages
        self._places = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        """Begin a thread for a connection that has a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serve a connection, then give its place back."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Record what went wrong around one request; the port goes on."""
        logger.error("a question about health failed", exc_info=sys.exception())


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: _Server
    timeout = _SECONDS
    server_version, sys_version = "maira-gateway", ""

    def do_GET(self) -> None:
        """Answer with what is found."""
        examine = self.server.pages.get(self.path)
        if examine is None:
            self._say(404, {"pages": sorted(self.server.pages)})
            return
        findings = examine()
        ok = all(finding.ok for finding in findings)
        said = {f.name: {"ok": f.ok, "detail": f.detail} for f in findings}
        self._say(200 if ok else 503, {"ok": ok, "findings": said})

    def _say(self, status: int, what: Mapping[str, object]) -> None:
        body = json.dumps(what).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Write no line a request into the log."""


def _server(host: str, port: int, pages: Mapping[str, Examine]) -> _Server:
    kind = _Server6 if ":" in host else _Server
    return kind((host, port), pages)
