"""Questions to the provider: so many seconds altogether, so many bytes, no detours.

A limit of each read alone would let somebody who sends a byte at a time hold a thread
for hours, so the time left is handed down to every read of the connection.
"""

import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass

import httpcore2
import httpx2

from gateway.errors import ProviderFailure

MAX_ANSWER_BYTES = 256 << 10
"""A discovery document has 10 KB, a token with two hundred groups 20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one question may take. `context` says whose certificates are believed."""

    seconds: float
    context: ssl.SSLContext


class BoundedTransport(httpx2.BaseTransport):
    """A connection for each question; a redirect is an answer like any other."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return a whole answer; raises ProviderFailure."""
        try:
            with self._pool() as pool:
                return _answer(pool, request)
        except httpcore2.TimeoutException as error:
            seconds = self._limits.seconds
            raise ProviderFailure(f"no answer within {seconds:g} s") from error
        except (
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.UnsupportedProtocol,
        ) as error:
            raise ProviderFailure(f"no answer: {type(error).__name__}") from error

    def _pool(self) -> httpcore2.ConnectionPool:
        return httpcore2.ConnectionPool(
            ssl_context=self._limits.context,
            network_backend=_Backend(time.monotonic() + self._limits.seconds),
        )


class _Backend(httpcore2.NetworkBackend):
    """Connections that know when all of it must be over."""

    def __init__(self, end: float) -> None:
        self._end = end

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the end counts
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect within the time left."""
        stream = httpcore2.SyncBackend().connect_tcp(
            host, port, _left(self._end), local_address, socket_options
        )
        return _Stream(stream, self._end)


class _Stream(httpcore2.NetworkStream):
    """A connection each of whose steps has the time left."""

    def __init__(self, inner: httpcore2.NetworkStream, end: float) -> None:
        self._inner, self._end = inner, end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Return what comes."""
        return self._inner.read(max_bytes, _left(self._end))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send."""
        self._inner.write(buffer, _left(self._end))

    def close(self) -> None:
        """Hang up."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the end counts
    ) -> httpcore2.NetworkStream:
        """Go on in TLS."""
        left = _left(self._end)
        inner = self._inner.start_tls(ssl_context, server_hostname, left)
        return _Stream(inner, self._end)

    def get_extra_info(self, info: str) -> object:
        """Return what is known of the connection."""
        return self._inner.get_extra_info(info)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout
    return left


def _answer(pool: httpcore2.ConnectionPool, asked: httpx2.Request) -> httpx2.Response:
    with pool.stream(
        asked.method,
        httpcore2.URL(
            scheme=asked.url.raw_scheme,
            host=asked.url.raw_host,
            port=asked.url.port,
            target=asked.url.raw_path,
        ),
        headers=[*asked.headers.raw],
        content=asked.read(),
    ) as answer:
        headers = httpx2.Headers(answer.headers)
        if headers.get("Content-Encoding", "identity") != "identity":
            raise ProviderFailure("it answers in an encoding that was not asked for")
        body = b"".join(_capped(answer.iter_stream()))
        return httpx2.Response(
            answer.status, headers=headers, content=body, request=asked
        )


def _capped(chunks: Iterable[bytes]) -> Iterable[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise ProviderFailure(f"longer than {MAX_ANSWER_BYTES} bytes")
        yield chunk
