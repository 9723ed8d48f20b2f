"""What Prometheus reads: counts of the ledger, without any patient."""

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse

from gateway.accounts.roles import Permission
from gateway.watching.metrics import collect, exposition
from gateway.web.guard import FromHere, TheSite

router = APIRouter()

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", dependencies=[Depends(FromHere(Permission.SYSTEM_READ))])
def measures(site: TheSite) -> PlainTextResponse:
    """Return the metrics."""
    with site.ledger.reading() as rows:
        found = collect(rows)
    return PlainTextResponse(exposition(found), media_type=_TYPE)
