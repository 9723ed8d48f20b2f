"""The page to sign in on, and what comes of trying."""

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from gateway.accounts.sessions import SignedIn
from gateway.openid.provider import Provider
from gateway.web import cookies
from gateway.web.pages import page


def provider_of(request: Request) -> Provider | None:
    """Return the OpenID provider of the site; None: it has none."""
    found: Provider | None = request.app.state.openid
    return found


def login_page(
    request: Request,
    *,
    status: int = 200,
    destination: str = "/",
    refused: str | None = None,
) -> Response:
    """Return the page; `refused` says why somebody was not let in.

    destination : where it leads on to, a path here.
    """
    provider = provider_of(request)
    return page(
        request,
        "login.html",
        status=status,
        next=own_path(destination),
        refused=refused,
        provider=None if provider is None else provider.own.label,
    )


def let_in(request: Request, opened: SignedIn, destination: str) -> Response:
    """Give a browser its session, and lead it on."""
    answer = RedirectResponse(own_path(destination), 303)
    cookies.admit(request, answer, opened)
    return answer


def own_path(path: str) -> str:
    """Return a path on this host; `/` for what leads elsewhere."""
    is_plain = path.isascii() and path.isprintable() and "\\" not in path
    leads_here = path.startswith("/") and not path.startswith("//")
    return path if is_plain and leads_here and len(path) <= 2000 else "/"
