"""`metrics`: counts for a monitoring system; never a word on a patient."""

import typer

from gateway.cli.output import print_json, print_line
from gateway.cli.site import AsJson, site_ledger


def metrics(context: typer.Context, as_json: AsJson = False) -> None:
    """Print counts of studies and of filled inputs, in the format of Prometheus."""
    from gateway.watching.metrics import collect, exposition

    with site_ledger(context) as ledger, ledger.reading() as rows:
        counted = collect(rows)
    if as_json:
        print_json(counted)
    else:
        print_line(exposition(counted).rstrip("\n"))
