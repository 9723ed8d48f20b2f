"""A server on loopback that answers as the one of the weights does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from model.maira2.fetch import REPOSITORY, REVISION


@dataclass
class Hub:
    """What the server holds and does: its refusal if any, and where it cuts a file.

    `page` stands in the place of the list of files; `digests` are told of large files.
    """

    files: dict[str, bytes]
    refusal: tuple[int, str] | None = None
    cut_at: int | None = None
    page: bytes | None = None
    digests: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    authorisations: set[str | None] = field(default_factory=set)
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def _answer(self, *, body: bool) -> None:
        self.hub.authorisations.add(self.headers.get("Authorization"))
        self.hub.asked.append(f"{self.command} {self.path}")
        if "/api/" in self.path:
            self._list()
        elif self.hub.refusal is not None:
            status, code = self.hub.refusal
            self._send(status, b"", {"X-Error-Code": code} if code else {})
        else:
            self._file(self.path.rpartition("/")[2], body=body)

    def _list(self) -> None:
        if self.hub.refusal is not None and self.hub.refusal[0] == 404:
            self._send(404, b"", {"X-Error-Code": self.hub.refusal[1]})
            return
        if self.hub.page is not None:
            self._send(200, self.hub.page, {})
            return
        siblings = [self._sibling(name) for name in self.hub.files]
        answer = {"id": REPOSITORY, "sha": REVISION, "siblings": siblings}
        self._send(200, json.dumps(answer).encode(), {})

    def _sibling(self, name: str) -> dict[str, object]:
        size = len(self.hub.files[name])
        told: dict[str, object] = {"rfilename": name, "size": size}
        if digest := self.hub.digests.get(name):
            told["lfs"] = {"size": size, "sha256": digest, "pointerSize": 134}
        return told

    def _file(self, name: str, *, body: bool) -> None:
        content, headers = (
            self.hub.files[name],
            {"X-Repo-Commit": REVISION, "ETag": f'"{name}"'},
        )
        first = 0
        status = 200
        if span := self.headers.get("Range"):
            self.hub.ranges.append(span)
            first = int(span.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = (
                f"bytes {first}-{len(content) - 1}/{len(content)}"
            )
            status = 206
        sent = content[first:]
        headers["Accept-Ranges"] = "bytes"
        self._send(status, sent, headers, body=body)

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], *, body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if body:
            self.wfile.write(content[: self.hub.cut_at] if self._cuts() else content)

    def _cuts(self) -> bool:
        return self.hub.cut_at is not None and self.path.endswith("model.safetensors")


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Hub]:
    """Serve these files, by their path in the repository, until the block ends."""
    hub = Hub(files=files)
    handler = type("OfThisTest", (Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield hub
        server.shutdown()
        thread.join()
