"""The role of a scheduler: what comes round again, once for all processes.

Every scheduler has the same table of jobs and tries to hold each; who holds a job does
it, and the others stand by. What a job does is safe to meet its twin all the same: a
process that was frozen in the middle of one may wake up when another has taken over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gateway.accounts.forgetting import forget_ended
from gateway.campaigning import working as campaigning
from gateway.forwarding import routes
from gateway.forwarding.forwarder import Route, drain
from gateway.log_keeping import keeping
from gateway.receiving import committing
from gateway.receiving.reserves import free_memory
from gateway.running import retention
from gateway.running.job_leases import IsOver, JobLeases
from gateway.running.membership import bury_dead
from gateway.running.rounds import Rounds
from gateway.site import Site
from gateway.spool import YOUNG
from gateway.trend import SAMPLE_SECONDS, Room, sample
from gateway.watching.health import Finding

SEAL = "seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is done every so many seconds; told when it is another's to go on."""

    name: str
    seconds: float
    work: Callable[[IsOver], object]


def jobs_of(site: Site) -> tuple[Job, ...]:
    """Return what is done once for all."""
    lease = site.settings.work.lease_seconds / 4
    signing = site.settings.audit.checkpoint_seconds
    return (
        Job(name="expire", seconds=lease, work=lambda _: expire(site)),
        Job(name="purge", seconds=3600.0, work=lambda _: retention.purge(site)),
        Job(name="tidy", seconds=3600.0, work=lambda _: tidy(site)),
        Job(name="forget", seconds=3600.0, work=lambda _: _forget(site)),
        Job(name=SEAL, seconds=signing, work=lambda _: keeping.keep(site)),
        Job(name="trend", seconds=SAMPLE_SECONDS, work=lambda _: look(site)),
        Job(name="campaigns", seconds=1.0, work=partial(campaigning.work, site)),
        # What was asked while it was on is answered though it is off by now.
        Job(name="commit", seconds=1.0, work=lambda _: committing.work(site)),
        *(
            Job(name=f"forward-{each.name}", seconds=2.0, work=_forwarding(site, each))
            for each in routes.routes_of(site)
        ),
    )


class Scheduling:
    """The jobs of one process, as far as it holds them."""

    def __init__(self, site: Site, name: str, is_stopping: IsOver) -> None:
        self._site, self._is_stopping = site, is_stopping
        self.leases = JobLeases(name, site.settings.work.lease_seconds)
        self.jobs = jobs_of(site)
        self._names = [job.name for job in self.jobs]

    def add_jobs(self, rounds: Rounds) -> None:
        """Add them all; each begins a round only where its lease is held."""
        for job in self.jobs:
            rounds.every(job.seconds, job.name, partial(self.do, job))

    def do(self, job: Job) -> bool:
        """Do a job if it is ours; return whether it was."""

        def work(is_over: IsOver) -> None:
            job.work(lambda: is_over() or self._is_stopping())

        return self.leases.do(job.name, work)

    def renew(self) -> None:
        """Hold what is ours, and what nobody holds any more."""
        self.leases.renew(self._site.ledger, self._site.clock, self._names)

    def sign_last(self) -> None:
        """Sign the log as this stop leaves it, where signing is ours."""
        if self.leases.holds(SEAL):
            keeping.keep_last(self._site)

    def give_back(self) -> None:
        """Let another process take the jobs at once."""
        self.leases.give_back(self._site.ledger, self._site.clock)

    def ready(self) -> tuple[Finding, ...]:
        """Say how many of the jobs are ours; a scheduler that stands by is ready."""
        held = sum(self.leases.holds(name) for name in self._names)
        detail = f"does {held} of {len(self._names)} jobs"
        return (Finding(name="scheduler", ok=True, detail=detail),)


def expire(site: Site) -> None:
    """Free what workers hold that are gone, and forget processes that are."""
    with site.ledger.writing() as rows:
        rows.expire_leases(site.clock())
        bury_dead(site, rows)


def tidy(site: Site) -> int:
    """Delete what killed listeners left half written; return how many files."""
    return site.spool.drop_unfinished(site.clock() - YOUNG)


def look(site: Site) -> None:
    """Note how the gateway stands."""
    sample(
        site.ledger, Room(disk=site.spool.free_bytes, memory=free_memory), site.clock()
    )


def _forget(site: Site) -> None:
    forget_ended(site.ledger, site.clock())


def _forwarding(site: Site, route: Route) -> Callable[[IsOver], object]:
    return lambda is_over: drain(route, site.ledger, site.clock, is_over)
