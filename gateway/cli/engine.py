"""`engine deploy|status|remove`: the model as an application of Ray Serve."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import NO, print_json, print_line, waiting
from gateway.cli.site import AsJson, site_settings

if TYPE_CHECKING:
    from types import ModuleType

    from model.engines.rayserve.deploying import Standing

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The model in a cluster of Ray (extra: ray).",
)


@app.command()
def deploy(
    context: typer.Context,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds until every replica must be ready.")
    ] = 900.0,
    as_json: AsJson = False,
) -> None:
    """Start the model in the cluster of the settings, or roll out what changed.

    On a machine that is a node of the cluster. In a roll-out old replicas end what they
    have begun. Ends with 1 where not all are ready in time; Serve then goes on trying.
    """
    from gateway.running.composition import demand_licence
    from model.engines.domain import declared_domain

    settings = site_settings(context)
    options = settings.engine_options()
    domain = declared_domain(options.checkpoint)
    demand_licence(settings, domain)
    plan = settings.ray.deployment(options, settings.engine)
    with waiting("deploying") as seen:
        standing = _ray().deploy(plan, wait, seen)
    _print(standing, as_json)


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Say how the application stands; ends with 1 unless it runs."""
    own = site_settings(context).ray
    standing = _ray().look(own.cluster, own.application)
    _print(standing, as_json)
    if standing is None or standing.status != "RUNNING":
        raise typer.Exit(NO)


@app.command()
def remove(context: typer.Context) -> None:
    """Take the application away; what replicas have begun is ended first."""
    own = site_settings(context).ray
    with waiting("removing"):
        was_there = _ray().remove(own.cluster, own.application)
    if not was_there:
        print_line(f"There is no application {own.application}.")
        raise typer.Exit(NO)
    print_line(f"The application {own.application} is gone.")


def _ray() -> "ModuleType":
    """Return what speaks to Ray. Raises `NotReady` where Ray is not installed."""
    from gateway.errors import NotReady

    try:
        from model.engines.rayserve import deploying
    except ModuleNotFoundError as error:
        raise NotReady(
            f"{error.name} is not installed: pip install 'maira-gateway[ray]'"
        ) from error
    return deploying


def _print(standing: "Standing | None", as_json: bool) -> None:
    if as_json:
        print_json(standing)
    elif standing is None:
        print_line("There is no such application.")
    else:
        counted = ", ".join(f"{count} {state}" for state, count in standing.replicas)
        print_line(f"{standing.application} is {standing.status}: {counted}")
        if standing.message:
            print_line(f"  {standing.message}")
