"""What a check finds, and the shape of a check."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class NothingToCheck(Exception):  # noqa: N818 - says what went wrong
    """A check met no file, package or contract: it cannot say that all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that must not be: where it stands and what it is."""

    place: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A named check of the tree under a folder.

    `run` takes the folder and returns what it found; none means green. It
    raises `NothingToCheck` where it had nothing to look at.
    """

    name: str
    run: Callable[[Path], list[Finding]]
