"""What a site is put together from: its ledger, spool, engine and peers."""

import os
from collections.abc import Sequence
from contextlib import ExitStack

from config.settings import Settings
from dicom_io.ae import LocalAE
from dicom_io.identifiers import StudyAnswers
from dicom_io.scu.reuse import IDLE
from dicom_io.uid import derive_uid
from gateway.errors import NotReady
from gateway.ledger import Ledger
from gateway.pacing import Pacing, RecentAnswers
from gateway.patient_key import place_of
from gateway.site import Clock, Site
from gateway.sources.assembling import order_sources, report_sources
from gateway.sources.priors import ArchivePriors
from gateway.spool import Spool
from model.engine import EngineIdentity, ReportEngine
from model.engines.collecting import CollectingEngine, Collection
from model.engines.domain import declared_domain
from model.engines.process import ProcessEngine, local_command
from model.engines.rayserve.asking import RayEngine
from model.engines.vllmserve.asking import VllmEngine
from model.errors import EngineAway
from model.options import Domain, EngineOptions
from model.report import GroundedReport, ReportRequest

DEVICE_UID = "device-uid"

_NO_ENGINE = "this process is no worker and has no engine"


class NoEngine:
    """Stands where a process reads nothing: it is no worker."""

    @property
    def identity(self) -> EngineIdentity:
        """Raise EngineAway: nobody answers here."""
        raise EngineAway(_NO_ENGINE)

    def generate(
        self,
        requests: Sequence[ReportRequest],  # noqa: ARG002 - as engines have it
    ) -> list[tuple[GroundedReport, ...]]:
        """Raise EngineAway."""
        raise EngineAway(_NO_ENGINE)


def open_site(
    settings: Settings,
    engine: ReportEngine | None = None,
    clock: Clock | None = None,
) -> Site:
    """Open ledger and spool and load the engine; `close_site` undoes it.

    engine : None: the one that the settings name; `NoEngine` for a process that reads
    nothing. Tests and benchmarks hand in engines with given answers, which no setting
    can select. clock : None: that of the ledger.
    """
    engine = engine or load_engine(settings)
    with ExitStack() as opened:
        opened.callback(close_engine, engine)
        settings.storage.folder.mkdir(parents=True, exist_ok=True)
        ledger = Ledger.open(settings.ledger_url, place_of(settings))
        opened.callback(ledger.close)
        site = _assemble(settings, ledger, engine, clock or ledger.now)
        opened.pop_all()
    return site


def close_site(site: Site) -> None:
    """End the engine's process and all associations, and close the ledger."""
    site.couriers.close()
    close_engine(site.engine)
    IDLE.close()
    site.ledger.close()


def load_engine(settings: Settings) -> ReportEngine:
    """Load the engine of the settings; an unacknowledged licence raises NotReady.

    Several readers are answered together where the engine runs on CUDA, elsewhere
    one after the other. Behind Ray Serve the replicas see to that, behind vLLM the
    servers, and nobody need be there yet.
    """
    if settings.engine.kind == "ray":
        demand_licence(settings, settings.ray.reads)
        return RayEngine(settings.ray.place())
    options = settings.engine_options()
    if settings.engine.kind == "vllm":
        demand_licence(settings, settings.vllm.reads)
        return VllmEngine(settings.vllm.place(options.token_limits))
    demand_licence(settings, declared_domain(options.checkpoint))
    engine, device = _load(settings, options)
    if settings.engine.readers == 1:
        return engine
    tokens = settings.engine.collect_tokens if device == "cuda" else 0
    seconds = settings.engine.collect_milliseconds / 1000
    return CollectingEngine(engine, Collection(seconds=seconds, tokens=tokens))


def close_engine(engine: ReportEngine) -> None:
    """End what an engine keeps running; nothing for one without."""
    match engine:
        case CollectingEngine():
            close_engine(engine.inner)
            engine.close()
        case ProcessEngine():
            engine.close()
        case _:
            pass


def _load(settings: Settings, options: EngineOptions) -> tuple[ReportEngine, str]:
    """Return the engine and where it runs: "cpu" or "cuda"."""
    if settings.engine.kind == "process":
        child = ProcessEngine(local_command(options))
        return child, child.device
    # They load torch, which a gateway whose engine is a process has no use for.
    from model.engines.local import LocalEngine  # noqa: PLC0415
    from model.maira2.inference import choose_placement  # noqa: PLC0415

    return LocalEngine(options), choose_placement(options).device


def _assemble(
    settings: Settings, ledger: Ledger, engine: ReportEngine, clock: Clock
) -> Site:
    local, pacing = settings.local_ae(), Pacing()
    return Site(
        settings=settings,
        ledger=ledger,
        spool=Spool(
            settings.storage.folder.resolve() / "spool",
            reserve_bytes=settings.storage.reserve_bytes,
        ),
        engine=engine,
        local=local,
        priors=_archive_priors(settings, local, pacing),
        orders=order_sources(settings, ledger, pacing),
        reports=report_sources(settings, ledger),
        destinations=settings.destination_aes(),
        device_uid=_device_uid(ledger),
        clock=clock,
    )


def _archive_priors(
    settings: Settings, local: LocalAE, pacing: Pacing
) -> ArchivePriors | None:
    archive = settings.archive_ae()
    if archive is None:
        return None
    recent = RecentAnswers[StudyAnswers](settings.prior.cache_seconds)
    return ArchivePriors(local=local, remote=archive, pacing=pacing, recent=recent)


def demand_licence(settings: Settings, domain: Domain) -> None:
    """Raise `NotReady` where films would be read without the licence acknowledged."""
    if domain is Domain.RADIOGRAPH and not settings.licence.acknowledged:
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
