"""`doctor`, `spool verify`: is what is on disk whole, and what can be mended."""

from typing import Annotated

import typer

from gateway.cli.output import NO, print_json, print_line, print_table
from gateway.cli.site import AsJson, now, site_settings

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The files of the storage folder."
)


def doctor(
    context: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be; stop the gateway first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare ledger and spool after a crash or a restored copy; say what to do.

    Ends with 1 where something is wrong (still, after --repair).
    """
    from gateway.running.doctor import examine

    symptoms = examine(site_settings(context), now, repair=repair)
    if as_json:
        print_json(symptoms)
    else:
        print_table(
            ("", "WHAT", "DETAIL"),
            (("ok" if one.ok else "NO", one.name, one.detail) for one in symptoms),
        )
    if not all(one.ok for one in symptoms):
        raise typer.Exit(NO)


@app.command()
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Hash every file again and compare it with the ledger; 1 where one differs."""
    from gateway.running.doctor import verify as differing

    found = list(differing(site_settings(context)))
    if as_json:
        print_json(found)
    else:
        for line in found:
            print_line(line)
        if not found:
            print_line("Every file is as it was received.")
    if found:
        raise typer.Exit(NO)
