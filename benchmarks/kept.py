"""What the benchmarks have kept, read for the page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import Figure, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The figures of one benchmark. `note`: what is to be known of them, or empty."""

    command: str
    when: str
    note: str
    figures: Mapping[str, Figure]
    targets: tuple[Target, ...]


def read(folder: Path, benchmark: str) -> Kept | None:
    """Return what a benchmark has kept, None where it was not run."""
    path = folder / f"{benchmark}.json"
    if not path.exists():
        return None
    body = json.loads(path.read_text("utf-8"))
    figures = [
        Figure(name=each["name"], unit=each["unit"], values=tuple(each["values"]))
        for each in body["figures"]
    ]
    return Kept(
        command=body["command"],
        when=body.get("date", ""),
        note=body.get("note", ""),
        figures={figure.name: figure for figure in figures},
        targets=tuple(
            Target(
                what=each["what"],
                reached=each["reached"],
                bound=each["bound"],
                at_least=each["at_least"],
            )
            for each in body["targets"]
        ),
    )
