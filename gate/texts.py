"""Strings that no file of the tree may hold.

Each needle is built from pieces, so that this file passes its own check.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from gate.findings import Finding, NothingToCheck
from gate.tree import files_of

_LARGEST_TEXT = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """A pattern, and why it must not stand anywhere."""

    pattern: re.Pattern[str]
    reason: str


def _any_of(pieces: list[tuple[str, str]]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(first + second) for first, second in pieces))


REMOTE_CODE = Forbidden(
    pattern=_any_of([("trust_remote", "_code"), ("trust-remote", "-code")]),
    reason="code from a checkpoint is never executed",
)
MACHINE_PATHS = Forbidden(
    pattern=re.compile(
        r"(?<![\w./~-])/(?:"
        + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me"])
        + r")\b/"
    ),
    reason="a path of one machine",
)
REGISTRY_HOSTS = Forbidden(
    pattern=_any_of(
        [
            ("pypi", ".org"),
            ("pythonhosted", ".org"),
            ("npmjs", ".org"),
            ("npmjs", ".com"),
            ("download.pytorch", ".org"),
            ("anaconda", ".org"),
            ("deb.debian", ".org"),
            ("docker", ".io"),
            ("ghcr", ".io"),
            ("quay", ".io"),
        ]
    ),
    reason="a registry's host; the client's own settings name it",
)


def check_remote_code(root: Path) -> list[Finding]:
    """No file names the option that runs a checkpoint's code."""
    return _search(root, REMOTE_CODE)


def check_machine_paths(root: Path) -> list[Finding]:
    """No file holds a path of one machine."""
    return _search(root, MACHINE_PATHS)


def check_registry_hosts(root: Path) -> list[Finding]:
    """No file names the host of a package registry."""
    return _search(root, REGISTRY_HOSTS)


def _search(root: Path, forbidden: Forbidden) -> list[Finding]:
    texts = [(path, text) for path in files_of(root) if (text := _text_of(path))]
    if not texts:
        raise NothingToCheck(f"{root}: no text file")
    return [
        Finding(
            place=f"{path.relative_to(root)}:{number}",
            message=f"{line.strip()[:80]!r}: {forbidden.reason}",
        )
        for path, text in texts
        for number, line in enumerate(text.splitlines(), start=1)
        if forbidden.pattern.search(line)
    ]


def _text_of(path: Path) -> str | None:
    """Return the file's text; None for one that is binary or very large."""
    if path.stat().st_size > _LARGEST_TEXT:
        return None
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return None
