"""The health of a process that shows no console, as an application of its own."""

from fastapi import FastAPI

from config.sections import HealthSettings
from gateway.web import health_pages
from gateway.web.boundary import Boundary, Limits
from gateway.web.health_pages import Examine, Health
from gateway.web.serving import PortOptions

_CONNECTIONS = 16
_LIMITS = Limits(hosts=None, body_bytes=0, seconds=10.0)
"""A probe comes by whatever name or address it has for us, and brings nothing."""


def create_health_app(live: Examine, ready: Examine) -> FastAPI:
    """Return what answers on /health/live and /health/ready, and nothing else."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(health_pages.router)
    app.state.health = Health(live=live, ready=ready)
    app.add_middleware(Boundary, limits=_LIMITS)
    return app


def health_options(own: HealthSettings) -> PortOptions:
    """Return where a site's settings want it."""
    return PortOptions(
        host=own.host, port=own.port, connections=_CONNECTIONS, section="health"
    )
