"""A scripted DICOMweb service on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from dicom_io.ae import AETitle, RemoteAE, WebEndpoint

JSON = "application/dicom+json"
TOKEN = "0b5c-token"  # noqa: S105 - of nobody
BOUNDARY = "b0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service answers to every request."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    missing: int = 0
    """Bytes that are announced and do not come."""


@dataclass
class Service:
    """A running service and what it was asked."""

    port: int = 0
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def remote(self, seconds: float = 10.0) -> RemoteAE:
        """Return it as a peer that has no DIMSE port."""
        url = f"http://127.0.0.1:{self.port}/dicom-web"
        return RemoteAE(
            name="pacs",
            title=AETitle("PACS"),
            host="",
            port=0,
            deadline_seconds=seconds,
            web=WebEndpoint(url=url, token=TOKEN),
        )


@contextmanager
def serving(*answers: Answer) -> Iterator[Service]:
    """Run a service for the length of a with block.

    It gives one answer after the other, the last one from then on.
    """
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers[min(len(service.asked), len(answers) - 1)]
            service.asked.append((self.command, self.path, dict(self.headers)))
            self.send_response(answer.status)
            length = len(answer.body) + answer.missing
            self.send_header("Content-Length", str(length))
            self.send_header("Content-Type", answer.media_type)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # who asked has had enough
                self.wfile.write(answer.body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def multipart(*parts: bytes) -> Answer:
    """Return an answer of application/dicom parts."""
    head = f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + part for part in parts) + f"\r\n--{BOUNDARY}--".encode()
    media_type = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    return Answer(body=body, media_type=media_type)
