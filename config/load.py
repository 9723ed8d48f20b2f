"""Read a site's file over the defaults; secrets from the environment."""

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.errors import InvalidSettings
from config.settings import Settings
from config.urls import MASK, has_secret, masked, with_password

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
Table: TypeAlias = dict[str, Value]
Place: TypeAlias = tuple[int | str, ...]

_ENUM_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
_NAMED = (("peers",), ("audit_repositories",))
_NAMES_OF_SECRETS = frozenset({"secret_file", "secret_variable", "token_variable"})
"""Keys that say where a secret is; somebody may write the secret itself there."""
_SHOWN = 80
"""Characters of a wrong value that are repeated to the person."""
_MOST_LEVELS = 16
"""Tables and lists within each other; the settings have five."""


class Secrets(BaseSettings):
    """What may hold a password: from the environment alone."""

    model_config = SettingsConfigDict(env_prefix="MAIRA_GATEWAY_", frozen=True)

    ledger_url: str = ""
    patient_key: str = ""


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
        tree = merge(tree, _site(site_file))
    tree = merge(tree, overrides or {})
    secrets = Secrets()
    if secrets.ledger_url:
        tree = merge(tree, {"ledger": {"url": secrets.ledger_url}})
    tree = _with_password(tree)
    try:
        # As JSON: strict, and yet text is taken for what TOML has no type for.
        return Settings.model_validate_json(json.dumps(tree, default=str))
    except ValidationError as error:
        raise InvalidSettings(_explain(error)) from error
    except ValueError as error:  # a hexadecimal number that has no decimal form
        raise InvalidSettings(f"a value cannot be read: {error}") from error


def merge(below: Table, above: Table) -> Table:
    """Return `below` with each key of `above` over it; tables are merged."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def show_settings(settings: Settings) -> Table:
    """Return the settings as plain values, passwords and hashes masked."""
    tree: Table = settings.model_dump(mode="json")
    if settings.ledger.url:
        tree = merge(tree, {"ledger": {"url": masked(settings.ledger.url)}})
    users: Table = {
        name: MASK for name, kept in settings.listener.users.items() if kept
    }
    return merge(tree, {"listener": {"users": users}})


def _site(site_file: Path) -> Table:
    """Read the site's file; a password in it is refused."""
    table = _read(_text_of(site_file), str(site_file))
    ledger = table.get("ledger")
    url = ledger.get("url") if isinstance(ledger, dict) else None
    if isinstance(url, str) and has_secret(url):
        raise InvalidSettings(
            "ledger.url: a password does not belong into the file; set "
            "MAIRA_GATEWAY_LEDGER_URL in the environment"
        )
    return table


def _with_password(tree: Table) -> Table:
    """Put the password that lies in a file into the URL of the ledger."""
    ledger = tree.get("ledger")
    own = ledger if isinstance(ledger, dict) else {}
    url, file = own.get("url"), own.get("password_file")
    if not isinstance(url, str) or not isinstance(file, str) or not file:
        return tree
    try:
        password = Path(file).read_text("utf-8").partition("\n")[0].rstrip("\r")
        if not password:
            raise InvalidSettings(f"ledger.password_file: {file} is empty")
        return merge(tree, {"ledger": {"url": with_password(url, password)}})
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        raise InvalidSettings(
            f"ledger.password_file: {file} cannot be read: {kind}"
        ) from None
    except ValueError as error:
        raise InvalidSettings(f"ledger.password_file: {error}") from None


def _text_of(site_file: Path) -> str:
    try:
        return site_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{site_file}: cannot be read: {error}") from error


def _read(text: str, name: str) -> Table:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of a number's digits
        raise InvalidSettings(f"{name}: is not TOML: {error}") from error
    if _is_deep(table):
        raise InvalidSettings(f"{name}: nested deeper than {_MOST_LEVELS} levels")
    return table


def _is_deep(table: Table) -> bool:
    """Whether tables and lists lie deeper within each other than any setting."""
    level: list[Value] = [table]
    for _ in range(_MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: Value) -> list[Value]:
    """Return the tables and lists directly within a table or list."""
    if isinstance(value, dict):
        value = list(value.values())
    values = value if isinstance(value, list) else []
    return [inner for inner in values if isinstance(inner, dict | list)]


def _explain(error: ValidationError) -> str:
    return "\n".join(_line(detail) for detail in error.errors())


def _line(detail: ErrorDetails) -> str:
    place = detail["loc"]
    key = ".".join(str(part) for part in place)
    if detail["type"] == "extra_forbidden":
        return f"{key}: is not a setting; allowed here: {_allowed(place[:-1])}"
    message = detail["msg"].removeprefix("Value error, ")
    message = _ENUM_MEMBER.sub(r"\1", message).replace("an object", "a table")
    whole = isinstance(detail["input"], dict) or detail["type"] == "missing"
    if not key:
        return message
    # A URL may hold a password, and somebody may write a passcode as it is.
    if whole or place[0] == "ledger" or place[:2] == ("listener", "users"):
        return f"{key}: {message}"
    if place[-1] in _NAMES_OF_SECRETS:
        return f"{key}: {message}"
    shown = repr(detail["input"])
    if "@" in shown and "://" in shown:  # any URL may
        return f"{key}: {message}"
    return f"{key}: {message} (it is {shown[:_SHOWN]})"


def _allowed(place: Place) -> str:
    """Return the keys that the table at `place` takes."""
    if place[:1] in _NAMED:  # each has a name of the site's choice
        place = (place[0], *place[2:])
    model: type[BaseModel] = Settings
    for part in place:
        model = _model_in(model.model_fields[str(part)].annotation) or model
    return ", ".join(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the table type within an annotation, as in `dict[str, Peer]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in get_args(annotation))
    return next((each for each in found if each is not None), None)
