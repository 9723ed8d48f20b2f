"""What a browser keeps for us, and what its forms must carry.

The session is Lax, not Strict: a viewer in the reading room links to a study, and a
Strict cookie would ask everybody who follows that link to sign in. What changes
anything is a POST with a token of its own.
"""

from fastapi import Request, Response

from gateway.accounts.flows import LASTS
from gateway.accounts.secrets import form_token, is_same, new_secret
from gateway.accounts.sessions import SignedIn

SESSION, VISITOR, DEVICE = "maira-session", "maira-visitor", "maira-device"
FLOW = "maira-openid"
"""Of a browser that is at the OpenID provider, from where a link leads it back."""

FIELD, HEADER = "form_token", "X-Form-Token"
"""Where a request carries its token."""

_YEARLY = 180 * 24 * 3600
_FLOW_SECONDS = int(LASTS.total_seconds())
_LONGEST = 128


def session_of(request: Request) -> str | None:
    """Return the secret of the session."""
    return _read(request, SESSION)


def device_of(request: Request) -> str | None:
    """Return by what the browser shows that it signed in before."""
    return _read(request, DEVICE)


def token_of(request: Request) -> str | None:
    """Return what the forms of this browser carry; None: it has no cookie of ours."""
    secret = _read(request, SESSION) or _read(request, VISITOR)
    return None if secret is None else form_token(secret)


def is_form_of(request: Request, token: str | None) -> bool:
    """Whether a request was made by a form that this browser was given."""
    wanted = token_of(request)
    return wanted is not None and token is not None and is_same(wanted, token)


def greet(request: Request) -> str:
    """Return the token for the forms of a page; `answer_greeting` gives the cookie."""
    found = token_of(request)
    if found is not None:
        return found
    request.state.visitor = new_secret()
    return form_token(request.state.visitor)


def answer_greeting(request: Request, response: Response) -> None:
    """Give a browser without any cookie the one that its form goes with."""
    secret = getattr(request.state, "visitor", None)
    if secret is not None:
        _set(request, response, VISITOR, secret)


def admit(request: Request, response: Response, opened: SignedIn) -> None:
    """Give a browser its session."""
    _set(request, response, SESSION, opened.session)
    if opened.device is not None:
        _set(request, response, DEVICE, opened.device, _YEARLY)
    _drop(request, response, VISITOR)


def dismiss(request: Request, response: Response) -> None:
    """Take the session back."""
    _drop(request, response, SESSION)


def send_away(request: Request, response: Response, secret: str) -> None:
    """Give a browser what it comes back from the provider with."""
    _set(request, response, FLOW, secret, _FLOW_SECONDS)


def flow_of(request: Request) -> str | None:
    """Return what a browser comes back from the provider with."""
    return _read(request, FLOW)


def welcome_back(request: Request, response: Response) -> None:
    """Take that back."""
    _drop(request, response, FLOW)


def _name(request: Request, name: str) -> str:
    # The prefix keeps other hosts of the same domain from setting it (RFC 6265bis).
    return f"__Host-{name}" if _is_secure(request) else name


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _read(request: Request, name: str) -> str | None:
    found = request.cookies.get(_name(request, name))
    return found if found and len(found) <= _LONGEST else None


def _set(
    request: Request,
    response: Response,
    name: str,
    value: str,
    seconds: int | None = None,
) -> None:
    response.set_cookie(
        _name(request, name),
        value,
        max_age=seconds,
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )


def _drop(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(
        _name(request, name),
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )
