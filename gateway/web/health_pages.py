"""The health of the gateway: 200 or 503, with every finding as JSON."""

from collections.abc import Callable, Sequence

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse

from gateway.health import Finding
from gateway.web.guard import public

Examine = Callable[[], Sequence[Finding]]


def health_router(live: Examine, ready: Examine) -> APIRouter:
    """Return the two pages."""
    router = APIRouter(dependencies=[Depends(public)])

    @router.get("/health/live")
    def say_live() -> Response:
        """Say whether it works at all; where not, a new start helps."""
        return _say(live())

    @router.get("/health/ready")
    def say_ready() -> Response:
        """Say whether it takes studies and reads them."""
        return _say(ready())

    return router


def _say(findings: Sequence[Finding]) -> Response:
    ok = all(finding.ok for finding in findings)
    said = {f.name: {"ok": f.ok, "detail": f.detail} for f in findings}
    return JSONResponse({"ok": ok, "findings": said}, 200 if ok else 503)
