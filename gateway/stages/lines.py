"""The lines of work: which stages are worked on together, and by how many workers."""

from dataclasses import dataclass, replace

from config.settings import Settings
from gateway.lifecycle import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Stages that are worked on together, by so many workers at once."""

    name: str
    states: tuple[State, ...]
    workers: int = 1

    @property
    def worker_names(self) -> tuple[str, ...]:
        """What its workers are called."""
        return tuple(f"{self.name}-{number}" for number in range(self.workers))


READ = "read"
"""The line that waits for the engine; the settings say how many workers it has."""

LINES = (
    Line(name="complete", states=(State.RECEIVING,), workers=2),
    Line(name="look", states=(State.COMPLETE,), workers=2),
    Line(name="encode", states=(State.REPORTED,), workers=2),
    Line(name="gather", states=(State.SELECTED,), workers=3),
    Line(name=READ, states=(State.GATHERED,)),
    Line(name="send", states=(State.ENCODED,), workers=3),
    Line(name="prove", states=(State.STORED,), workers=3),
)
"""What waits for the engine, for disks and for other nodes is apart: a silent
archive delays neither the model nor what goes elsewhere."""


def lines_of(settings: Settings) -> tuple[Line, ...]:
    """Return the lines with as many readers as the settings say."""
    readers = settings.engine.readers
    return tuple(
        replace(line, workers=readers) if line.name == READ else line for line in LINES
    )
