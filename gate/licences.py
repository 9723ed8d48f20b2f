"""A licence allow-list over the installed distributions.

What a distribution says of itself, most exact first: `License-Expression`
(SPDX), the trove classifiers, the free `License` field.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

from gate.findings import Finding, NothingToCheck

OURS = "maira-gateway"

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CNRI-Python",
        "HPND",
        "ISC",
        "LLVM-exception",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    }
)
"""SPDX names of licences that a distribution may have. MPL-2.0 binds its own
files only, and we change none of them."""

_DRIVER = (
    "an optional driver, used unchanged from its own package, replaceable by a site"
)
LESSER_GPL: dict[str, str] = {"psycopg": _DRIVER, "psycopg-binary": _DRIVER}
"""Distribution -> why its LGPL is acceptable here."""

EXCEPTIONS = {
    "atheris": "its metadata name none; the LICENSE in the wheel is Apache-2.0",
    "kubernetes-validate": "its metadata name no version; the LICENSE is Apache-2.0",
    "torchao": "its metadata name none; the LICENSE in the wheel is BSD-3-Clause",
    "nvidia-": "runtime of CUDA builds of torch; each site installs it, we ship none",
}
"""Name, or beginning of a name that ends in "-" -> why it may stay although its
metadata name no licence of the list."""

FREE_TEXT = {
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "OSI Approved :: BSD License": "BSD-3-Clause",
    "OSI Approved :: ISC License (ISCL)": "ISC",
    "OSI Approved :: MIT License": "MIT",
    "OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "OSI Approved :: Python Software Foundation License": "PSF-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
}
"""Names that are not SPDX -> the SPDX name."""

_CLASSIFIER = "License :: "
_WORDS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_NOT_A_LICENCE = frozenset({"DFSG approved", "OSI Approved"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Licensed:
    """A distribution and the SPDX expression that it is taken to have."""

    name: str
    expression: str


def check_licences() -> list[Finding]:
    """Every installed distribution has a licence of the list."""
    return check_licensed(licensed_of(distributions()))


def licensed_of(installed: Iterable[Distribution]) -> list[Licensed]:
    """Return what each distribution but ours says of its licence."""
    return [
        Licensed(name=one.name.lower(), expression=_expression_of(one))
        for one in installed
        if one.name.lower() != OURS
    ]


def check_licensed(installed: list[Licensed]) -> list[Finding]:
    """Return the distributions that may not be used."""
    if not installed:
        raise NothingToCheck("licences: no distribution is installed")
    return [
        Finding(place=one.name, message=f"licence {one.expression or 'not given'!r}")
        for one in sorted(installed, key=lambda one: one.name)
        if not _may_stay(one)
    ]


def _may_stay(one: Licensed) -> bool:
    excepted = any(
        one.name == name or (name.endswith("-") and one.name.startswith(name))
        for name in (*EXCEPTIONS, *LESSER_GPL)
    )
    return excepted or is_allowed(one.expression)


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met by licences of the list.

    Parentheses are read as if every AND bound tighter than OR: one alternative
    must be allowed as a whole.
    """
    alternatives = expression.replace("(", " ").replace(")", " ").split(" OR ")
    return any(_all_allowed(alternative) for alternative in alternatives)


def _all_allowed(alternative: str) -> bool:
    names = set(_WORDS.findall(alternative)) - {"AND", "WITH"}
    return bool(names) and names <= ALLOWED


def _expression_of(one: Distribution) -> str:
    if exact := one.metadata.get_all("License-Expression"):
        return str(exact[0])
    classifiers = [
        text.removeprefix(_CLASSIFIER)
        for text in one.metadata.get_all("Classifier") or []
        if text.startswith(_CLASSIFIER)
    ]
    named = [text for text in classifiers if text not in _NOT_A_LICENCE]
    if named:
        return " AND ".join(FREE_TEXT.get(text, text) for text in named)
    field = " ".join(one.metadata.get_all("License") or []).strip()
    return FREE_TEXT.get(field, field)
