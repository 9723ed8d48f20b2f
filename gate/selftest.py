"""Each check must go red on a planted violation, or it guards nothing.

A plant writes one violation into a small tree of its own; the contracts of
import-linter get a copy of the real packages, so that each is broken by itself.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tomllib import loads
from typing import Any

from gate.findings import Finding, NothingToCheck
from gate.foreign import check_foreign_files
from gate.homes import check_homes
from gate.licences import Licensed, check_licensed
from gate.texts import check_machine_paths, check_registry_hosts, check_remote_code
from gate.tools import broken_contracts, check_format, check_lint, check_types
from gate.tree import PACKAGES, PYTHON_FOLDERS

Plant = Callable[[Path], None]
Run = Callable[[Path], list[Finding]]

_MODULE = '"""A module."""\n'
_PLANTED = b"planted"
_FOREIGN = {hashlib.sha256(_PLANTED).hexdigest(): "planted file"}

BROKEN_IMPORTS = {
    "layers": ("model/report.py", "import config.errors"),
    "floors-of-the-gateway": (
        "gateway/receiving/tallies.py",
        "import gateway.stages.turn",
    ),
    "images-and-words": ("dicom_io/uid.py", "import model.engine"),
    "no-arrays": ("gateway/spool.py", "import numpy"),
    "home-of-torch": ("gateway/lifecycle.py", "import torch"),
    "home-of-ray": ("gateway/errors.py", "import ray"),
    "asking-needs-no-ray": ("model/engines/rayserve/exchange.py", "import ray.serve"),
    "home-of-vllm": ("gateway/errors.py", "import vllm"),
    "home-of-dicom": ("gateway/errors.py", "import pydicom"),
    "home-of-sql": ("dicom_io/ae.py", "import sqlalchemy"),
    "home-of-judges": ("gateway/errors.py", "import openai"),
    "home-of-dicomweb": ("gateway/spool.py", "import requests"),
    "home-of-http": ("dicom_io/uid.py", "import httpx2"),
    "home-of-openid": ("gateway/people.py", "import authlib.oidc.core"),
    "home-of-web": ("gateway/watching/metrics.py", "import fastapi"),
    "home-of-cryptography": ("gateway/people.py", "import cryptography"),
    "home-of-passwords": ("gateway/people.py", "import argon2"),
}
"""Contract -> a file and a line that break it."""


def _write(path: str, text: str, root: Path) -> None:
    (root / path).write_text(_MODULE + text, "utf-8")


def _write_planted_file(root: Path) -> None:
    (root / "docs.bin").write_bytes(_PLANTED)


def _licence(text: str, _root: Path) -> list[Finding]:
    return check_licensed([Licensed(name="planted", expression=text)])


def _nothing(_root: Path) -> None:
    """Plant nothing: the violation is not in the tree."""


PLANTS: dict[str, tuple[Run, Plant]] = {
    "format": (check_format, partial(_write, "model/x.py", "ROWS   = 1\n")),
    "lint": (check_lint, partial(_write, "model/x.py", "import os\n")),
    "types": (check_types, partial(_write, "model/x.py", 'ROWS: int = "1"\n')),
    "homes": (check_homes, partial(_write, "model/x.py", "import flask\n")),
    "licences": (partial(_licence, "GPL-3.0-only"), _nothing),
    "licences, LGPL": (partial(_licence, "LGPL-2.1-or-later"), _nothing),
    "licences, none given": (partial(_licence, ""), _nothing),
    "foreign-files": (
        partial(check_foreign_files, foreign=_FOREIGN),
        _write_planted_file,
    ),
    "remote-code": (
        check_remote_code,
        partial(_write, "model/x.py", "# trust_remote" + "_code=True\n"),
    ),
    "machine-paths": (
        check_machine_paths,
        partial(_write, "model/x.py", "# see /ro" + "ot/notes\n"),
    ),
    "registry-hosts": (
        check_registry_hosts,
        partial(_write, "model/x.py", "# from pypi" + ".org\n"),
    ),
}
"""Check -> how it is called, and the violation that it must find."""


def failures(root: Path) -> list[Finding]:
    """Return the checks that stay green where they must not.

    root : the real tree, for the tools' settings and the contracts.
    """
    blind = [name for name in PLANTS if not _goes_red(name, root)]
    blind += _contracts_kept(root)
    blind += [name for name in PLANTS if _accepts_nothing(name)]
    return [Finding(place=name, message="stays green") for name in blind]


def _goes_red(name: str, root: Path) -> bool:
    """Whether the check is green on a clean small tree and red with the plant."""
    run, plant = PLANTS[name]
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder)
        _write_small_tree(small, root)
        clean = plant is _nothing or not run(small)
        plant(small)
        return clean and bool(run(small))


def _accepts_nothing(name: str) -> bool:
    """Whether the check calls an empty folder green."""
    run, plant = PLANTS[name]
    if plant is _nothing:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            return not run(Path(folder))
        except NothingToCheck:
            return False


def _write_small_tree(small: Path, root: Path) -> None:
    shutil.copy(root / "pyproject.toml", small)
    for name in PYTHON_FOLDERS:
        (small / name).mkdir()
        _write(f"{name}/__init__.py", "", small)


def _contracts_kept(root: Path) -> list[str]:
    """Return the contracts that hold although each has been broken by one line."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        _copy_packages(root, copy)
        for path, line in BROKEN_IMPORTS.values():
            with (copy / path).open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")
        broken = broken_contracts(copy)
    return [id_ for id_, name in _contracts(root) if name not in broken]


def _copy_packages(root: Path, copy: Path) -> None:
    shutil.copy(root / "pyproject.toml", copy)
    only_python = shutil.ignore_patterns("__pycache__", "checkpoint")
    for name in PACKAGES:
        shutil.copytree(root / name, copy / name, ignore=only_python)


def _contracts(root: Path) -> Iterator[tuple[str, str]]:
    settings: dict[str, Any] = loads((root / "pyproject.toml").read_text("utf-8"))
    for contract in settings["tool"]["importlinter"]["contracts"]:
        yield contract["id"], contract["name"]
