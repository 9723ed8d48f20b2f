"""What everybody may change about their own account: the password."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gateway.accounts.managing import change_own_password
from gateway.accounts.person import Person
from gateway.accounts.throttle import Attempt
from gateway.errors import AccountRefused, LoginRefused, TooManyFailures
from gateway.web import cookies
from gateway.web.guard import TheSite, address_of, anybody_signed_in
from gateway.web.pages import page
from gateway.web.password_forms import ChangedPassword

router = APIRouter()


@router.get("/account")
def show_account(
    request: Request, _person: Annotated[Person, anybody_signed_in()]
) -> Response:
    """Show the form."""
    return page(request, "own_account.html", refused=None)


@router.post("/account/password")
def change_password(
    request: Request,
    site: TheSite,
    person: Annotated[Person, anybody_signed_in()],
    form: Annotated[ChangedPassword, Form()],
) -> Response:
    """Change the password; every session of the account ends, this one too."""
    attempt = Attempt(
        name=person.name,
        address=address_of(request),
        device=cookies.device_of(request),
        at=site.clock(),
    )
    try:
        old, new = form.old.get_secret_value(), form.agreed()
        change_own_password(site.ledger, person, attempt, old, new)
    except TooManyFailures as error:
        return page(request, "own_account.html", status=429, refused=str(error))
    except LoginRefused:
        why = "the old password is another one"
        return page(request, "own_account.html", status=422, refused=why)
    except AccountRefused as error:
        return page(request, "own_account.html", status=422, refused=str(error))
    answer = RedirectResponse("/login", 303)
    cookies.dismiss(request, answer)
    return answer
