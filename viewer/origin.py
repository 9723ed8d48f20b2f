"""One origin for OHIF: its files, our configuration, and Orthanc's DICOMweb.

OHIF's prebuilt pages expect to lie at the root of their host, which Orthanc keeps
for itself (its ServeFolders plug-in refuses "/"), so a small server stands before
both. It only reads: no other method than GET is passed on.
"""

import http.client
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

OHIF = Path(".peers/viewer/node_modules/@ohif/app/dist")
"""Where `npm ci` puts it, from the root of the repository."""

APP_CONFIG = Path(__file__).with_name("app-config.js")
_PASSED_ON = ("/dicom-web/", "/wado")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})
_DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is served: OHIF's folder, and where Orthanc answers HTTP."""

    ohif: Path
    orthanc_host: str
    orthanc_port: int


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".woff2": "font/woff2",
    }

    def __init__(self, served: Served, *args: object) -> None:
        self._served = served
        super().__init__(*args, directory=str(served.ohif))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path.startswith(_PASSED_ON):
            self._pass_on()
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        """Return the file of a path; a path of OHIF's own router is its page."""
        if urlsplit(path).path == "/app-config.js":
            return str(APP_CONFIG)
        found = Path(super().translate_path(path))
        return str(found if found.is_file() else self._served.ohif / "index.html")

    def log_message(self, *_: object) -> None:
        """Say nothing: addresses of studies are no business of the terminal."""

    def _pass_on(self) -> None:
        served = self._served
        upstream = http.client.HTTPConnection(
            served.orthanc_host, served.orthanc_port, timeout=_DEADLINE_SECONDS
        )
        try:
            upstream.request("GET", self.path, headers=self._request_headers())
            self._answer(upstream.getresponse())
        except OSError as error:
            self.send_error(HTTPStatus.BAD_GATEWAY, "Orthanc", str(error))
        finally:
            upstream.close()

    def _request_headers(self) -> dict[str, str]:
        # compressed, the answer's length would be unknown here
        dropped = _HOP_BY_HOP | {"accept-encoding"}
        return {k: v for k, v in self.headers.items() if k.lower() not in dropped}

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if answer.length is None:
            self.send_header("Connection", "close")
        self.end_headers()
        shutil.copyfileobj(answer, self.wfile)


def origin(address: tuple[str, int], served: Served) -> ThreadingHTTPServer:
    """Return a server bound to `address`; port 0 is any free one."""
    return ThreadingHTTPServer(address, partial(_Handler, served))


@contextmanager
def running_origin(address: tuple[str, int], served: Served) -> Iterator[int]:
    """Serve in a thread for the length of a with block; yields the port."""
    server = origin(address, served)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    """Serve in a container: the arguments are Orthanc's host and HTTP port."""
    host, port = sys.argv[1:]
    served = Served(ohif=OHIF, orthanc_host=host, orthanc_port=int(port))
    # in a container; which address of the host reaches it is compose.yaml's to say
    origin(("0.0.0.0", 18080), served).serve_forever()  # noqa: S104


if __name__ == "__main__":
    main()
