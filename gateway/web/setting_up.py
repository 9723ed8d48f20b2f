"""The page behind a set-up link: somebody sets their password, once."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request, Response

from gateway.accounts.links import name_behind, take_link
from gateway.errors import AccountRefused, LinkRefused
from gateway.web.guard import TheSite, public
from gateway.web.pages import page
from gateway.web.password_forms import NewPassword

router = APIRouter(dependencies=[Depends(public)])

Secret = Annotated[str, Path(max_length=100)]


@router.get("/setup/{secret}")
def show_setup(request: Request, site: TheSite, secret: Secret) -> Response:
    """Show the form; to look at it uses nothing up."""
    name = name_behind(site.ledger, secret, site.clock())
    return page(request, "setup.html", name=name, secret=secret, refused=None)


@router.post("/setup/{secret}")
def set_up(
    request: Request,
    site: TheSite,
    secret: Secret,
    form: Annotated[NewPassword, Form()],
) -> Response:
    """Set the password; the first administrator gets an account by it."""
    now = site.clock()
    try:
        account = take_link(
            site.ledger, secret, now, name=form.name, password=form.agreed()
        )
    except LinkRefused:
        raise
    except AccountRefused as error:
        name = name_behind(site.ledger, secret, now)
        values = {"name": name, "secret": secret, "refused": str(error)}
        return page(request, "setup.html", status=422, **values)
    return page(request, "setup_done.html", name=account.name)
