"""What the verbs share: the site's settings, its ledger, and who asks."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from config.settings import Settings
    from gateway.ledger import Ledger
    from gateway.people import Decider, PersonRole

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
    """Return who runs this command, as the operating system knows them.

    By the number of the process: what stands in its environment anybody may set.
    """
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container's user may have no name
        return f"uid {number}"


def decider(by: str | None, why: str, role: "PersonRole | None" = None) -> "Decider":
    """Return who decides: `by`, entered by whoever runs this command, or they."""
    from gateway.people import Decider

    us = os_user()
    name = by or us
    return Decider(name=name, why=why, role=role, entered_by=None if name == us else us)


def now() -> datetime:
    """Return the present moment, aware, UTC."""
    return datetime.now(UTC)
