"""What the verbs share: the site's settings, its ledger, and who asks."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from config.settings import Settings
    from gateway.ledger import Ledger

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a script.")]


def config_file(context: typer.Context) -> Path | None:
    """Return the file of the global option `--config`."""
    found = context.find_root().obj
    return found if isinstance(found, Path) else None


def site_settings(context: typer.Context) -> "Settings":
    """Return the effective settings; raise InvalidSettings."""
    from config.load import load_settings

    return load_settings(config_file(context))


@contextmanager
def site_ledger(context: typer.Context) -> Iterator["Ledger"]:
    """Open the site's ledger for one verb."""
    from gateway.errors import NotReady
    from gateway.ledger import Ledger
    from gateway.patient_key import place_of

    settings = site_settings(context)
    path = settings.ledger_path
    if path is not None and not path.exists():
        raise NotReady(f"no ledger {path}: check --config, or start `serve` first")
    ledger = Ledger.open(settings.ledger_url, place_of(settings))
    try:
        yield ledger
    finally:
        ledger.close()


def os_user() -> str:
    """Return who runs this command, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def now() -> datetime:
    """Return the present moment, aware, UTC."""
    return datetime.now(UTC)
