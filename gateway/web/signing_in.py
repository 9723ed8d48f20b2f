"""Signing in and out, and the first page."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from gateway.accounts.person import Person
from gateway.accounts.sessions import sign_in, sign_out
from gateway.accounts.throttle import Attempt
from gateway.errors import LoginRefused, TooManyFailures
from gateway.web import cookies
from gateway.web.guard import TheSite, address_of, anybody_signed_in, public
from gateway.web.login_page import let_in, login_page, provider_of
from gateway.web.openid import sign_out_there
from gateway.web.pages import NAVIGATION, person_of

router = APIRouter()


@router.get("/", dependencies=[Depends(public)])
def first_page(request: Request) -> Response:
    """Lead to the first page that somebody may see."""
    person = person_of(request)
    if person is None:
        return RedirectResponse("/login", 303)
    allowed = [place.path for place in NAVIGATION if person.may(place.permission)]
    return RedirectResponse(allowed[0], 303)


@router.get("/login", dependencies=[Depends(public)])
def show_login(request: Request, next: str = "/") -> Response:  # noqa: A002 - its name
    """Show the form to sign in with."""
    return login_page(request, destination=next)


@router.post("/login", dependencies=[Depends(public)])
def log_in(
    request: Request,
    site: TheSite,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=1024)],
    next: Annotated[str, Form()] = "/",  # noqa: A002 - its name
) -> Response:
    """Open a session, and lead on."""
    attempt = Attempt(
        name=name.strip().lower(),
        address=address_of(request),
        device=cookies.device_of(request),
        at=site.clock(),
    )
    try:
        opened = sign_in(site.ledger, attempt, password)
    except LoginRefused as error:
        status = 429 if isinstance(error, TooManyFailures) else 401
        return login_page(request, status=status, destination=next, refused=str(error))
    return let_in(request, opened, next)


@router.post("/logout")
def log_out(
    request: Request, site: TheSite, person: Annotated[Person, anybody_signed_in()]
) -> Response:
    """End the session."""
    sign_out(site.ledger, person, "by its person", site.clock())
    answer = _led_out(request, person) or RedirectResponse("/login", 303)
    cookies.dismiss(request, answer)
    return answer


def _led_out(request: Request, person: Person) -> Response | None:
    """Return where whoever came from the provider signs out there too; None: nowhere.

    On a machine that many use the next one would be let in as this person otherwise.
    """
    provider = provider_of(request)
    if provider is None or provider.own.issuer != person.issuer:
        return None
    return sign_out_there(request, provider)
