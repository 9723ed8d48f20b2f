"""Who may call a route: every route declares it, or the application does not start."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Mount

from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.accounts.sessions import person_of_session
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


class Needs:
    """What lets a request through to a route; None: anybody who signed in."""

    def __init__(self, permission: Permission | None) -> None:
        self.permission = permission

    def __call__(self, request: Request, site: TheSite) -> Person:
        """Return who asks; raises NotSignedIn or NotPermitted."""
        person = who(request, site)
        if person is None:
            raise NotSignedIn
        request.state.person = person
        if self.permission is not None and not person.may(self.permission):
            raise NotPermitted
        return person


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


def who(request: Request, site: Site) -> Person | None:
    """Return who asks."""
    secret = cookies.session_of(request)
    if secret is None:
        return None
    return person_of_session(
        site.ledger, secret, site.clock(), request.app.state.limits
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a route declares.

    `needs` is None where it is public; a `Needs` of no permission is for anybody
    who signed in.
    """

    path: str
    methods: frozenset[str]
    needs: Needs | None


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
        needs = said[0] if isinstance(said[0], Needs) else None
        methods = frozenset(each.methods or ())
        found.append(Declaration(path=str(each.path), methods=methods, needs=needs))
    return found


def _calls(dependant: Dependant) -> Iterator[object]:
    return (each.call for each in dependant.dependencies)


def _declares(call: object) -> bool:
    return isinstance(call, Needs) or call is public
