"""How a page is made: escaped by construction, and never without who it is for."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.web import cookies
from model.version import VERSION

RESEARCH_ONLY = "Research only, not for clinical use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An entry of the navigation."""

    name: str
    path: str
    permission: Permission


NAVIGATION = (
    Place(name="Studies", path="/studies", permission=Permission.STUDIES_READ),
    Place(name="Audit", path="/audit", permission=Permission.AUDIT_READ),
    Place(name="System", path="/system", permission=Permission.SYSTEM_READ),
    Place(name="Accounts", path="/accounts", permission=Permission.ACCOUNTS_MANAGE),
)

TEMPLATES = Environment(
    loader=PackageLoader("gateway.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    **values: object,
) -> HTMLResponse:
    """Return a page; `values` are those of its template.

    Every template also has `person` (None: nobody signed in), `places`,
    `form_token`, `research_only`, `version` and `path`.
    """
    html = TEMPLATES.get_template(template).render({**_common(request), **values})
    response = HTMLResponse(html, status_code=status)
    cookies.answer_greeting(request, response)
    return response


def person_of(request: Request) -> Person | None:
    """Return who asks, once the guard has looked."""
    found: Person | None = getattr(request.state, "person", None)
    return found


def _common(request: Request) -> Mapping[str, object]:
    person = person_of(request)
    may = person.permissions if person else frozenset()
    return {
        "person": person,
        "may": {permission.name for permission in may},
        "places": [place for place in NAVIGATION if place.permission in may],
        "path": request.url.path,
        "form_token": cookies.greet(request),
        "form_field": cookies.FIELD,
        "research_only": RESEARCH_ONLY,
        "version": VERSION,
    }
