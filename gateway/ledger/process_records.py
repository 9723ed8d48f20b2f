"""Processes, jobs and samples as frozen values. Times are aware, UTC."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """A process of the gateway, from its start to its stop.

    `name` is repeated by no restart; owners of leases begin with it. `boot` is the
    kernel's name for its present run, by which processes of one machine know each
    other. `roles` are words with commas. `engine` (None: it has none) and `findings`
    are JSON, as of `beat_at`.
    """

    name: str
    host: str
    pid: int
    boot: str
    roles: str
    started_at: datetime
    beat_at: datetime
    engine: str | None = None
    findings: str = "[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """Which process does a recurring job, until when at least, and since when."""

    name: str
    holder: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One minute: what happened in it, and how it ended.

    `received`, `reported`, `ended` and `parked` count steps of studies since the
    sample before; `last_move` is the number of the last of them. `working` and
    `waiting` count studies at its end, those that a worker or a person is to go on
    with. `disk_free` and `memory_free` are bytes, as the sampling process sees them.
    """

    at: datetime
    received: int
    reported: int
    ended: int
    parked: int
    working: int
    waiting: int
    disk_free: int
    memory_free: int
    last_move: int = 0
