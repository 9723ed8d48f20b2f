"""`delivery list|resend|destinations`: what is on its way, and who gets it."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import WRONG_USE, fail, print_json, print_line, print_table
from gateway.cli.site import AsJson, decider, now, site_ledger, site_settings

if TYPE_CHECKING:
    from gateway.showing.resending import ShownDelivery, ShownDestination

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Results on their way to destinations.",
)

Destination = Annotated[
    str | None, typer.Option(help="Only what is for this destination.")
]
Study = Annotated[
    str | None, typer.Option(metavar="STUDY_UID", help="Only what is of this study.")
]


@app.command("list")
def list_deliveries(
    context: typer.Context,
    parked: Annotated[
        bool, typer.Option("--parked", help="Only what was refused and waits for you.")
    ] = False,
    destination: Destination = None,
    study: Study = None,
    as_json: AsJson = False,
) -> None:
    """List results that are not at their destination, or not proved to be."""
    from gateway.showing.resending import PARKED, UNDER_WAY, Wanted, shown_deliveries

    wanted = Wanted(destination=destination, study_instance_uid=study)
    with site_ledger(context) as ledger, ledger.reading() as rows:
        found = shown_deliveries(rows, wanted, PARKED if parked else UNDER_WAY)
    if as_json:
        print_json(found)
    else:
        _print_deliveries(found)


@app.command()
def resend(
    context: typer.Context,
    why: Annotated[str, typer.Option(help="Why; goes into the audit.")],
    destination: Destination = None,
    study: Study = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything that was refused.")
    ] = False,
    by: Annotated[
        str | None, typer.Option(help="Who decides; default: the OS user.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send again what was refused; ends with 1 where there is nothing.

    Say what: --destination, --study, both, or --all.
    """
    from gateway.showing.resending import Wanted
    from gateway.showing.resending import resend as send_again

    if everything == bool(destination or study):
        fail("say what: --destination, --study, both, or --all", WRONG_USE)
    known = site_settings(context).results.destinations
    if destination is not None and destination not in known:
        fail(f"{destination} is none of results.destinations: {', '.join(known)}")
    wanted = Wanted(destination=destination, study_instance_uid=study)
    with site_ledger(context) as ledger:
        studies = send_again(ledger, wanted, decider(by, why), now())
    if as_json:
        print_json(studies)
    for each in [] if as_json else studies:
        print_line(f"{each.study_instance_uid} is {each.state} now.")
    if not studies:
        fail("nothing was refused that this means")


@app.command()
def destinations(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how each destination does: whether it answers, what it has and lacks."""
    from gateway.showing.resending import shown_destinations

    settings = site_settings(context)
    names = settings.results.destinations
    with site_ledger(context) as ledger, ledger.reading() as rows:
        found = shown_destinations(rows, names, settings.delivery.failures_in_a_row)
    if as_json:
        print_json(found)
    else:
        _print_destinations(found)


def _print_deliveries(found: "list[ShownDelivery]") -> None:
    headings = ("STUDY", "DESTINATION", "STATE", "TRIES", "FIRST", "NEXT", "ANSWER")
    print_table(
        headings,
        (
            (
                *(each.study_instance_uid, each.destination, each.state),
                *(each.attempts, each.first_tried_at, each.not_before, each.detail),
            )
            for each in found
        ),
    )


def _print_destinations(found: "list[ShownDestination]") -> None:
    headings = ("DESTINATION", "STATE", "FAILURES", "SINCE", "LEFT ALONE UNTIL")
    print_table(
        (*headings, "PENDING", "STORED", "COMMITTED", "REFUSED"),
        (
            (
                *(each.name, each.state, each.failures),
                *(each.silent_since, each.left_alone_until),
                *(each.pending, each.stored, each.committed, each.refused),
            )
            for each in found
        ),
    )
