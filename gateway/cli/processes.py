"""`processes`: which processes of the gateway are at work on the ledger, and how."""

import typer

from gateway.cli.output import NO, print_json, print_table
from gateway.cli.site import AsJson, now, site_ledger, site_settings


def processes(context: typer.Context, as_json: AsJson = False) -> None:
    """List the processes at work on the ledger; 1 where one is silent or fails."""
    from gateway.watching.processes import shown_processes

    settings = site_settings(context)
    with site_ledger(context) as ledger, ledger.reading() as rows:
        found = shown_processes(settings, rows, now())
    if as_json:
        print_json(found)
    else:
        print_table(
            ("HOST", "PROCESS", "ROLES", "STARTED", "HEARD", "STANDING", "JOBS"),
            (
                (
                    each.host,
                    each.pid,
                    each.roles,
                    each.started_at,
                    each.beat_at,
                    _standing(each.is_silent, [f.name for f in each.failing]),
                    ",".join(each.jobs) or None,
                )
                for each in found
            ),
        )
    if any(each.is_silent or each.failing for each in found):
        raise typer.Exit(NO)


def _standing(is_silent: bool, failing: list[str]) -> str:
    if is_silent:
        return "silent"
    return f"fails: {','.join(failing)}" if failing else "good"
