"""The console's port: uvicorn on a thread of its own, within limits.

Whatever is asked of the console, so many connections are open at one time and so many
handlers run; the threads of the DICOM port are others.
"""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from config.sections import WebSettings
from gateway.errors import NotReady

logger = logging.getLogger(__name__)

HANDLERS = 8
"""Handlers that run at one time."""

HEAD_SECONDS = 5
"""How long the head of a request may take, and a connection be idle between two."""

_STOP_SECONDS = 3
"""What requests under way get at a stop."""

_STARTING_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOptions:
    """Where the console listens. `certificate` and `key` are "" without TLS.

    `proxies` are the networks whose X-Forwarded-* is believed. `section` is the table
    of the settings that says so.
    """

    host: str
    port: int
    connections: int
    section: str = "web"
    certificate: str = ""
    key: str = ""
    proxies: Sequence[str] = ()


def port_options(own: WebSettings) -> PortOptions:
    """Return where a site's settings want the console."""
    return PortOptions(
        host=own.host,
        port=own.port,
        connections=own.max_connections,
        certificate=own.certificate,
        key=own.key,
        proxies=[str(each) for each in own.proxies],
    )


class WebPort:
    """An open port; `close` it."""

    def __init__(self, app: FastAPI, options: PortOptions) -> None:
        """Bind; raises NotReady where the port is taken or the certificate is none."""
        self._server = _Server(_configured(app, options))
        self._socket = _bound(options)
        self._port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="web", daemon=True
        )
        self._thread.start()
        self._server.answers.wait(_STARTING_SECONDS)

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._port

    def close(self) -> None:
        """Answer no more."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS + 2)
        if self._thread.is_alive():
            logger.warning("a request to the console is left as it is")
        self._socket.close()


class _Server(uvicorn.Server):
    """Runs so many handlers at one time."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        current_default_thread_limiter().total_tokens = HANDLERS
        await super().startup(sockets)
        self.answers.set()


class _Connection(H11Protocol):
    """Closes what is beyond the limit, and whoever does not ask in time."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        if len(self.connections) >= int(self.limit_concurrency or 0):
            transport.abort()
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Go on expecting it until its head is whole."""
        super().data_received(data)
        is_between = self.cycle is None or self.cycle.response_complete
        if not is_between:
            self._expect_no_head()
        elif self._head is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._expect_no_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS, self._close_if_idle)

    def _expect_no_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _close_if_idle(self) -> None:
        self._head = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()


def _configured(app: FastAPI, options: PortOptions) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        # It would write a line for whatever a stranger sends; failures are logged here.
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=bool(options.proxies),
        forwarded_allow_ips=[*options.proxies],
        # From so many on it would answer 503; they are closed before.
        limit_concurrency=options.connections + 1,
        timeout_keep_alive=HEAD_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        ssl_certfile=options.certificate or None,
        ssl_keyfile=options.key or None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise NotReady(f"web.certificate, web.key: cannot be used: {error}") from error
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return config


def _bound(options: PortOptions) -> socket.socket:
    host, port = options.host, options.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = socket.socket(family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((host, port))
    except OSError as error:
        own.close()
        where = f"{host}:{port}"
        key = f"{options.section}.port"
        raise NotReady(f"{key}: cannot listen on {where}: {error}") from error
    return own
