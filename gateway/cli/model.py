"""`model fetch|verify|info|parity`: the checkpoint, and if its answers are exact."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import NO, print_json, print_line, print_table, waiting
from gateway.cli.site import AsJson, now, site_settings

if TYPE_CHECKING:
    from model.maira2.snapshot import Check

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The checkpoint, and the model's answers.",
)

Checkpoint = Annotated[
    Path | None,
    typer.Option(help="Folder of a snapshot; default: the one of the settings."),
]


@app.command()
def verify(
    context: typer.Context, checkpoint: Checkpoint = None, as_json: AsJson = False
) -> None:
    """Read every file and tensor of the checkpoint; ends with 1 for a fault."""
    from model.maira2.scanning import scan_weights
    from model.maira2.snapshot import Check, verify_snapshot, weights_digest

    folder = _folder(context, checkpoint)
    found = verify_snapshot(folder)
    checks, digest = list(found.checks), None
    if found.usable:
        with waiting("reading the weights") as seen:
            problems = tuple(scan_weights(folder, seen))
            checks.append(Check(subject="numbers of the weights", problems=problems))
            digest = weights_digest(folder)
    wrong = any(check.problems for check in checks)
    if as_json:
        print_json(
            {
                "checks": checks,
                "problems": [line for check in checks for line in check.problems],
                "unofficial": found.unofficial,
                "weights_digest": digest,
            }
        )
    else:
        _print_checks(checks)
        _print_identity(folder, found.unofficial, digest)
        if not wrong:
            print_line("The checkpoint is whole: every tensor was read.")
    if wrong:
        raise typer.Exit(NO)


def _print_checks(checks: "Sequence[Check]") -> None:
    """One line for what is right, one for each thing that is wrong."""
    for check in checks:
        if not check.problems:
            print_line(f"ok     {check.subject}")
        for problem in check.problems:
            print_line(f"WRONG  {check.subject}: {problem}")


def _print_identity(
    folder: Path, unofficial: tuple[str, ...], digest: str | None
) -> None:
    """Tell by the sizes whether it is the official snapshot, and its SHA-256."""
    from model.errors import CheckpointError
    from model.maira2.snapshot import OFFICIAL_SIZES, read_domain
    from model.options import Domain

    try:
        films = read_domain(folder) is Domain.RADIOGRAPH
    except CheckpointError:
        films = False
    if films:
        for name in unofficial:
            print_line(f"differs  not as in the official snapshot: {name}")
        same = len(OFFICIAL_SIZES) - len(unofficial)
        print_line(f"{same} of {len(OFFICIAL_SIZES)} files have the official size")
    if digest:
        print_line(f"SHA-256  {digest}")


@app.command()
def info(
    context: typer.Context, checkpoint: Checkpoint = None, as_json: AsJson = False
) -> None:
    """Say what the checkpoint is: its size, its domain, its digest."""
    from pydantic_core import to_jsonable_python

    from model.maira2.snapshot import snapshot_info

    found = snapshot_info(_folder(context, checkpoint))
    if as_json:
        print_json(found)
        return
    for name, value in to_jsonable_python(found).items():
        print_line(f"{name.replace('_', ' '):<20}{value}")


@app.command()
def parity(
    golden: Annotated[Path, typer.Option(help="Folder of the golden layout.")],
    as_json: AsJson = False,
) -> None:
    """Run golden answers of the official code; ends with 1 if any differs."""
    from model.maira2.arithmetic import use_reference_arithmetic

    use_reference_arithmetic()
    from model.maira2.parity import run_parity

    with waiting("running the golden cases"):
        result = run_parity(golden)
    if as_json:
        print_json({"exact": result.exact, "cases": result.cases})
    else:
        print_table(
            ("CASE", "QUANTITY", "DIFFERENCE", "ALLOWED", ""),
            (
                (c.name, d.quantity, d.found, d.allowed, "" if d.exact else "DIFFERS")
                for c in result.cases
                for d in c.differences
            ),
        )
        exact = sum(case.exact for case in result.cases)
        print_line(f"{exact} of {len(result.cases)} cases are exact")
    if not result.exact:
        raise typer.Exit(NO)


@app.command()
def fetch(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the snapshot is to stand.")],
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; else HF_TOKEN is used.")
    ] = None,
    acknowledged_by: Annotated[
        str, typer.Option(help="Who has read the research-only licence.")
    ] = "",
    revision: Annotated[str, typer.Option(help="Default: the one known here.")] = "",
) -> None:
    """Download MAIRA-2 after its licence was acknowledged, and verify it.

    Keeps the whole files of an earlier call.
    """
    from model.maira2.fetch import REVISION, Source, fetch_snapshot, read_token

    _acknowledge(context, acknowledged_by.strip())
    source = Source(
        revision=revision or REVISION,
        endpoint=os.environ.get("HF_ENDPOINT"),
        token=read_token(os.environ.get("HF_TOKEN"), token_file),
    )
    with waiting("fetching") as seen:
        names = fetch_snapshot(source, folder, seen)
    print_line(f"{len(names)} files are in {folder}")
    verify(context, folder)


def _acknowledge(context: typer.Context, name: str) -> None:
    """Record in the audit who acknowledged the licence. Raises `NotReady`."""
    from gateway.audit import kinds
    from gateway.errors import NotReady
    from gateway.ledger import Ledger
    from gateway.patient_key import place_of
    from gateway.running.starting import ACKNOWLEDGED

    settings = site_settings(context)
    mark = f"{name} {now():%Y-%m-%d}"
    if not name:
        licence = settings.licence
        if not licence.acknowledged:
            raise NotReady(
                "the licence of the weights is for research only: read it, then give "
                "--acknowledged-by NAME or set [licence] in the settings"
            )
        mark = f"{licence.acknowledged_by} {licence.acknowledged_on}"
    if settings.ledger_path is not None:
        settings.ledger_path.parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger.open(settings.ledger_url, place_of(settings))
    try:
        with ledger.writing() as rows:
            if rows.recall(ACKNOWLEDGED) != mark:
                rows.append_audit(kinds.licence_acknowledged(mark, now()))
                rows.remember(ACKNOWLEDGED, mark)
    finally:
        ledger.close()


def _folder(context: typer.Context, checkpoint: Path | None) -> Path:
    return checkpoint or site_settings(context).engine_options().checkpoint
