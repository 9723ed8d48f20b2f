"""The health of the gateway: 200 or 503, with every finding as JSON.

They have threads of their own: whoever watches is answered while every handler of the
console waits for a ledger that is locked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from gateway.watching.health import Finding
from gateway.web.guard import anybody

Examine = Callable[[], Sequence[Finding]]

router = APIRouter(dependencies=[Depends(anybody)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the health of a gateway is looked at; the application's `state.health`."""

    live: Examine
    ready: Examine
    threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))


@router.get("/health/live")
async def say_live(request: Request) -> Response:
    """Say whether it works at all; where not, a new start helps."""
    health: Health = request.app.state.health
    return _say(await run_sync(health.live, limiter=health.threads))


@router.get("/health/ready")
async def say_ready(request: Request) -> Response:
    """Say whether it takes studies and reads them."""
    health: Health = request.app.state.health
    return _say(await run_sync(health.ready, limiter=health.threads))


def _say(findings: Sequence[Finding]) -> Response:
    ok = all(finding.ok for finding in findings)
    said = {f.name: {"ok": f.ok, "detail": f.detail} for f in findings}
    return JSONResponse({"ok": ok, "findings": said}, 200 if ok else 503)
