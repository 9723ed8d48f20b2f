"""What the verbs print: JSON for scripts, tables for people, one line for errors."""

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import typer

logger = logging.getLogger(__name__)

NO = 1
"""Exit code: the answer is no, or the work failed."""
WRONG_USE = 2
"""Exit code: the command or the settings are wrong."""


def print_json(value: object) -> None:
    """Print frozen values, times, paths and enums as JSON."""
    from pydantic_core import to_jsonable_python

    text = json.dumps(to_jsonable_python(value), indent=2, ensure_ascii=False)
    sys.stdout.write(text + "\n")


def print_line(text: str = "") -> None:
    """Print one line for a person."""
    typer.echo(text)


def print_if_taken(text: str) -> None:
    """Print a line that can be done without: a full disk or a closed pipe costs it.

    Nothing is printed from then on, for what was buffered would fail again.
    """
    try:
        print_line(text)
    except OSError as error:
        logger.warning("standard output takes nothing: %s", error)
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for good


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns as wide as their widest cell; no terminal is needed."""
    cells = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Show on the error stream what a person waits for; a script sees nothing.

    Yields what takes the step that is under way.
    """
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield lambda step: status.update(f"{what}: {step}")


def start_log() -> None:
    """Write the log to the error stream, and let no library write into it freely."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(_LOG_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    quieten_libraries()


_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_LEFT_OUT = " [...] "
LOG_LINE_CAP = 8000
"""Characters of one event, its traceback included."""


class OneLine(logging.Formatter):
    """Makes every event one line, whatever it quotes: nobody can forge another.

    What is not printable is written as an escape; what is too long loses its middle,
    for the last words of a traceback say what failed.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        text = _cut(super().format(record))
        escaped = (each if each.isprintable() else _escape(each) for each in text)
        return _cut("".join(escaped))


def _cut(text: str) -> str:
    if len(text) <= LOG_LINE_CAP:
        return text
    half = LOG_LINE_CAP // 2 - len(_LEFT_OUT)
    return f"{text[:half]}{_LEFT_OUT}{text[-half:]}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def quieten_libraries() -> None:
    """Silence what quotes values of data sets: they may name the patient.

    Modules that use other libraries set the levels of those themselves.
    """
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    warnings.simplefilter("ignore")


def fail(message: object, code: int = NO) -> NoReturn:
    """Print what is wrong on the error stream, a line a fault, and end."""
    for line in str(message).splitlines():
        typer.echo(f"maira-gateway: {line}", err=True)
    sys.exit(code)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return " ".join(str(value).split())
