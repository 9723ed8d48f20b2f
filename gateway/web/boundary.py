"""What every request passes before, and every answer after, all that is ours.

A browser is told to load nothing from elsewhere and to show us in nobody's frame; a
request has a host that we go by, a size and a time.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # "no-referrer" would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_TOO_MUCH = "the request is too large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`hosts` are the names that we go by, without ports; None: any."""

    hosts: Collection[str] | None
    body_bytes: int
    seconds: float


class Boundary:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through that is within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, receive, send, self._limits)
        refusal = passage.refusal()
        if refusal is not None:
            await refusal(scope, receive, passage.send)
            return
        await self._app(scope, passage.receive, passage.send)


class _Passage:
    """One request and its answer."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, limits: Limits
    ) -> None:
        self._scope, self._limits = scope, limits
        self._receive, self._send = receive, send
        self._until = asyncio.get_running_loop().time() + limits.seconds
        self._came = 0
        self._more = True

    def refusal(self) -> PlainTextResponse | None:
        """Return the answer to what is refused unread."""
        headers = Headers(scope=self._scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return PlainTextResponse("this is not the host you look for", 421)
        said = headers.get("content-length", "0")
        if not said.isdecimal() or int(said) > self._limits.body_bytes:
            return PlainTextResponse(_TOO_MUCH, 413)
        return None

    async def receive(self) -> Message:
        """Return what comes next; raises HTTPException where it is late or too much."""
        if not self._more:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(408, "the request took too long") from error
        self._came += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        if self._came > self._limits.body_bytes:
            raise HTTPException(413, _TOO_MUCH)
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the answer, to who takes it in time."""
        if message["type"] == "http.response.start":
            self._add_headers(MutableHeaders(scope=message))
        async with asyncio.timeout(self._limits.seconds):
            await self._send(message)

    def _is_ours(self, host: str) -> bool:
        hosts = self._limits.hosts
        return hosts is None or _without_port(host) in hosts

    def _add_headers(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if not self._scope["path"].startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")
        if self._scope.get("scheme") == "https":
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
