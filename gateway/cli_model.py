"""`model verify|info|parity`: the checkpoint, and whether its answers are exact."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_output import NO, print_json, print_line, print_table, waiting
from gateway.cli_site import AsJson, site_settings

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
    from model.maira2.snapshot import read_domain, verify_snapshot
    from model.options import Domain

    folder = _folder(context, checkpoint)
    found = verify_snapshot(folder)
    problems = found.problems
    if found.usable:
        with waiting("reading the weights") as seen:
            problems = tuple(scan_weights(folder, seen))
    if as_json:
        print_json({"problems": problems, "unofficial": found.unofficial})
    else:
        films = found.usable and read_domain(folder) is Domain.RADIOGRAPH
        _print_verdict(problems, found.unofficial if films else ())
    if problems:
        raise typer.Exit(NO)


def _print_verdict(problems: tuple[str, ...], unofficial: tuple[str, ...]) -> None:
    for problem in problems:
        print_line(problem)
    for name in unofficial:
        print_line(f"not as in the official snapshot: {name}")
    if not problems:
        print_line("The checkpoint is whole: every tensor was read.")


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


def _folder(context: typer.Context, checkpoint: Path | None) -> Path:
    return checkpoint or site_settings(context).engine_options().checkpoint
