"""The processes at work, and which of them does what is done once for all."""

from sqlalchemy import select

from gateway.ledger import process_tables
from gateway.ledger.process_records import JobRecord, ProcessRecord, Sample
from gateway.ledger.rows import Rows, selected

_PROCESSES, _JOBS = process_tables.processes, process_tables.jobs
_SAMPLES = process_tables.samples


class ProcessReading(Rows):
    """What is asked about them."""

    def processes(self) -> list[ProcessRecord]:
        """Return the processes that have not said that they stopped, oldest first."""
        in_order = select(_PROCESSES).order_by(
            _PROCESSES.c.started_at, _PROCESSES.c.name
        )
        return self._all(ProcessRecord, in_order)

    def jobs(self) -> list[JobRecord]:
        """Return who does each recurring job, or did it last."""
        return self._all(JobRecord, select(_JOBS).order_by(_JOBS.c.name))

    def samples(self, most: int) -> list[Sample]:
        """Return the last samples, the oldest first."""
        newest = selected(Sample, _SAMPLES).order_by(_SAMPLES.c.id.desc()).limit(most)
        return self._all(Sample, newest)[::-1]
