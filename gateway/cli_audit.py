"""`audit ...`: the audit log; reading it is itself recorded."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway import cli_audit_proof
from gateway.cli_output import WRONG_USE, fail, print_json, print_line, print_table
from gateway.cli_site import AsJson, now, os_user, site_ledger

if TYPE_CHECKING:
    from gateway.ledger import AuditFilter

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The audit log (PS3.15 A.5)."
)
app.command()(cli_audit_proof.verify)
app.command()(cli_audit_proof.key)
app.command("rotate-key")(cli_audit_proof.rotate_key)
app.command()(cli_audit_proof.verifier)
app.command()(cli_audit_proof.bundle)

Since = Annotated[datetime | None, typer.Option(help="First moment, UTC, included.")]
Until = Annotated[datetime | None, typer.Option(help="Last moment, UTC, excluded.")]
Study = Annotated[str | None, typer.Option(help="Only this Study Instance UID.")]
EventId = Annotated[
    str | None,
    typer.Option(help="Only this event or event type, as 110104 or study-moved."),
]
OutcomeCode = Annotated[int | None, typer.Option(help="Only 0, 4, 8 or 12.")]


@app.command("list")
def list_records(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    study: Study = None,
    event: EventId = None,
    outcome: OutcomeCode = None,
    after: Annotated[int, typer.Option(min=0, help="Last sequence seen.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List audit records in sequence."""
    from dataclasses import replace

    from gateway.review import read_audit

    found_by = _wanted((since, until), study, event, outcome)
    wanted = replace(found_by, limit=limit, after_sequence=after)
    with site_ledger(context) as ledger:
        found = read_audit(ledger, wanted, os_user(), now())
    if as_json:
        print_json(found)
        return
    print_table(
        ("SEQUENCE", "TIME", "EVENT", "OUTCOME", "USER", "STUDY", "DETAIL"),
        (
            (
                r.sequence,
                r.recorded_at,
                r.event_type or r.event,
                r.outcome,
                r.user,
                r.study_instance_uid,
                r.detail,
            )
            for r in found
        ),
    )


@app.command()
def show(
    context: typer.Context,
    sequence: Annotated[int, typer.Argument(min=1)],
    as_json: AsJson = False,
) -> None:
    """Print one audit message as XML."""
    from gateway.ledger import AuditFilter
    from gateway.review import read_audit

    wanted = AuditFilter(after_sequence=sequence - 1, limit=1)
    with site_ledger(context) as ledger:
        found = read_audit(ledger, wanted, os_user(), now())
    if not found or found[0].sequence != sequence:
        fail(f"no audit record {sequence}; `audit list` shows what there is")
    if as_json:
        print_json(found[0])
    else:
        print_line(found[0].message)


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="New file, one JSON record a line.")],
    since: Since = None,
    until: Until = None,
    study: Study = None,
    event: EventId = None,
    outcome: OutcomeCode = None,
    as_json: AsJson = False,
) -> None:
    """Write audit records with their messages to a new file."""
    wanted = _wanted((since, until), study, event, outcome)
    written = _export(context, wanted, out)
    if as_json:
        print_json({"file": out, "records": written})
    else:
        print_line(f"{written} records in {out}")


def _export(context: typer.Context, wanted: "AuditFilter", out: Path) -> int:
    from gateway.review import export_audit

    try:
        # The ledger first: without one no empty file is left behind.
        with site_ledger(context) as ledger, out.open("x", encoding="utf-8") as file:
            return export_audit(ledger, wanted, os_user(), now(), file)
    except FileExistsError:
        fail(f"{out} exists; name a new file with --out")
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}")


def _wanted(
    times: tuple[datetime | None, datetime | None],
    study: str | None,
    event: str | None,
    outcome: int | None,
) -> "AuditFilter":
    """Return the filter; what can match nothing is wrong use."""
    from gateway.audit.codes import EVENTS
    from gateway.audit.message import Outcome
    from gateway.ledger import AuditFilter

    since, until = (moment and moment.replace(tzinfo=UTC) for moment in times)
    events = [code.value for code in EVENTS]
    outcomes = [code.value for code in Outcome]
    if since and until and since >= until:
        fail("--since must be before --until", WRONG_USE)
    if event is not None and event not in events:
        fail(f"--event {event!r} is none of {', '.join(events)}", WRONG_USE)
    if outcome is not None and outcome not in outcomes:
        fail(f"--outcome {outcome} is none of {outcomes}", WRONG_USE)
    return AuditFilter(
        since=since,
        until=until,
        study_instance_uid=study,
        event=event,
        outcome=outcome,
    )
