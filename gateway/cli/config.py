"""`config show|check`: the effective settings, and whether they are right."""

import typer

from config.errors import InvalidSettings
from gateway.cli.output import NO, fail, print_json, print_line
from gateway.cli.site import AsJson, site_settings

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The effective settings."
)


@app.command()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Print every setting in force, without secrets."""
    from config.load import Table, show_settings

    tree = show_settings(site_settings(context))
    if as_json:
        print_json(tree)
        return

    def walk(table: Table, above: str) -> None:
        for key, value in table.items():
            name = f"{above}{key}"
            if isinstance(value, dict):
                walk(value, f"{name}.")
            else:
                print_line(f"{name} = {value!r}")

    walk(tree, "")


@app.command()
def passcode() -> None:
    """Ask for a passcode of user identity; print what listener.users takes."""
    from dicom_io.passcodes import hash_passcode

    given = typer.prompt(
        "passcode", hide_input=True, confirmation_prompt=True, err=True
    )
    print_line(hash_passcode(given.encode("utf-8")))


@app.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Say whether the settings are right; one line a wrong key."""
    try:
        site_settings(context)
    except InvalidSettings as error:
        if as_json:
            print_json({"ok": False, "errors": str(error).splitlines()})
            raise typer.Exit(NO) from error
        fail(error, NO)
    if as_json:
        print_json({"ok": True, "errors": []})
    else:
        print_line("The settings are right.")
