"""`user add|list|role|disable|enable|password|token`: who may use the console."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.accounts.roles import AccountRole, Permission
from gateway.cli.output import print_json, print_line, print_table
from gateway.cli.site import AsJson, now, os_user, site_ledger, site_settings

if TYPE_CHECKING:
    from gateway.accounts.records import AccountRecord
    from gateway.audit.parts import Person

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Who may use the console."
)

Name = Annotated[str, typer.Argument(help="Name of the account.")]
Role = Annotated[AccountRole, typer.Option(help="What the account is for.")]
Why = Annotated[str, typer.Option(help="Why; it goes into the audit.")]


@app.command()
def add(
    context: typer.Context,
    name: Name,
    role: Role,
    as_json: AsJson = False,
) -> None:
    """Add an account; print the link by which its owner sets a password, once."""
    from gateway.accounts.links import link_for
    from gateway.accounts.managing import add_account

    with site_ledger(context) as ledger, ledger.writing() as rows:
        account = add_account(rows, name, role, _by(), now())
        secret = link_for(rows, account, _by(), now())
    _print_link(context, account.name, secret, as_json)


@app.command("list")
def list_accounts(context: typer.Context, as_json: AsJson = False) -> None:
    """List the accounts."""
    from gateway.accounts.managing import accounts

    with site_ledger(context) as ledger:
        found = accounts(ledger)
    if as_json:
        print_json([_shown(each) for each in found])
        return
    print_table(
        ("NAME", "ROLE", "STATE", "SINCE", "PROVIDER"),
        ((a.name, a.role, _state(a), a.created_at, a.issuer) for a in found),
    )


@app.command()
def role(
    context: typer.Context,
    name: Name,
    to: Annotated[AccountRole, typer.Option(help="The new role.")],
    as_json: AsJson = False,
) -> None:
    """Give an account another role; its sessions end."""
    from gateway.accounts.managing import change_role

    with site_ledger(context) as ledger:
        account = change_role(ledger, name, to, _by(), now())
    _print_account(account, as_json)


@app.command()
def disable(
    context: typer.Context, name: Name, why: Why, as_json: AsJson = False
) -> None:
    """Close an account: its sessions end, its tokens open nothing."""
    from gateway.accounts.managing import disable as close

    with site_ledger(context) as ledger:
        account = close(ledger, name, why, _by(), now())
    _print_account(account, as_json)


@app.command()
def enable(
    context: typer.Context, name: Name, why: Why, as_json: AsJson = False
) -> None:
    """Open a closed account again."""
    from gateway.accounts.managing import enable as reopen

    with site_ledger(context) as ledger:
        account = reopen(ledger, name, why, _by(), now())
    _print_account(account, as_json)


@app.command()
def password(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Print a link by which the owner of an account sets a new password, once."""
    from gateway.accounts.links import link_for
    from gateway.accounts.managing import known

    with site_ledger(context) as ledger, ledger.writing() as rows:
        account = known(rows, name)
        secret = link_for(rows, account, _by(), now())
    _print_link(context, account.name, secret, as_json)


@app.command()
def token(
    context: typer.Context,
    name: Name,
    called: Annotated[str | None, typer.Option(help="Name of a new token.")] = None,
    permission: Annotated[
        list[Permission] | None, typer.Option(help="What it is for; repeat it.")
    ] = None,
    days: Annotated[int, typer.Option(help="How long it lasts.")] = 90,
    revoke: Annotated[int | None, typer.Option(help="Number of one to revoke.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token of the API (--called), revoke one, or list those there are.

    A new one is printed, and shown this once.
    """
    from gateway.accounts import tokens

    with site_ledger(context) as ledger:
        if revoke is not None:
            tokens.revoke_token(ledger, name, revoke, _by(), now())
        if called is not None:
            wanted = tokens.NewToken(
                account=name, name=called, permissions=permission or (), days=days
            )
            made = tokens.make_token(ledger, wanted, _by(), now())
            print_json({"token": made}) if as_json else print_line(made)
            return
        found = tokens.tokens_of(ledger, name)
    rows = [(t.id, t.name, t.permissions, t.expires_at, t.revoked) for t in found]
    columns = ("number", "name", "permissions", "expires", "revoked")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table([each.upper() for each in columns], rows)


def _by() -> "Person":
    from gateway.audit.parts import Person

    return Person(name=os_user())


def _print_link(context: typer.Context, name: str, secret: str, as_json: bool) -> None:
    from gateway.accounts.links import address

    link = address(site_settings(context).web, secret)
    if as_json:
        print_json({"name": name, "link": link})
    else:
        print_line(f"{name} sets the password here, once, within 24 hours: {link}")


def _print_account(account: "AccountRecord", as_json: bool) -> None:
    if as_json:
        print_json(_shown(account))
    else:
        print_line(f"{account.name} is {account.role}, {_state(account)}")


def _shown(account: "AccountRecord") -> dict[str, object]:
    """Return what a script may see of an account: no hash."""
    return {
        "name": account.name,
        "role": account.role,
        "state": _state(account),
        "since": account.created_at,
        "provider": account.issuer,
    }


def _state(account: "AccountRecord") -> str:
    if account.disabled:
        return "disabled"
    return "in use" if account.password_hash or account.issuer else "no password yet"
