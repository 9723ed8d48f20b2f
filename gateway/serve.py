"""The composition root: wires ledger, spool, engine, listener and recurring jobs.

`Gateway` is one process in all its roles. Nothing in memory is needed by another
process: jobs claim their work from the ledger, and each may meet its twin.
"""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from config.settings import Settings
from dicom_io.listener import ListenerEvents, open_listener
from dicom_io.uid import derive_uid
from gateway import association_audit, pipeline, proof, retention
from gateway.audit import kinds
from gateway.errors import NotReady
from gateway.intake import Intake, role_of_sent
from gateway.ledger import Ledger
from gateway.lifecycle import WORKING, State
from gateway.priors import ArchivePriors
from gateway.site import Clock, Site, utc_now
from gateway.spool import Spool
from gateway.turn import take_turn
from model.engine import ReportEngine
from model.engines.local import LocalEngine
from model.maira2.configuration import read_config
from model.options import Domain

logger = logging.getLogger(__name__)
# It warns each time a job is still at work when its next turn comes: here that is
# how a job waits for its next study.
logging.getLogger("apscheduler").setLevel(logging.ERROR)

READING = (State.GATHERED,)
"""Stages that wait for the engine."""
CARRYING = tuple(state for state in WORKING if state not in READING)
"""Stages that wait for disks and other nodes; the engine never delays them."""

DEVICE_UID = "device-uid"
RUNNING = "running"
ACKNOWLEDGED = "licence-acknowledged"


class Gateway:
    """A running gateway; use it as a context manager."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._scheduler = _scheduler()

    @property
    def site(self) -> Site:
        """What it works with."""
        return self._site

    @property
    def port(self) -> int:
        """The DICOM port that is bound."""
        return self._listener.port

    def __enter__(self) -> "Gateway":
        """Reconcile the spool, open the port, start the jobs."""
        site = self._site
        _record_start(site)
        reconcile(site)
        intake = Intake(
            ledger=site.ledger,
            spool=site.spool,
            clock=site.clock,
            role_of=role_of_sent,
        )
        self._listener = open_listener(
            site.local,
            site.settings.remote_aes(),
            intake.receive,
            _events(site),
        )
        self._add_jobs()
        self._scheduler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take nothing more, let the running work end, note the clean stop."""
        self._listener.close()
        self._scheduler.shutdown(wait=True)
        _record_stop(self._site)
        self._site.ledger.close()

    def _add_jobs(self) -> None:
        site = self._site
        self._every(0.5, "complete", lambda: pipeline.complete(site))
        self._every(0.2, "read", lambda: self._drain(READING))
        self._every(0.2, "carry", lambda: self._drain(CARRYING))
        lease = site.settings.work.lease_seconds
        self._every(lease / 4, "renew", lambda: _renew_leases(site, self._owner))
        self._every(lease / 4, "expire", lambda: _expire_leases(site))
        self._every(3600.0, "purge", lambda: retention.purge(site))

    def _every(self, seconds: float, name: str, job: Callable[[], object]) -> None:
        self._scheduler.add_job(job, "interval", seconds=seconds, id=name, name=name)

    def _drain(self, states: tuple[State, ...]) -> None:
        while self._scheduler.running and take_turn(
            self._site, pipeline.STAGES, states, self._owner
        ):
            pass


def serve(settings: Settings, ready: Callable[[Gateway], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT.

    ready : called once the port is open. Raises `NotReady`, `InvalidSettings`,
    `CheckpointError`, `LedgerFailure` or `ListenerFailure` where it cannot start.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Gateway(open_site(settings)) as gateway:
        if ready is not None:
            ready(gateway)
        stop.wait()


def open_site(
    settings: Settings, engine: ReportEngine | None = None, clock: Clock = utc_now
) -> Site:
    """Open ledger and spool and load the engine.

    engine : None: the one that the settings name. Tests and benchmarks hand in
    engines with given answers, which no setting can select.
    """
    engine = engine or load_engine(settings)
    settings.storage.folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger.open(settings.ledger_url)
    local, archive = settings.local_ae(), settings.archive_ae()
    return Site(
        settings=settings,
        ledger=ledger,
        spool=Spool(
            settings.storage.folder.resolve() / "spool",
            reserve_bytes=settings.storage.reserve_bytes,
        ),
        engine=engine,
        local=local,
        priors=ArchivePriors(local=local, remote=archive) if archive else None,
        destinations=settings.destination_aes(),
        device_uid=_device_uid(ledger),
        clock=clock,
    )


def load_engine(settings: Settings) -> ReportEngine:
    """Load the engine of the settings; an unacknowledged licence raises NotReady."""
    options = settings.engine_options()
    if read_config(options.checkpoint).domain is Domain.RADIOGRAPH:
        _demand_acknowledgement(settings)
    return LocalEngine(options)


def reconcile(site: Site) -> None:
    """Bring spool and ledger together after whatever ended the last run."""
    with site.ledger.reading() as rows:
        known = rows.file_names()
    found = site.spool.reconcile(known)
    if found.missing:
        logger.error("%d files of the ledger are not in the spool", len(found.missing))
    if found.orphans:
        logger.warning("%d files of the spool have no row", len(found.orphans))
    if found.unfinished:
        logger.info("removed %d unfinished files", found.unfinished)


def _demand_acknowledgement(settings: Settings) -> None:
    if not settings.licence.acknowledged:
        raise NotReady(
            "this checkpoint reads films of people: read the research-only licence "
            "of its weights, then set licence.acknowledged_by and "
            "licence.acknowledged_on in the settings file"
        )


def _device_uid(ledger: Ledger) -> str:
    """Return this installation's UID, made at its first start."""
    with ledger.writing() as rows:
        known = rows.recall(DEVICE_UID)
        if known is None:
            known = derive_uid("device", os.urandom(16).hex())
            rows.remember(DEVICE_UID, known)
    return known


def _record_start(site: Site) -> None:
    now, licence = site.clock(), site.settings.licence
    with site.ledger.writing() as rows:
        unclean = rows.recall(RUNNING) == "yes"
        rows.append_audit(kinds.application_started(now, unclean_stop=unclean))
        rows.remember(RUNNING, "yes")
        mark = f"{licence.acknowledged_by} {licence.acknowledged_on}"
        if licence.acknowledged and rows.recall(ACKNOWLEDGED) != mark:
            rows.append_audit(kinds.licence_acknowledged(mark, now))
            rows.remember(ACKNOWLEDGED, mark)


def _record_stop(site: Site) -> None:
    with site.ledger.writing() as rows:
        rows.append_audit(kinds.application_stopped(site.clock()))
        rows.remember(RUNNING, "no")


def _renew_leases(site: Site, owner: str) -> None:
    lease = timedelta(seconds=site.settings.work.lease_seconds)
    with site.ledger.writing() as rows:
        rows.renew_owned(owner, site.clock() + lease)


def _expire_leases(site: Site) -> None:
    with site.ledger.writing() as rows:
        rows.expire_leases(site.clock())


def _events(site: Site) -> ListenerEvents:
    audit = association_audit.AssociationAudit(ledger=site.ledger, clock=site.clock)
    return ListenerEvents(
        association_opened=audit.opened,
        association_refused=audit.refused,
        association_closed=audit.closed,
        commitment_reported=lambda report: proof.take_report(
            site.ledger, site.clock, report
        ),
    )


def _scheduler() -> BackgroundScheduler:
    """Make a scheduler whose jobs never pile up, whatever the clock does."""
    grace = int(timedelta(days=1).total_seconds())
    return BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(6)},
        job_defaults={
            "coalesce": True,
            "max_instances": 1,
            "misfire_grace_time": grace,
        },
        timezone="UTC",
    )
