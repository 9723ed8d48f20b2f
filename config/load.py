"""Read a site's file over the defaults; secrets from the environment."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.errors import InvalidSettings
from config.settings import Settings

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
Table: TypeAlias = dict[str, Value]


class Secrets(BaseSettings):
    """What may hold a password: from the environment alone."""

    model_config = SettingsConfigDict(env_prefix="MAIRA_GATEWAY_", frozen=True)

    ledger_url: str = ""


def load_settings(
    site_file: Path | None = None, overrides: Table | None = None
) -> Settings:
    """Return the effective settings.

    site_file : TOML over config/default.toml; None: the defaults alone.
    overrides : a last table over both (the demo and the tests use it).
    Raises `InvalidSettings`, one line a wrong key.
    """
    tree = _read(files("config").joinpath("default.toml").read_text("utf-8"), "default")
    if site_file is not None:
        tree = merge(tree, _read(_text_of(site_file), str(site_file)))
    tree = merge(tree, overrides or {})
    secrets = Secrets()
    if secrets.ledger_url:
        tree = merge(tree, {"ledger": {"url": secrets.ledger_url}})
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise InvalidSettings(_explain(error)) from error


def merge(below: Table, above: Table) -> Table:
    """Return `below` with each key of `above` over it; tables are merged."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def show_settings(settings: Settings) -> Table:
    """Return the settings as plain values, a password in a URL masked."""
    tree: Table = settings.model_dump(mode="json")
    scheme, found, rest = settings.ledger.url.partition("://")
    credentials, at, place = rest.rpartition("@")
    if found and at:
        user = credentials.partition(":")[0]
        tree["ledger"] = {"url": f"{scheme}://{user}:***@{place}"}
    return tree


def _text_of(site_file: Path) -> str:
    try:
        return site_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{site_file}: cannot be read: {error}") from error


def _read(text: str, name: str) -> Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"{name}: is not TOML: {error}") from error


def _explain(error: ValidationError) -> str:
    return "\n".join(_line(detail) for detail in error.errors())


def _line(detail: ErrorDetails) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key}: is not a setting; config/default.toml lists every key"
    if not key:
        return detail["msg"].removeprefix("Value error, ")
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message} (it is {str(detail['input'])[:80]!r})"
