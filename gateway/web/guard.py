"""Who may call a route: every route declares it, or the application does not start."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Mount

from config.values import is_loopback
from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.accounts.sessions import person_of_session
from gateway.accounts.tokens import person_of_token
from gateway.audit import kinds
from gateway.site import Site
from gateway.web import cookies

STATIC_FILES = "/static"


class NotSignedIn(Exception):  # noqa: N818 - says what is missing
    """The route is for somebody, and nobody signed in."""


class NotPermitted(Exception):  # noqa: N818 - says what was refused
    """The person may not do this."""


def site_of(request: Request) -> Site:
    """Return the site that the application was made for."""
    found: Site = request.app.state.site
    return found


TheSite = Annotated[Site, Depends(site_of)]
"""The parameter of a handler that works with the site."""


class Guard:
    """Lets those through who have a permission; None: whoever signed in."""

    def __init__(self, permission: Permission | None) -> None:
        self.permission = permission

    def admit(self, request: Request, site: Site) -> Person:
        """Return who asks; raises NotSignedIn or NotPermitted, which is recorded."""
        person = who(request, site)
        if person is None:
            raise NotSignedIn
        request.state.person = person
        if self.permission is not None and not person.may(self.permission):
            _record_refusal(person, self.permission, site)
            raise NotPermitted
        return person


class Needs(Guard):
    """Lets nobody else through."""

    def __call__(self, request: Request, site: TheSite) -> Person:
        """Return who asks."""
        return self.admit(request, site)


class FromHere(Guard):
    """Lets this machine through too: a Prometheus beside us has no account."""

    def __call__(self, request: Request, site: TheSite) -> None:
        """Ask a request for nothing that comes from here and shows nothing."""
        shows_something = "Authorization" in request.headers
        if shows_something or not is_loopback(address_of(request)):
            self.admit(request, site)


def _record_refusal(person: Person, permission: Permission, site: Site) -> None:
    entry = kinds.permission_refused(person.in_audit, permission, site.clock())
    with site.ledger.writing() as rows:
        rows.append_audit(entry)


def needs(permission: Permission) -> Person:
    """Declare what a route needs: `person: Annotated[Person, needs(...)]`."""
    found: Person = Depends(Needs(permission))
    return found


def anybody_signed_in() -> Person:
    """Declare a route for whoever signed in, about their own account."""
    found: Person = Depends(Needs(None))
    return found


def public(request: Request, site: TheSite) -> None:
    """Declare a route that needs nobody: `dependencies=[Depends(public)]`."""
    request.state.person = who(request, site)


async def anybody() -> None:
    """Declare a route that does not even look who asks: no thread, no ledger."""


def who(request: Request, site: Site) -> Person | None:
    """Return who asks: by the token that is shown, else by the session."""
    secret = bearer_of(request)
    if secret is not None:
        person = person_of_token(site.ledger, secret, site.clock())
    elif (session := cookies.session_of(request)) is not None:
        limits = request.app.state.limits
        person = person_of_session(site.ledger, session, site.clock(), limits)
    else:
        return None
    return person and replace(person, address=address_of(request))


def bearer_of(request: Request) -> str | None:
    """Return the token of a program (RFC 6750); cookies do not count beside one."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip()[:200] if scheme.lower() == "bearer" else None


def address_of(request: Request) -> str:
    """Return where a request comes from; behind a trusted proxy, what that says."""
    return request.client.host if request.client else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a route declares.

    `guard` is None where it is public.
    """

    path: str
    methods: frozenset[str]
    guard: Guard | None


def declarations(routes: Sequence[BaseRoute]) -> list[Declaration]:
    """Return what each route declares; raises TypeError for one that does not.

    The folder of static files is the one thing below `routes` that is no handler.
    """
    found = []
    for each in iter_route_contexts(routes):
        if isinstance(each.original_route, Mount) and each.path == STATIC_FILES:
            continue
        if not isinstance(each.original_route, APIRoute):
            raise TypeError(f"{each.path}: no handler of ours")
        said = [call for call in _calls(each.dependant) if _declares(call)]
        if len(said) != 1:
            raise TypeError(f"{each.path}: who may call it? see gateway.web.guard")
        guard = said[0] if isinstance(said[0], Guard) else None
        methods = frozenset(each.methods or ())
        found.append(Declaration(path=str(each.path), methods=methods, guard=guard))
    return found


def _calls(dependant: Dependant) -> Iterator[object]:
    return (each.call for each in dependant.dependencies)


def _declares(call: object) -> bool:
    return isinstance(call, Guard) or call in {public, anybody}
