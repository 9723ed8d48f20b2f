"""One home for outside packages that import-linter cannot protect yet.

Import-linter refuses a contract about a package that nobody imports. What is
listed here must stay out, or in its home from the first import on.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from gate.findings import Finding
from gate.tree import python_files_of

NOWHERE: tuple[str, ...] = ()
_COMMAND_LINE = ("gateway.cli", "gateway.demo")
_WEB = ("gateway.web",)

HOMES: dict[str, tuple[str, ...]] = {
    # Its builds replace the pinned torch, and the pictures do not need it.
    "torch" + "vision": NOWHERE,
    "typer": _COMMAND_LINE,
    "rich": _COMMAND_LINE,
    "click": _COMMAND_LINE,
    "flask": _WEB,
    "django": _WEB,
    "aiohttp": _WEB,
    "gdcm": ("dicom_io",),
    "pylibjpeg": ("dicom_io",),
    "huggingface_hub": ("model.maira2.fetch",),
    "blake3": ("gateway.digests",),
    "pypdf": ("dicom_io.reports",),
    "defusedxml": ("dicom_io.reports",),
}
"""Outside package -> modules that may import it, each with what lies below it."""

_MAY_USE_ANYTHING = ("tests", "gate", "benchmarks", "viewer")


def check_homes(root: Path) -> list[Finding]:
    """Every outside package of `HOMES` is imported in its home alone."""
    return [
        Finding(place=f"{path.relative_to(root)}:{line}", message=_say(package))
        for path in python_files_of(root)
        for package, line in _imports_of(path)
        if not _at_home(package, _module_name(path.relative_to(root)))
    ]


def _say(package: str) -> str:
    homes = ", ".join(HOMES[package]) or "nowhere"
    return f"imports {package}, whose home is {homes}"


def _at_home(package: str, module: str) -> bool:
    homes = HOMES.get(package)
    if homes is None or any(module.startswith(home) for home in homes):
        return True
    return homes != NOWHERE and module.startswith(_MAY_USE_ANYTHING)


def _imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the top-level package and the line of each import of the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (
                (name.name.partition(".")[0], node.lineno) for name in node.names
            )
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0], node.lineno


def _module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")
