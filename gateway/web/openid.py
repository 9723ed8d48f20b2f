"""Signing in at the hospital's OpenID provider: there, and back.

The browser is sent there by a link and not by a form: the policy of our pages lets no
form lead elsewhere, not even by a redirect.
"""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from gateway.accounts import flows, vouching
from gateway.accounts.secrets import new_secret
from gateway.errors import (
    FlowRefused,
    LoginRefused,
    ProviderFailure,
    TooManyFailures,
)
from gateway.openid.identity import vouched
from gateway.openid.provider import Answer, Flow, Provider, known_code
from gateway.site import Site
from gateway.web import cookies
from gateway.web.failures import say
from gateway.web.guard import TheSite, address_of, public
from gateway.web.login_page import let_in, login_page, own_path, provider_of
from gateway.web.pages import page

logger = logging.getLogger(__name__)

router = APIRouter(dependencies=[Depends(public)])

RETURN = "/login/openid/return"
"""What the provider must know as a redirect URI, after the address of the console."""

_NO_PROVIDER = "this gateway has no OpenID provider"
_DOWN = "the provider does not answer as it must: try again, or sign in by password"

Text = Annotated[str, Field(max_length=4096)]


class BroughtBack(BaseModel):
    """What a browser says that comes back; anybody may have written it."""

    state: Text = ""
    code: Text = ""
    iss: Text | None = None
    error: Text = ""


@router.get("/login/openid")
def begin(request: Request, site: TheSite, next: str = "/") -> Response:  # noqa: A002
    """Send a browser to the provider."""
    provider = provider_of(request)
    if provider is None:
        return say(request, 404, _NO_PROVIDER)
    secret = new_secret()
    try:
        address = provider.authorization_address(_flow(request, secret))
        where = own_path(next), address_of(request)
        flows.begin(site.ledger, secret, *where, site.clock())
    except TooManyFailures as error:
        return login_page(request, status=429, destination=next, refused=str(error))
    except ProviderFailure as error:
        logger.warning("the OpenID provider: %s", error)
        return login_page(request, status=503, destination=next, refused=_DOWN)
    answer = RedirectResponse(address, 303)
    cookies.send_away(request, answer, secret)
    return answer


@router.get(RETURN)
def come_back(
    request: Request, site: TheSite, back: Annotated[BroughtBack, Query()]
) -> Response:
    """Open a session for whom the provider vouches, and lead on."""
    provider = provider_of(request)
    if provider is None:
        return say(request, 404, _NO_PROVIDER)
    try:
        answer = _admit(request, site, provider, back)
    except (FlowRefused, TooManyFailures) as refusal:
        # A link of somebody else's may have led here: what was begun goes on.
        status = 401 if isinstance(refusal, FlowRefused) else 429
        return login_page(request, status=status, refused=str(refusal))
    except LoginRefused as refusal:
        answer = login_page(request, status=403, refused=str(refusal))
    except ProviderFailure:
        answer = login_page(request, status=503, refused=_DOWN)
    cookies.welcome_back(request, answer)
    return answer


def sign_out_there(request: Request, provider: Provider) -> Response | None:
    """Return the page that leads on to the provider's own sign-out; None: it has none.

    It is led to by a refresh, which the policy about forms does not hold back.
    """
    back = str(request.url.replace(path="/login", query=""))
    address = provider.logout_address(back)
    if address is None:
        return None
    values = {"address": address, "provider": provider.own.label, "person": None}
    answer = page(request, "signed_out.html", values)
    answer.headers["Refresh"] = f"0; url={address}"
    return answer


def _admit(
    request: Request, site: Site, provider: Provider, back: BroughtBack
) -> Response:
    """Open a session; raises LoginRefused and ProviderFailure, which are recorded."""
    secret, address, now = cookies.flow_of(request), address_of(request), site.clock()
    begun = flows.take(site.ledger, secret, back.state, address, now)
    if secret is None or back.error or not back.code:
        why = f"the provider says {known_code(back.error)}"
        _record(site, why, address)
        raise LoginRefused(f"you were not signed in: {why}")
    try:
        answer = Answer(code=back.code, issuer=back.iss)
        claims = provider.claims_of(answer, _flow(request, secret), now)
        who = vouched(claims, provider.own)
    except ProviderFailure as error:
        logger.warning("the OpenID provider: %s", error)
        _record(site, str(error), address)
        raise
    opened = vouching.enter(site.ledger, who, begun.attempt, address, now)
    return let_in(request, opened, begun.destination)


def _record(site: Site, why: str, address: str) -> None:
    entry = flows.failed(why, address, site.clock())
    with site.ledger.writing() as rows:
        rows.append_audit(entry)


def _flow(request: Request, secret: str) -> Flow:
    proofs = flows.proofs_of(secret)
    return Flow(
        redirect=str(request.url.replace(path=RETURN, query="")),
        state=proofs.state,
        nonce=proofs.nonce,
        verifier=proofs.verifier,
    )
