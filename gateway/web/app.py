"""The console as one application; each area is a router."""

from datetime import timedelta
from functools import cache
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from gateway.accounts.sessions import SessionLimits
from gateway.openid.provider import provider_of
from gateway.site import Site
from gateway.web import (
    accounts,
    api,
    audit,
    audit_reviews,
    fhir,
    health_pages,
    measures,
    openid,
    own_account,
    setting_up,
    signing_in,
    studies,
    study,
    system,
)
from gateway.web.boundary import Boundary, Limits
from gateway.web.failures import add_failures
from gateway.web.forms import demand_form
from gateway.web.guard import STATIC_FILES, declarations
from gateway.web.health_pages import Examine, Health

AREAS = (
    health_pages.router,
    signing_in.router,
    openid.router,
    setting_up.router,
    own_account.router,
    accounts.router,
    measures.router,
    api.router,
    fhir.router,
    study.router,
    # A line for each area.
    studies.router,
    system.router,
    audit.router,
    audit_reviews.router,
)

STATIC = Path(__file__).parent / "static"


def create_app(site: Site, live: Examine = tuple, ready: Examine = tuple) -> FastAPI:
    """Return the application of a site; `live` and `ready` look at its health.

    Raises TypeError where a route does not declare who may call it, and NotReady where
    the files of the OpenID provider cannot be read.
    """
    demand_declared()
    app = _bare_app()
    app.state.site = site
    app.state.health = Health(live=live, ready=ready)
    app.state.limits = _session_limits(site)
    app.state.openid = provider_of(site.settings.openid)
    app.add_middleware(Boundary, limits=_limits(site))
    add_failures(app)
    return app


@cache
def demand_declared() -> None:
    """Raise TypeError where a route does not declare who may call it.

    Once a process: FastAPI builds every route for that, 0.1 s that an application
    spends at its first request anyway.
    """
    declarations(_bare_app().routes)


def _bare_app() -> FastAPI:
    app = FastAPI(
        title="maira-gateway",
        dependencies=[Depends(demand_form)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.mount(STATIC_FILES, StaticFiles(directory=STATIC), name="static")
    for area in AREAS:
        app.include_router(area)
    return app


def _session_limits(site: Site) -> SessionLimits:
    own = site.settings.web
    return SessionLimits(
        idle=timedelta(minutes=own.session_idle_minutes),
        longest=timedelta(hours=own.session_hours),
    )


def _limits(site: Site) -> Limits:
    own = site.settings.web
    return Limits(
        hosts=own.host_names(),
        body_bytes=own.max_request_bytes,
        seconds=own.request_seconds,
    )
