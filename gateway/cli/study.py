"""`study list|show|retry|rerun|release|reject|retract`: studies, and decisions."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import fail, print_json, print_line, print_table
from gateway.cli.site import (
    AsJson,
    decider,
    now,
    os_user,
    site_ledger,
    site_settings,
)
from gateway.lifecycle import State
from gateway.people import Decider, PersonRole

if TYPE_CHECKING:
    from gateway.ledger import Ledger
    from gateway.showing.review import Decision, FilledSlot, ShownReport, StudyDetail

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Studies, and what people decide."
)

Uid = Annotated[str, typer.Argument(metavar="STUDY_UID")]
By = Annotated[str | None, typer.Option(help="Who decides; default: the OS user.")]
Why = Annotated[str, typer.Option(help="Why; goes into the audit.")]
Role = Annotated[
    PersonRole, typer.Option(help="In what role it is decided; goes into the audit.")
]


@app.command("list")
def list_studies(
    context: typer.Context,
    state: Annotated[
        list[State] | None, typer.Option(help="Only studies in this state; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """List studies, the newest change first."""
    with site_ledger(context) as ledger, ledger.reading() as rows:
        found = rows.studies(states=state or None, limit=limit, offset=offset)
    if as_json:
        print_json(found)
        return
    print_table(
        ("STUDY", "STATE", "REVISION", "CHANGED", "REASON"),
        (
            (s.study_instance_uid, s.state, s.revision, s.changed_at, s.reason)
            for s in found
        ),
    )


@app.command()
def show(context: typer.Context, uid: Uid, as_json: AsJson = False) -> None:
    """Show one study: inputs, report, results, its life; the audit says who looked."""
    from gateway.showing.review import open_study

    with site_ledger(context) as ledger:
        detail = open_study(ledger, uid, os_user(), now())
    if as_json:
        print_json(detail)
    else:
        _print_detail(detail)


@app.command()
def retry(
    context: typer.Context,
    uid: Uid,
    why: Why = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Read a study again, or send its results again."""
    from gateway.showing.review import Decision

    _decide(context, uid, Decision.RETRY, decider(by, why), as_json)


@app.command()
def release(
    context: typer.Context,
    uid: Uid,
    role: Role,
    why: Why = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let the results of a held study leave."""
    from gateway.showing.review import Decision

    _decide(context, uid, Decision.RELEASE, decider(by, why, role), as_json)


@app.command()
def reject(
    context: typer.Context,
    uid: Uid,
    role: Role,
    why: Why = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let no result of a held or parked study leave."""
    from gateway.showing.review import Decision

    _decide(context, uid, Decision.REJECT, decider(by, why, role), as_json)


@app.command()
def rerun(
    context: typer.Context,
    uid: Uid,
    role: Role,
    why: Why = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Read a finished study anew, as its next revision."""
    from gateway.showing.review import Decision

    _decide(context, uid, Decision.RERUN, decider(by, why, role), as_json)


@app.command()
def retract(
    context: typer.Context,
    uid: Uid,
    role: Role,
    why: Why = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw the results of a study; whoever got them is told."""
    from gateway.stages.withdrawal import retract as withdraw

    with site_ledger(context) as ledger:
        study = withdraw(ledger, uid, decider(by, why, role), now())
    if as_json:
        print_json(study)
    else:
        print_line(f"{study.study_instance_uid} is now {study.state}")


def _decide(
    context: typer.Context,
    uid: str,
    decision: "Decision",
    by: Decider,
    as_json: bool,
) -> None:
    from gateway.showing.review import Decision, decide

    with site_ledger(context) as ledger:
        if decision is Decision.RETRY:
            _demand_destination(context, ledger, uid)
        moved = decide(ledger, uid, decision, by, now())
    if as_json:
        print_json(moved)
    else:
        print_line(f"{moved.study_instance_uid} is {moved.state} now.")


def _demand_destination(context: typer.Context, ledger: "Ledger", uid: str) -> None:
    """Refuse to send again what was kept because nobody is to get it."""
    if site_settings(context).results.destinations:
        return
    with ledger.reading() as rows:
        study = rows.study(uid)
    if study is not None and study.state is State.KEPT:
        fail(
            f"study {uid} is kept because there is no destination: name a peer in "
            "results.destinations, then retry"
        )


def _print_detail(detail: "StudyDetail") -> None:
    study = detail.study
    print_line(f"study     {study.study_instance_uid}")
    print_line(f"state     {study.state}, revision {study.revision}")
    print_line(f"reason    {study.reason or '-'}")
    if detail.engine:
        engine = detail.engine
        print_line(
            f"engine    {engine.model_name}, weights {engine.weights_digest[:16]}"
        )
    print_line()
    _print_slots(detail.slots)
    for note in detail.notes:
        print_line(f"note      {note}")
    for report in detail.reports:
        _print_report(report)
    _print_section("results", detail.results, ("kind", "task", "sop_instance_uid"))
    _print_section(
        "deliveries", detail.deliveries, ("destination", "state", "attempts", "detail")
    )
    _print_section("life", detail.moves, ("at", "event", "to_state", "reason"))


def _print_section(
    title: str, values: tuple[object, ...], names: tuple[str, ...]
) -> None:
    if not values:
        return
    print_line(title)
    headings = tuple(name.upper().replace("_", " ") for name in names)
    print_table(headings, ([getattr(v, name) for name in names] for v in values))
    print_line()


def _print_slots(slots: "tuple[FilledSlot, ...]") -> None:
    """Print the seven inputs, and below them what was not used for each."""
    if not slots:
        return
    print_line("inputs")
    print_table(
        ("NAME", "SOURCE", "INSTANCE OR DOCUMENT", "REASON"),
        (
            (
                each.name,
                each.source,
                each.sop_instance_uid or each.document,
                each.reason,
            )
            for each in slots
        ),
    )
    for each in slots:
        for rejected in each.rejected:
            print_line(
                f"  not used for {each.name}: {rejected.what}: {rejected.reason}"
            )
    print_line()


def _print_report(report: "ShownReport") -> None:
    print_line(f"report ({report.task}), preliminary, unverified, for research")
    for phrase in report.phrases:
        count = len(phrase.boxes)
        boxes = f"  [{count} {'box' if count == 1 else 'boxes'}]" if count else ""
        print_line(f"  {phrase.text}{boxes}")
    for flag in report.flags:
        print_line(f"  flag {flag.kind}: {flag.detail}".rstrip(": "))
    print_line()
