"""`campaign start|list|show|pause|resume|cancel`: cohorts that are read off-peak."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import WRONG_USE, fail, print_json, print_line, print_table
from gateway.cli.site import AsJson, decider, now, site_ledger, site_settings

if TYPE_CHECKING:
    from gateway.campaigning.cohort import Cohort
    from gateway.campaigning.showing import ShownCampaign
    from gateway.ledger import Ledger
    from gateway.people import Decider

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Cohorts that are brought from the archive and read off-peak.",
)

Name = Annotated[str, typer.Argument(metavar="NAME")]
Why = Annotated[str, typer.Option(help="Why; goes into the audit.")]
By = Annotated[str | None, typer.Option(help="Who decides; default: the OS user.")]

_FILE = "A file with a Study Instance UID a line, or CSV with a column of them."
_DATE = "Days of the studies, as 20260101-20260131: asks the archive for them."


@app.command()
def start(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What the campaign is called.")],
    why: Why,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help=_FILE)] = None,
    column: Annotated[str | None, typer.Option(help="Column of the CSV file.")] = None,
    date: Annotated[str | None, typer.Option(help=_DATE)] = None,
    modality: Annotated[
        list[str] | None, typer.Option(help="With --date: as DX; repeatable.")
    ] = None,
    description: Annotated[
        str | None, typer.Option(help="With --date: Study Description, with * and ?.")
    ] = None,
    institution: Annotated[
        str | None, typer.Option(help="With --date: Institution Name.")
    ] = None,
    project: Annotated[
        str, typer.Option(help="Project with whose weight it takes its turns.")
    ] = "",
    emit: Annotated[
        bool, typer.Option("--emit", help="Send the results; else they stay here.")
    ] = False,
    per_hour: Annotated[
        float | None, typer.Option(help="Studies asked for in an hour.")
    ] = None,
    in_flight: Annotated[
        int | None, typer.Option(help="Studies at work at one time.")
    ] = None,
    hours: Annotated[
        str | None, typer.Option(help='By the site\'s clock: "19:00-07:00", "always".')
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Start a campaign of the studies in FILE, or of those that the archive names.

    A running gateway asks the archive for them one by one, within the limits. The
    results stay here unless --emit is given.
    """
    from gateway.campaigning.cohort import selection
    from gateway.campaigning.managing import ask_archive, throttle_of
    from gateway.campaigning.managing import start as begin
    from gateway.ledger import NewCampaign

    if (file is None) == (date is None):
        others = (modality, description, institution)
        bound = " without a bound" if file is None and any(others) else ""
        fail(f"give FILE, or --date for a question to the archive{bound}", WRONG_USE)
    if file is not None and (modality or description or institution):
        fail("--modality, --description and --institution go with --date", WRONG_USE)
    settings, who = site_settings(context), decider(by, why)
    throttle = throttle_of(settings, per_hour, in_flight, hours)
    with site_ledger(context) as ledger:
        if file is not None:
            cohort = _read(file, column)
        else:
            wanted = selection(date or "", modality or (), description, institution)
            cohort = ask_archive(ledger, settings, wanted, who, now())
        new = NewCampaign(
            name=name,
            project=project,
            emit=emit,
            peer=settings.archive.peer,
            source=cohort.source,
            throttle=throttle,
        )
        begin(ledger, new, cohort.uids, who, now())
        _say(ledger, name, as_json)
    if cohort.repeated and not as_json:
        print_line(f"{cohort.repeated} were named more than once, and count once.")


@app.command("list")
def list_campaigns(context: typer.Context, as_json: AsJson = False) -> None:
    """List the campaigns, the oldest first."""
    from gateway.campaigning.showing import shown_campaign

    with site_ledger(context) as ledger, ledger.reading() as rows:
        found = [shown_campaign(rows, each) for each in rows.campaigns()]
    if as_json:
        print_json(found)
        return
    headings = ("NAME", "STATE", "PROJECT", "SENDS", "STUDIES", "WAITING", "AT WORK")
    print_table(
        (*headings, "READ", "DECLINED", "PARKED", "KNOWN", "FAILED"),
        (
            (
                *(each.name, each.state, each.project or "-"),
                *("yes" if each.emit else "no", each.progress.total),
                *(each.progress.waiting, each.progress.at_work, each.progress.read),
                *(each.progress.declined, each.progress.parked),
                *(each.progress.known, each.progress.failed),
            )
            for each in found
        ),
    )


@app.command()
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show one campaign, its limits and what did not come."""
    with site_ledger(context) as ledger:
        _say(ledger, name, as_json)


@app.command()
def pause(
    context: typer.Context, name: Name, why: Why, by: By = None, as_json: AsJson = False
) -> None:
    """Ask for no more studies of a campaign; what is here is read to its end."""
    _decide(context, name, "paused", decider(by, why), as_json)


@app.command()
def resume(
    context: typer.Context, name: Name, why: Why, by: By = None, as_json: AsJson = False
) -> None:
    """Go on with a campaign that was paused."""
    _decide(context, name, "resumed", decider(by, why), as_json)


@app.command()
def cancel(
    context: typer.Context, name: Name, why: Why, by: By = None, as_json: AsJson = False
) -> None:
    """End a campaign for good; what is here is read to its end, and stays."""
    _decide(context, name, "cancelled", decider(by, why), as_json)


def _decide(
    context: typer.Context, name: str, decision: str, by: "Decider", as_json: bool
) -> None:
    from gateway.campaigning.managing import decide

    with site_ledger(context) as ledger:
        decide(ledger, name, decision, by, now())
        _say(ledger, name, as_json)


def _read(file: Path, column: str | None) -> "Cohort":
    from gateway.campaigning.cohort import read_cohort

    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return read_cohort(lines, file.name, column)
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", WRONG_USE)
    except UnicodeDecodeError:
        fail(f"{file} is no text of UTF-8", WRONG_USE)


def _say(ledger: "Ledger", name: str, as_json: bool) -> None:
    from gateway.campaigning.managing import found
    from gateway.campaigning.showing import shown_campaign

    with ledger.reading() as rows:
        shown = shown_campaign(rows, found(rows, name))
    if as_json:
        print_json(shown)
    else:
        _print_campaign(shown)


def _print_campaign(shown: "ShownCampaign") -> None:
    progress = shown.progress
    print_line(f"campaign  {shown.name}, {shown.state}")
    print_line(f"studies   {progress.total}: {shown.source}, from {shown.peer}")
    print_line(f"project   {shown.project or '-'}")
    print_line(f"results   {'are sent' if shown.emit else 'stay here'}")
    print_line(
        f"limits    {shown.per_hour:g} an hour, {shown.in_flight} at one time, "
        f"{shown.hours}"
    )
    print_line(f"started   {shown.created_at:%Y-%m-%d %H:%M} UTC by {shown.started_by}")
    names = ("waiting", "at_work", "read", "declined", "parked", "known", "failed")
    told = (f"{getattr(progress, each)} {each.replace('_', ' ')}" for each in names)
    print_line(f"progress  {', '.join(told)}")
    if shown.failed:
        print_line()
        print_table(
            ("DID NOT COME", "REASON"),
            ((each.study_instance_uid, each.detail) for each in shown.failed),
        )
