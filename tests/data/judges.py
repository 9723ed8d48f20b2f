"""An OpenAI-compatible endpoint on loopback that answers as a test tells it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass
class Reply:
    """What the endpoint sends; `held` keeps it back until the endpoint closes."""

    body: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    held: bool = False


Answer = Callable[[dict[str, object], int], Reply]
"""(request body, how many came before) -> what is sent."""


@dataclass
class Endpoint:
    """The address, what was asked, and with which headers."""

    url: str
    requests: list[dict[str, object]]
    headers: list[dict[str, str]]


def completion(content: object) -> Reply:
    """Return a chat completion; what is no string is written as JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Reply(json.dumps({"id": "1", "object": "x", "choices": [choice]}))


def question(request: dict[str, object]) -> dict[str, object]:
    """Return what the last message asks."""
    messages = request["messages"]
    assert isinstance(messages, list)
    asked = json.loads(messages[-1]["content"])
    assert isinstance(asked, dict)
    return asked


def words_judge(request: dict[str, object], _before: int) -> Reply:
    """Answer by equal words; split at full stops."""
    asked = question(request)
    if "statement" not in asked:
        parts = [part.strip() for part in str(asked["report"]).split(".")]
        return completion({"sentences": [f"{part}." for part in parts if part]})
    report = asked["report"]
    assert isinstance(report, dict)
    evidence = [int(n) for n, text in report.items() if text == asked["statement"]]
    return completion({"entailed": bool(evidence), "evidence": evidence})


@contextmanager
def serving(answer: Answer) -> Iterator[Endpoint]:
    """Serve `answer` for the length of a with block."""
    over = Event()
    endpoint = Endpoint("", [], [])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            before = len(endpoint.requests)
            endpoint.requests.append(body)
            endpoint.headers.append({k.lower(): v for k, v in self.headers.items()})
            reply = answer(body, before)
            if reply.held:
                over.wait(20.0)
                return
            self.send_response(reply.status)
            headers = {"Content-Type": "application/json", **reply.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            data = reply.body.encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
