"""The *Accounts* page: who may use the console, and as what."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from gateway.accounts import managing
from gateway.accounts.links import link_for
from gateway.accounts.person import Person
from gateway.accounts.roles import PERMISSIONS, AccountRole, Permission
from gateway.errors import AccountRefused
from gateway.web.guard import TheSite, needs
from gateway.web.pages import page

router = APIRouter()

Manager = Annotated[Person, needs(Permission.ACCOUNTS_MANAGE)]
Name = Annotated[str, Path(max_length=64)]
Why = Annotated[str, Form(min_length=1, max_length=200)]


@router.get("/accounts")
def show_accounts(request: Request, site: TheSite, _by: Manager) -> Response:
    """List the accounts."""
    return _listed(request, site)


@router.post("/accounts")
def add(
    request: Request,
    site: TheSite,
    by: Manager,
    name: Annotated[str, Form(max_length=64)],
    role: Annotated[AccountRole, Form()],
) -> Response:
    """Add an account, and show the link by which its owner sets a password."""
    now = site.clock()
    try:
        with site.ledger.writing() as rows:
            account = managing.add_account(rows, name, role, by.in_audit, now)
            secret = link_for(rows, account, by.in_audit, now)
    except AccountRefused as error:
        return _listed(request, site, status=422, refused=str(error))
    return _listed(request, site, link=_link(request, secret), link_of=account.name)


@router.post("/accounts/{name}/link")
def give_link(request: Request, site: TheSite, by: Manager, name: Name) -> Response:
    """Show a link by which somebody sets a new password."""
    with site.ledger.writing() as rows:
        account = managing.known(rows, name)
        secret = link_for(rows, account, by.in_audit, site.clock())
    return _listed(request, site, link=_link(request, secret), link_of=account.name)


@router.post("/accounts/{name}/role")
def change_role(
    site: TheSite, by: Manager, name: Name, role: Annotated[AccountRole, Form()]
) -> Response:
    """Give an account another role."""
    managing.change_role(site.ledger, name, role, by.in_audit, site.clock())
    return RedirectResponse("/accounts", 303)


@router.post("/accounts/{name}/disable")
def disable(site: TheSite, by: Manager, name: Name, why: Why) -> Response:
    """Close an account."""
    managing.disable(site.ledger, name, why, by.in_audit, site.clock())
    return RedirectResponse("/accounts", 303)


@router.post("/accounts/{name}/enable")
def enable(site: TheSite, by: Manager, name: Name, why: Why) -> Response:
    """Open a closed account again."""
    managing.enable(site.ledger, name, why, by.in_audit, site.clock())
    return RedirectResponse("/accounts", 303)


def _listed(
    request: Request,
    site: TheSite,
    *,
    status: int = 200,
    **said: str,
) -> Response:
    values = {"refused": None, "link": None, "link_of": None, **said}
    return page(
        request,
        "accounts.html",
        status=status,
        accounts=managing.accounts(site.ledger),
        roles=list(AccountRole),
        permissions=PERMISSIONS,
        **values,
    )


def _link(request: Request, secret: str) -> str:
    return str(request.url.replace(path=f"/setup/{secret}", query=""))
