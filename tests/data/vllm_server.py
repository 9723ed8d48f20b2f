"""A server of vLLM as the gateway sees one, which does as it is told.

What it answers was read off vLLM 0.32: /v1/models, /version, /tokenize, a stream of
chunks with ids, 404 for another model, 400 for what is too long.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLContext
from typing import Any

from model.engines.vllmserve.plan import ServedName
from model.options import Domain

NAME = ServedName(domain=Domain.RADIOGRAPH, dtype="bfloat16", side=518, digest="a" * 64)
IMAGE_ID, IMAGE_TOKENS, END_ID = 7, 9, 2
EXCHANGE = json.loads((Path(__file__).parent / "vllm_exchange.json").read_text("utf-8"))
"""What crossed between the engine and a real server with the phantom checkpoint."""

Does = int | bytes | Callable[["FakeVllm"], None]
"""A status; what comes instead of an answer (then it hangs up); what is done first."""


def tokens_of(text: str) -> list[int]:
    """One token a character, after the one that begins a text."""
    parts = re.findall("<image>|.", text, re.DOTALL)
    return [1, *(IMAGE_ID if one == "<image>" else 100 + ord(one) for one in parts)]


@dataclass
class FakeVllm:
    """What it is to say, and what it was asked."""

    names: list[str] = field(default_factory=lambda: [str(NAME)])
    version: str = "0.32.0"
    answer: list[str] = field(
        default_factory=lambda: [" ", "<obj>", "The heart is enlarged.", "</obj>"]
    )
    """The text of each token."""
    finish: str = "stop"
    key: str = ""
    next: list[Does] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    widen: int = IMAGE_TOKENS
    go: threading.Event = field(default_factory=threading.Event)
    """Cleared: the answer stops after half of its tokens until it is set."""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when somebody who was being answered has hung up."""
    address: str = ""

    def quick(self, path: str, body: bytes) -> dict[str, Any] | None:
        """Answer what takes no work; None: it has no such path."""
        match path:
            case "/v1/models":
                names = ({"id": name, "max_model_len": 6144} for name in self.names)
                return {"object": "list", "data": [*names]}
            case "/version":
                return {"version": self.version}
            case "/tokenize":
                return {"tokens": tokens_of(json.loads(body)["prompt"])}
            case _:
                return None

    def chunks(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Give the answer, token by token."""
        prompt: list[int] = []
        for token in tokens_of(_text_of(asked)):
            prompt += [token] * (self.widen if token == IMAGE_ID else 1)
        yield {"choices": [_choice("")], "prompt_token_ids": prompt}
        for number, text in enumerate(self.answer):
            if number == len(self.answer) // 2:
                self.go.wait(60)
            yield {"choices": [_choice(text, [100 + len(text)])]}
        last = [END_ID] if self.finish == "stop" else []
        yield {"choices": [{**_choice("", last), "finish_reason": self.finish}]}


def _choice(text: str, ids: list[int] | None = None) -> dict[str, Any]:
    return {"delta": {"content": text}, "finish_reason": None, "token_ids": ids}


def _text_of(asked: dict[str, Any]) -> str:
    (message,) = asked["messages"]
    return "".join(part.get("text", "<image>") for part in message["content"])


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        fake = self.server.fake
        if fake.key and self.headers.get("Authorization") != f"Bearer {fake.key}":
            return self._say(401, {"error": "Unauthorized"})
        found = fake.quick(self.path, body)
        if found is not None:
            return self._say(200, found)
        asked = json.loads(body)
        if asked["model"] not in fake.names:
            return self._say(404, {"error": {"message": "does not exist"}})
        fake.asked.append(asked)
        does = fake.next.pop(0) if fake.next else 200
        if callable(does):
            does = does(fake) or 200
        if isinstance(does, int) and does != 200:
            return self._say(does, {"error": {"message": "Canary^Zebra"}})
        return self._stream(fake, asked, does if isinstance(does, bytes) else None)

    def _stream(
        self, fake: FakeVllm, asked: dict[str, Any], instead: bytes | None
    ) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            if instead is not None:
                self.wfile.write(instead)
                return
            for chunk in fake.chunks(asked):
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            fake.gone.set()

    def _say(self, status: int, said: object) -> None:
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], fake: FakeVllm) -> None:
        super().__init__(address, _Handler)
        self.fake = fake

    def handle_error(self, *_: object) -> None:
        """Say nothing of callers that are gone."""


@contextmanager
def fake_vllm(tls: SSLContext | None = None) -> Iterator[FakeVllm]:
    """Run a server on loopback."""
    fake = FakeVllm()
    fake.go.set()
    with _Server(("127.0.0.1", 0), fake) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "https" if tls else "http"
        fake.address = f"{scheme}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield fake
        finally:
            fake.go.set()
            server.shutdown()
            thread.join()
