"""What is different in the settings since the last run, for the audit.

Secrets are never kept: only their digest under a key that is outside the ledger, so
that a change of one is seen and nothing of it given away.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from config.load import Table, show_settings
from config.settings import Settings
from config.values import secret
from gateway.audit import AuditEntry, kinds
from gateway.audit.of_installation import Change

Digest = Callable[[str], str]

_LONGEST = 120
"""Characters of a value that a message shows."""
_ABSENT = "(none)"
_DIGEST = "digest "
_NETWORK = ("archive", "fhir", "hl7", "listener", "peers", "results", "web")
_SECURITY = (
    *("identity", "licence", "listener.tls", "listener.user", "listener.require"),
    "openid",
)
_VARIABLES = "token_variable"


def described(settings: Settings, digest: Digest) -> dict[str, str]:
    """Return each key with its value; of a secret its digest stands there."""
    values = dict(_flat("", show_settings(settings)))
    for key in [key for key in values if key.endswith(_VARIABLES)]:
        values[f"{key}'s value"] = _DIGEST + digest(secret(_text(values[key])) or "")
    for name, kept in settings.listener.users.items():
        values[f"listener.users.{name}"] = _DIGEST + digest(kept)
    if settings.openid.issuer:
        values["openid's secret"] = _DIGEST + digest(settings.openid.secret)
    values["ledger.url's password"] = _DIGEST + digest(settings.ledger.url)
    return values


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """Return what became of each key that is not as it was, in order; pure."""
    keys = sorted(before.keys() | after.keys())
    return tuple(
        _change(key, before.get(key, _ABSENT), after.get(key, _ABSENT))
        for key in keys
        if before.get(key) != after.get(key)
    )


def entries(found: Sequence[Change], now: datetime) -> list[AuditEntry]:
    """Return a record for each kind of setting that changed (PS3.15 A.5.3.11)."""
    groups = (
        (kinds.security_settings_changed, [c for c in found if _is_security(c)]),
        (kinds.network_settings_changed, [c for c in found if _is_network(c)]),
        (kinds.software_settings_changed, [c for c in found if _is_software(c)]),
    )
    return [of_kind(group, now) for of_kind, group in groups if group]


def to_text(values: Mapping[str, str]) -> str:
    """Return the values as they are kept until the next start."""
    return json.dumps(values, sort_keys=True)


def of_text(text: str) -> dict[str, str]:
    """Return the values that were kept."""
    read: dict[str, str] = json.loads(text)
    return read


def _flat(prefix: str, table: Table) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from _flat(name, value)
        else:
            yield name, json.dumps(value, ensure_ascii=False)


def _text(value: str) -> str:
    """Return the text of a value as `_flat` gives it."""
    return str(json.loads(value))


def _change(key: str, before: str, after: str) -> Change:
    if before.startswith(_DIGEST) and after.startswith(_DIGEST):
        return Change(key=key, before="secret", after="another")
    return Change(key=key, before=_shown(before), after=_shown(after))


def _shown(value: str) -> str:
    if value.startswith(_DIGEST):
        return "secret"
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"


def _is_security(change: Change) -> bool:
    named = change.key.startswith(_SECURITY)
    return named or change.key.endswith(("certificates", "networks", "'s password"))


def _is_network(change: Change) -> bool:
    top = change.key.partition(".")[0]
    return top in _NETWORK and not _is_security(change)


def _is_software(change: Change) -> bool:
    return not _is_security(change) and not _is_network(change)
