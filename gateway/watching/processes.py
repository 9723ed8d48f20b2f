"""The processes at work on the ledger, as each of them last said how it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from config.settings import Settings
from gateway.ledger import ProcessRecord, Reading
from gateway.watching.health import Finding
from model.engine import EngineIdentity

_FINDINGS = TypeAdapter(tuple[Finding, ...])
_IDENTITY = TypeAdapter(EngineIdentity)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProcess:
    """A process that has not said that it stopped.

    `is_silent`: it should have been heard from since `beat_at`. `failing` are the
    findings that did not hold then. `jobs` are those that it does once for all.
    `engine` is None where it does not read.
    """

    host: str
    pid: int
    roles: str
    started_at: datetime
    beat_at: datetime
    is_silent: bool
    findings: tuple[Finding, ...]
    engine: EngineIdentity | None
    jobs: tuple[str, ...]

    @property
    def failing(self) -> tuple[Finding, ...]:
        """What does not hold."""
        return tuple(each for each in self.findings if not each.ok)


def shown_processes(
    settings: Settings, rows: Reading, now: datetime
) -> tuple[ShownProcess, ...]:
    """Return every process, the oldest first."""
    jobs: dict[str, list[str]] = {}
    for job in rows.jobs():
        if job.until > now:
            jobs.setdefault(job.holder, []).append(job.name)
    late = now - timedelta(seconds=settings.work.lease_seconds)
    return tuple(_shown(each, jobs, late) for each in rows.processes())


def _shown(
    process: ProcessRecord, jobs: Mapping[str, list[str]], late: datetime
) -> ShownProcess:
    engine = process.engine
    return ShownProcess(
        host=process.host,
        pid=process.pid,
        roles=process.roles,
        started_at=process.started_at,
        beat_at=process.beat_at,
        is_silent=process.beat_at < late,
        findings=_FINDINGS.validate_json(process.findings),
        engine=None if engine is None else _IDENTITY.validate_json(engine),
        jobs=tuple(jobs.get(process.name, ())),
    )
