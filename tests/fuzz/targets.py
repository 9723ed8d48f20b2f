"""What is fuzzed: the table of targets.

A finding is any exception out of a target (each suppresses the typed errors of what
it calls, and asserts what must hold), a run over `SECONDS`, and a process over
`MEBIBYTES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.association import on_bytes
from tests.fuzz.objects import build_results, read_files
from tests.fuzz.words import decode_texts, load_site, read_messages

SECONDS = 10
MEBIBYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Target:
    """A function of bytes; its corpus has its name. `bytes_cap` of an input."""

    name: str
    run: Callable[[bytes], None]
    bytes_cap: int = 1 << 14


TARGETS = (
    Target(name="association", run=on_bytes),
    Target(name="files", run=read_files),
    Target(name="texts", run=decode_texts, bytes_cap=1 << 11),
    Target(name="reports", run=build_results, bytes_cap=1 << 11),
    Target(name="settings", run=load_site),
    Target(name="messages", run=read_messages),
)
