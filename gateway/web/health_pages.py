"""The health of the gateway: 200 or 503, with every finding as JSON.

They have threads of their own: whoever watches is answered while every handler of the
console waits for a ledger that is locked.
"""

from collections.abc import Callable, Sequence

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse

from gateway.health import Finding
from gateway.web.guard import anybody

Examine = Callable[[], Sequence[Finding]]


def health_router(live: Examine, ready: Examine) -> APIRouter:
    """Return the two pages."""
    threads = CapacityLimiter(2)
    router = APIRouter(dependencies=[Depends(anybody)])

    @router.get("/health/live")
    async def say_live() -> Response:
        """Say whether it works at all; where not, a new start helps."""
        return _say(await run_sync(live, limiter=threads))

    @router.get("/health/ready")
    async def say_ready() -> Response:
        """Say whether it takes studies and reads them."""
        return _say(await run_sync(ready, limiter=threads))

    return router


def _say(findings: Sequence[Finding]) -> Response:
    ok = all(finding.ok for finding in findings)
    said = {f.name: {"ok": f.ok, "detail": f.detail} for f in findings}
    return JSONResponse({"ok": ok, "findings": said}, 200 if ok else 503)
