"""`audit ...`: the audit log; reading it is itself recorded.

The same questions as on the pages of the audit, by the same functions. Whoever may read
the ledger's file may run these: the operating system knows who that is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import audit_proof
from gateway.cli.output import WRONG_USE, fail, print_json, print_line, print_table
from gateway.cli.site import AsJson, now, os_user, site_ledger, site_settings

if TYPE_CHECKING:
    from gateway.audit.parts import Person
    from gateway.ledger import AuditPlace, AuditRecord
    from gateway.reviewing.asking import Question
    from gateway.reviewing.desk import Desk

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The audit log (PS3.15 A.5)."
)
reviews = typer.Typer(no_args_is_help=True, help="Who has reviewed which time.")
app.add_typer(reviews, name="review")
app.command()(audit_proof.verify)
app.command()(audit_proof.key)
app.command("rotate-key")(audit_proof.rotate_key)
app.command()(audit_proof.verifier)
app.command()(audit_proof.bundle)

Since = Annotated[datetime | None, typer.Option(help="First moment, UTC, included.")]
Until = Annotated[datetime | None, typer.Option(help="Last moment, UTC, excluded.")]
Patient = Annotated[
    str | None, typer.Option(help="Patient ID, or the pseudonym in the log.")
]
Study = Annotated[str | None, typer.Option(help="Only this Study Instance UID.")]
User = Annotated[str | None, typer.Option(help="Only this person or calling node.")]
EventId = Annotated[
    str | None,
    typer.Option(help="Only this event or event type, as 110104 or study-moved."),
]
ActionCode = Annotated[str | None, typer.Option(help="Only C, R, U, D or E.")]
OutcomeCode = Annotated[
    str | None, typer.Option(help="Only 0, 4, 8 or 12, or `failed`: any but 0.")
]
Node = Annotated[str | None, typer.Option(help="Only with this other node.")]
Address = Annotated[str | None, typer.Option(help="Only from this address.")]
Text = Annotated[str | None, typer.Option(help="Only with this in the detail.")]
ViewName = Annotated[
    str | None,
    typer.Option(help="people, out-of-hours, break-glass, failures, settings."),
]


@app.command("list")
def list_records(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    patient: Patient = None,
    study: Study = None,
    user: User = None,
    event: EventId = None,
    action: ActionCode = None,
    outcome: OutcomeCode = None,
    node: Node = None,
    address: Address = None,
    text: Text = None,
    view: ViewName = None,
    after: Annotated[int, typer.Option(min=0, help="Last sequence seen.")] = 0,
    newest: Annotated[bool, typer.Option(help="The newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List audit records, the oldest first."""
    from gateway.ledger import AuditPage
    from gateway.reviewing.desk import search

    given = _Given(since, until, study, user, event, action, outcome)
    more = {"node": node, "address": address, "text": text, "view": view}
    with _desk(context) as desk:
        question = _question(desk, given, patient, more)
        place = _place(desk, after)
        page = AuditPage(newest_first=newest, limit=limit, after=place)
        found = search(desk, question, page, _me(), now())
    _print_records(found.records, as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    sequence: Annotated[int, typer.Argument(min=1)],
    reveal: Annotated[
        bool, typer.Option(help="Show the patient, too; that is recorded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print one audit message as XML."""
    from gateway.reviewing.desk import open_record, reveal_record

    look = reveal_record if reveal else open_record
    with _desk(context) as desk:
        found = look(desk, sequence, _me(), now())
    if found is None:
        fail(f"no audit record {sequence}; `audit list` shows what there is")
    if as_json:
        print_json(found)
    else:
        print_line(found.message)


@app.command()
def bulk(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """List people who opened many patients within a short time."""
    from gateway.reviewing.desk import find_bulk

    with _desk(context) as desk:
        wanted = _question(desk, _Given(since, until), None, {}).wanted
        found = find_bulk(desk, wanted, _me(), now())
    if as_json:
        print_json(found)
        return
    print_table(
        ("USER", "PATIENTS", "FROM", "TO"),
        ((each.user, each.most, each.since, each.until) for each in found),
    )


@app.command()
def repeats(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """List results that one destination took more than once."""
    from gateway.reviewing.desk import find_repeats

    with _desk(context) as desk:
        wanted = _question(desk, _Given(since, until), None, {}).wanted
        found = find_repeats(desk, wanted, _me(), now())
    if as_json:
        print_json(found)
        return
    print_table(
        ("STUDY", "NODE", "TIMES", "WHOLE", "FIRST", "LAST"),
        (
            (r.study_instance_uid, r.node, r.times, r.succeeded, r.first_at, r.last_at)
            for r in found
        ),
    )


@app.command()
def repositories(context: typer.Context, as_json: AsJson = False) -> None:
    """List the repositories of the audit, and what each has not got yet."""
    with site_ledger(context) as ledger, ledger.reading() as rows:
        found = rows.backlogs()
    if as_json:
        print_json(found)
        return
    print_table(
        ("NAME", "SENT", "WAITING", "OLDEST", "FAILURES", "SINCE", "WHY"),
        (
            (
                each.repository.name,
                each.repository.last_sequence,
                each.records,
                each.oldest,
                each.repository.failures,
                each.repository.failing_since,
                each.repository.detail,
            )
            for each in found
        ),
    )


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="New file.")],
    since: Since = None,
    until: Until = None,
    patient: Patient = None,
    study: Study = None,
    user: User = None,
    event: EventId = None,
    action: ActionCode = None,
    outcome: OutcomeCode = None,
    view: ViewName = None,
    as_: Annotated[
        str, typer.Option("--as", help="csv, xml, or jsonl: JSON, a record a line.")
    ] = "jsonl",
    as_json: AsJson = False,
) -> None:
    """Write audit records to a new file; `audit bundle` signs what it writes."""
    given = _Given(since, until, study, user, event, action, outcome)
    with _desk(context) as desk:
        question = _question(desk, given, patient, {"view": view})
        written = _export(desk, question, as_, out)
    if as_json:
        print_json({"file": out, "records": written})
    else:
        print_line(f"{written} records in {out}")


@app.command()
def filters(context: typer.Context, as_json: AsJson = False) -> None:
    """List saved filters: your own, and those that others share."""
    with site_ledger(context) as ledger, ledger.reading() as rows:
        found = rows.saved_filters(os_user())
    if as_json:
        print_json(found)
        return
    print_table(
        ("NAME", "OWNER", "SHARED", "QUESTION"),
        ((each.name, each.owner, each.shared, each.question) for each in found),
    )


@reviews.command("list")
def list_reviews(context: typer.Context, as_json: AsJson = False) -> None:
    """List sign-offs, the newest first."""
    with site_ledger(context) as ledger, ledger.reading() as rows:
        found = rows.reviews()
    if as_json:
        print_json(found)
        return
    print_table(
        ("REVIEWED", "BY", "SINCE", "UNTIL", "WHAT", "RECORDS", "OUTCOME", "NOTE"),
        (
            (
                each.reviewed_at,
                each.reviewer,
                each.since,
                each.until,
                each.question or "everything",
                each.records,
                each.outcome,
                each.note,
            )
            for each in found
        ),
    )


@reviews.command("open")
def list_open(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    outcome: OutcomeCode = None,
    view: ViewName = None,
    as_json: AsJson = False,
) -> None:
    """List the times that nobody has signed off."""
    from gateway.reviewing.signing import not_reviewed, scope_of

    with _desk(context) as desk:
        given = _Given(since, until, outcome=outcome)
        question = _question(desk, given, None, {"view": view})
        wanted = question.wanted
        end = wanted.until or now()
        found = not_reviewed(desk, scope_of(question), wanted.since, end)
    if as_json:
        print_json(found)
        return
    print_table(("SINCE", "UNTIL"), ((each.since, each.until) for each in found))


@reviews.command("sign")
def sign(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    user: User = None,
    event: EventId = None,
    outcome: OutcomeCode = None,
    view: ViewName = None,
    found: Annotated[
        bool, typer.Option("--followed-up", help="Something was found.")
    ] = False,
    note: Annotated[str, typer.Option(help="What was found, what was done.")] = "",
    as_json: AsJson = False,
) -> None:
    """Sign off that you have reviewed a time."""
    from gateway.errors import BadQuestion
    from gateway.ledger import Finding
    from gateway.reviewing.signing import Verdict, sign_off

    given = _Given(since, until, user=user, event=event, outcome=outcome)
    came_of_it = Finding.FOLLOWED_UP if found else Finding.NOTHING
    verdict = Verdict(outcome=came_of_it, note=note)
    with _desk(context) as desk:
        question = _question(desk, given, None, {"view": view})
        try:
            review = sign_off(desk, question, verdict, _me(), now())
        except BadQuestion as error:
            fail(error, WRONG_USE)
    if as_json:
        print_json(review)
    else:
        print_line(f"{review.records} records signed off by {review.reviewer}")


@app.command("erase-patient")
def erase(
    context: typer.Context,
    patient_id: Annotated[str, typer.Argument(help="Patient ID.")],
    why: Annotated[str, typer.Option(help="Why; goes into the audit.")],
    issuer: Annotated[str | None, typer.Option(help="As the images have it.")] = None,
) -> None:
    """Make a patient unreadable in the audit for ever; no record changes."""
    from gateway.audit.message import Patient
    from gateway.log_keeping.erasing import erase_patient

    patient = Patient(patient_id=patient_id, issuer=issuer)
    with site_ledger(context) as ledger:
        gone = erase_patient(ledger, patient, os_user(), why, now())
    print_line("the key of this patient is destroyed here; destroy copies of it too")
    if not gone:
        print_line("the ledger is being read: its log holds the key until it is idle")


@app.command("new-patient-key")
def new_patient_key(
    context: typer.Context,
    why: Annotated[str, typer.Option(help="Why; goes into the audit.")],
) -> None:
    """Give up a patient key that is lost: who was sealed with it stays unreadable."""
    from gateway.log_keeping.erasing import replace_key
    from gateway.patient_key import place_of

    place = place_of(site_settings(context))
    with site_ledger(context) as ledger:
        lost = replace_key(ledger, place, os_user(), why, now())
    print_line(f"a new patient key is in use; {lost} patients are unreadable")


@dataclass(frozen=True, slots=True)
class _Given:
    """What the options of a verb ask."""

    since: datetime | None = None
    until: datetime | None = None
    study: str | None = None
    user: str | None = None
    event: str | None = None
    action: str | None = None
    outcome: str | None = None


@contextmanager
def _desk(context: typer.Context) -> "Iterator[Desk]":
    from gateway.reviewing.desk import desk_of

    settings = site_settings(context)
    with site_ledger(context) as ledger:
        # Nobody waits at a page: a command looks through all there is.
        yield replace(desk_of(settings, ledger), stretch=None)


def _me() -> "Person":
    from gateway.audit.parts import Person

    return Person(name=os_user())


def _question(
    desk: "Desk", given: _Given, patient: str | None, more: dict[str, str | None]
) -> "Question":
    """Return the question; what can match nothing is wrong use."""
    from gateway.errors import BadQuestion
    from gateway.reviewing.asking import read_question

    times = (
        moment and moment.replace(tzinfo=UTC) for moment in (given.since, given.until)
    )
    since, until = (moment and moment.isoformat() for moment in times)
    asked = {
        "since": since,
        "until": until,
        "study": given.study,
        "user": given.user,
        "event": given.event,
        "action": given.action,
        "outcome": given.outcome,
        "patient": None if patient is None else _pseudonym(desk, patient),
        **more,
    }
    try:
        return read_question({key: value for key, value in asked.items() if value})
    except BadQuestion as error:
        fail(f"--{error}", WRONG_USE)


def _pseudonym(desk: "Desk", patient: str) -> str:
    from gateway.reviewing.desk import pseudonyms_of

    found = pseudonyms_of(desk, patient)
    if not found:
        fail("nobody in the log has this Patient ID")
    if len(found) > 1:
        fail(f"several issuers gave this Patient ID; name one of {', '.join(found)}")
    return found[0]


def _place(desk: "Desk", after: int) -> "AuditPlace | None":
    from gateway.ledger import AuditPlace

    if not after:
        return None
    with desk.ledger.reading() as rows:
        found = rows.audit_records([after])
    if not found:
        fail(f"no audit record {after}; `audit list` shows what there is")
    return AuditPlace(recorded_at=found[0].recorded_at, sequence=after)


def _print_records(records: "list[AuditRecord]", *, as_json: bool) -> None:
    from gateway.reviewing.sentences import sentence

    if as_json:
        print_json(records)
        return
    print_table(
        ("SEQUENCE", "TIME", "OUTCOME", "USER", "WHERE", "STUDY", "WHAT", "DETAIL"),
        (
            (
                r.sequence,
                r.recorded_at,
                r.outcome,
                r.user,
                r.address or r.node,
                r.study_instance_uid,
                sentence(r),
                r.detail,
            )
            for r in records
        ),
    )


def _export(desk: "Desk", question: "Question", as_: str, out: Path) -> int:
    from gateway.reviewing.exports import Exported, Format, write

    try:
        format_ = Format(as_)
    except ValueError:
        fail(f"--as: one of {', '.join(Format)}", WRONG_USE)
    wanted = Exported(question=question, by=_me(), clock=now)
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            return write(desk, wanted, format_, file)
    except FileExistsError:
        fail(f"{out} exists; name a new file with --out")
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}")
