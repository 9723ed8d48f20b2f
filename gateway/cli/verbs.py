"""The command line: each verb is one call; the only place that prints or exits.

Exit codes: 0; 1 the answer is no, or the work failed; 2 wrong use or settings.
"""

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.errors import ConfigError
from dicom_io.errors import DicomError
from gateway.cli.audit import app as audit_verbs
from gateway.cli.campaign import app as campaign_verbs
from gateway.cli.config import app as config_verbs
from gateway.cli.delivery import app as delivery_verbs
from gateway.cli.doctor import app as spool_verbs
from gateway.cli.doctor import doctor
from gateway.cli.engine import app as engine_verbs
from gateway.cli.evaluate import evaluate
from gateway.cli.metrics import metrics
from gateway.cli.model import app as model_verbs
from gateway.cli.output import (
    NO,
    WRONG_USE,
    fail,
    print_if_taken,
    print_json,
    print_line,
    print_table,
    quieten_libraries,
    start_log,
    waiting,
)
from gateway.cli.processes import processes
from gateway.cli.site import AsJson, site_settings
from gateway.cli.study import app as study_verbs
from gateway.cli.user import app as user_verbs
from gateway.errors import GatewayError, NotReady
from gateway.lifecycle import State
from model.errors import ModelError
from model.version import VERSION

if TYPE_CHECKING:
    from config.settings import Settings
    from gateway.process import ProcessOutcome
    from gateway.running.serve import Gateway

app = typer.Typer(
    name="maira-gateway",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help="Chest radiographs in by DICOM, grounded reports back. For research only.",
)
app.add_typer(study_verbs, name="study")
app.add_typer(campaign_verbs, name="campaign")
app.add_typer(delivery_verbs, name="delivery")
app.add_typer(audit_verbs, name="audit")
app.add_typer(user_verbs, name="user")
app.add_typer(config_verbs, name="config")
app.add_typer(model_verbs, name="model")
app.add_typer(engine_verbs, name="engine")
app.add_typer(spool_verbs, name="spool")
app.command()(doctor)
app.command()(evaluate)
app.command()(metrics)
app.command()(processes)


def _print_version(asked: bool) -> None:
    if asked:
        print_line(VERSION)
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="MAIRA_GATEWAY_CONFIG",
            help="The site's settings file, over the defaults.",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and end.",
        ),
    ] = False,
) -> None:
    """Take the options that stand before every verb."""
    context.obj = config


@app.command()
def serve(
    context: typer.Context,
    role: Annotated[
        str, typer.Option(help="What this process does, with commas.")
    ] = "listener,worker,scheduler,web",
    health_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Instead of health.port, for a role without web."
        ),
    ] = None,
) -> None:
    """Run the gateway until it is told to stop (SIGTERM, Ctrl-C).

    One line says when the DICOM port is open, and one where the first administrator
    sets a password, while there is none; the rest is the log. A process without one of
    the roles says on which port its health is.
    """
    gc.disable()  # while modules are loaded: nothing of them is garbage
    from gateway.running import serve as root
    from gateway.running.process_roles import parse_roles

    gc.enable()
    settings = site_settings(context)
    try:
        roles = parse_roles(role)
    except NotReady as error:
        fail(f"--role: {error}", WRONG_USE)
    if health_port is not None:
        health = settings.health.model_copy(update={"port": health_port})
        settings = settings.model_copy(update={"health": health})
    start_log()

    def ready(gateway: "Gateway") -> None:
        for line in gateway.told():
            print_if_taken(line)
        # What is there now lives on; a look through all of it for garbage holds up
        # every association. Here, where the process is the gateway's alone.
        gc.collect()
        gc.freeze()

    root.serve(settings, ready, roles)


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option(help="Where the demo keeps its archive and results.")
    ] = Path("demo"),
) -> None:
    """Send a phantom study through the whole gateway and show what came of it."""
    from rich.console import Console

    from gateway.demo import run_demo

    raise typer.Exit(run_demo(folder, Console()))


@app.command()
def process(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    out: Annotated[Path, typer.Option(help="Folder for the result objects.")],
    as_json: AsJson = False,
) -> None:
    """Read DICOM files by the same pipeline, without any network.

    Ends with 1 unless every file was taken and every study has its results.
    """
    settings = site_settings(context)
    _demand_files(files)
    _demand_folder(out)
    quieten_libraries()
    from gateway.process import process_files

    with waiting("reading"):
        outcome = process_files(settings, files, out)
    if as_json:
        print_json(outcome)
    else:
        _print_outcome(outcome)
    if outcome.refused or any(s.state is not State.KEPT for s in outcome.studies):
        raise typer.Exit(NO)


@app.command()
def check(
    context: typer.Context,
    alive: Annotated[
        bool, typer.Option("--alive", help="Only: does the DICOM port answer?")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check disk, port, peers and checkpoint; print the AE lines to hand on."""
    settings = site_settings(context)
    if alive:
        _check_alive(settings, as_json)
        return
    from gateway.running.check import ae_lines, run_checks

    checks, lines = run_checks(settings), ae_lines(settings)
    if as_json:
        print_json({"checks": checks, "ae_lines": lines})
    else:
        print_table(
            ("", "CHECK", "DETAIL"),
            (("ok" if one.ok else "NO", one.name, one.detail) for one in checks),
        )
        print_line()
        print_line("For the people of the archive:")
        for line in lines:
            print_line(f"  {line}")
    if not all(one.ok for one in checks):
        raise typer.Exit(NO)


def _demand_files(files: list[Path]) -> None:
    for path in files:
        if path.is_dir():
            fail(f"{path} is a folder; name the files in it", WRONG_USE)
        if not os.access(path, os.R_OK):
            fail(f"{path} does not exist or cannot be read", WRONG_USE)


def _demand_folder(out: Path) -> None:
    """Make the folder for the results before any work is done for it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        fail(f"--out {out} is a file; name a folder", WRONG_USE)
    except OSError as error:
        fail(f"--out {out} cannot be made: {error.strerror}", WRONG_USE)
    if not os.access(out, os.W_OK | os.X_OK):
        fail(f"--out {out} cannot be written", WRONG_USE)


def _check_alive(settings: "Settings", as_json: bool) -> None:
    from gateway.running.port import is_answering

    answers = is_answering(settings.local_ae())
    if as_json:
        print_json({"alive": answers})
    else:
        print_line(f"The DICOM port {'answers' if answers else 'does not answer'}.")
    if not answers:
        raise typer.Exit(NO)


def main() -> None:
    """Run the command; an error becomes one line and its exit code."""
    try:
        app()
    except ConfigError as error:
        fail(error, WRONG_USE)
    except (GatewayError, DicomError, ModelError) as error:
        fail(error)


def _print_outcome(outcome: "ProcessOutcome") -> None:
    for study in outcome.studies:
        reason = f": {study.reason}" if study.reason else ""
        print_line(f"{study.study_instance_uid} is {study.state}{reason}")
        for path in study.files:
            print_line(f"  {path}")
    for path, why in outcome.refused:
        print_line(f"{path} was not taken: {why}")
