"""Changes about the processes at work, their jobs, and how it went."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from gateway.ledger import process_tables
from gateway.ledger.process_records import JobRecord, ProcessRecord, Sample
from gateway.ledger.reading import Reading

_PROCESSES, _JOBS = process_tables.processes, process_tables.jobs
_SAMPLES = process_tables.samples


class ProcessWriting(Reading):
    """What changes of them."""

    def add_process(self, process: ProcessRecord) -> None:
        """Let a process be known."""
        self._connection.execute(insert(_PROCESSES).values(asdict(process)))

    def beat(self, name: str, now: datetime, engine: str | None, findings: str) -> bool:
        """Note that a process lives, and how it is; False: it was taken for dead."""
        beaten = (
            update(_PROCESSES)
            .where(_PROCESSES.c.name == name)
            .values(beat_at=now, engine=engine, findings=findings)
        )
        return self._connection.execute(beaten).rowcount == 1

    def remove_process(self, name: str) -> bool:
        """Forget a process that has ended; False: it was forgotten before."""
        gone = delete(_PROCESSES).where(_PROCESSES.c.name == name)
        return self._connection.execute(gone).rowcount == 1

    def hold_jobs(
        self, names: Collection[str], holder: str, now: datetime, until: datetime
    ) -> set[str]:
        """Hold what is free or held already until then; return which jobs those are."""
        known = set(self._connection.scalars(select(_JOBS.c.name)))
        mine = _JOBS.c.name.in_(names) & (_JOBS.c.holder == holder)
        held = update(_JOBS).where(mine).values(until=until).returning(_JOBS.c.name)
        renewed = set(self._connection.scalars(held))
        free = _JOBS.c.name.in_(names) & (_JOBS.c.until <= now)
        taken = (
            update(_JOBS)
            .where(free, _JOBS.c.holder != holder)
            .values(holder=holder, since=now, until=until)
            .returning(_JOBS.c.name)
        )
        renewed.update(self._connection.scalars(taken))
        for name in sorted({*names} - known):
            new = JobRecord(name=name, holder=holder, since=now, until=until)
            self._connection.execute(insert(_JOBS).values(asdict(new)))
            renewed.add(name)
        return renewed

    def free_jobs(self, now: datetime, holder: str | None = None) -> int:
        """Let others take the jobs of a process at once; None: of every one."""
        held = _JOBS.c.until > now
        if holder is not None:
            held &= _JOBS.c.holder == holder
        freed = update(_JOBS).where(held).values(until=now)
        return self._connection.execute(freed).rowcount

    def add_sample(self, sample: Sample, most: int) -> None:
        """Keep a sample, and no more than `most` of them."""
        added = insert(_SAMPLES).values(asdict(sample)).returning(_SAMPLES.c.id)
        number = self._connection.scalars(added).one()
        old = delete(_SAMPLES).where(_SAMPLES.c.id <= number - most)
        self._connection.execute(old)
