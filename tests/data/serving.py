"""A console that a real browser can reach, on a port of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn
from fastapi import FastAPI

STARTED_SECONDS = 60.0


class _Server(uvicorn.Server):
    """Says when it listens; leaves the signals of the test run alone."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
        )
        self.listens = threading.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @property
    def port(self) -> int:
        (server,) = self.servers
        return int(server.sockets[0].getsockname()[1])


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an application from a thread; yields where."""
    server = _Server(app)
    thread = threading.Thread(target=server.run, name="console", daemon=True)
    thread.start()
    assert server.listens.wait(STARTED_SECONDS), "the console does not listen"
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.should_exit = True
        thread.join(STARTED_SECONDS)
        assert not thread.is_alive()
