"""Checks that other programs make: ruff, mypy, import-linter."""

import re
import subprocess
import sys
from pathlib import Path

from gate.findings import Finding, NothingToCheck
from gate.tree import python_files_of

_KEPT_AND_BROKEN = re.compile(r"Contracts: (\d+) kept, (\d+) broken")


def check_format(root: Path) -> list[Finding]:
    """Every Python file is formatted."""
    python_files_of(root)
    return _run(root, "ruff", "format", "--check", "--output-format=concise", ".")


def check_lint(root: Path) -> list[Finding]:
    """Ruff finds nothing."""
    python_files_of(root)
    return _run(root, "ruff", "check", "--quiet", "--output-format=concise", ".")


def check_types(root: Path) -> list[Finding]:
    """Mypy, strict, finds nothing."""
    python_files_of(root)
    return _run(root, "mypy")


def check_imports(root: Path) -> list[Finding]:
    """No contract of import-linter is broken, and there is at least one."""
    result = _call(root, "lint-imports", "--no-logo", "--no-cache")
    counts = _KEPT_AND_BROKEN.search(result.stdout)
    if result.returncode == 0 and (counts is None or counts[1] == "0"):
        raise NothingToCheck("import-linter: no contract")
    return _findings("lint-imports", result)


def broken_contracts(root: Path) -> set[str]:
    """Return the names of the contracts that import-linter calls broken."""
    output = _call(root, "lint-imports", "--no-logo", "--no-cache").stdout
    marked = (line.rpartition(" BROKEN") for line in output.splitlines())
    return {name.strip() for name, found, _ in marked if found}


def _run(root: Path, tool: str, *arguments: str) -> list[Finding]:
    return _findings(tool, _call(root, tool, *arguments))


def _call(root: Path, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / tool
    return subprocess.run(
        [program, *arguments], cwd=root, capture_output=True, text=True, check=False
    )


def _findings(tool: str, result: subprocess.CompletedProcess[str]) -> list[Finding]:
    if result.returncode == 0:
        return []
    said = (result.stdout + result.stderr).strip()
    message = said or f"ended with {result.returncode} and said nothing"
    return [Finding(place=tool, message=line) for line in message.splitlines()]
