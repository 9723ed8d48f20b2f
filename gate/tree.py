"""The files of the tree: what was written, not what tools left behind."""

from collections.abc import Iterator
from pathlib import Path

from gate.findings import NothingToCheck

PACKAGES = ("gateway", "config", "dicom_io", "model")
PYTHON_FOLDERS = (*PACKAGES, "gate", "tests", "benchmarks", "viewer")

_LEFT_BEHIND = frozenset(
    {".git", ".hypothesis", ".peers", ".venv", "build", "demo", "dist", "__pycache__"}
)


def files_of(root: Path) -> list[Path]:
    """Return every file under `root`, sorted; raise `NothingToCheck` for none."""
    found = sorted(_walk(root))
    if not found:
        raise NothingToCheck(f"{root}: no file")
    return found


def python_files_of(root: Path) -> list[Path]:
    """Return the Python files of the project; raise `NothingToCheck` for none."""
    found = [path for name in PYTHON_FOLDERS for path in _python(root / name)]
    if not found:
        raise NothingToCheck(f"{root}: no Python file")
    return found


def _python(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_symlink() or _is_left_behind(path):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def _is_left_behind(path: Path) -> bool:
    name = path.name
    cache = name.startswith(".") and name.endswith("_cache")
    installed = name.endswith((".egg-info", ".pyc"))
    return name in _LEFT_BEHIND or cache or installed
