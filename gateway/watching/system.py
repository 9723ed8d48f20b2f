"""How the gateway stands as a whole: for the System page, and for who looks after it.

Names of peers, states, digests and versions; of studies the UIDs of those that wait
for a person, with the reason.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from config.peers import Peer
from config.settings import Settings
from dicom_io.ae import WebService
from gateway.errors import SpoolFailure
from gateway.ledger import (
    ContactRecord,
    DeliveryState,
    Queue,
    Reading,
    SilenceRecord,
    StudyFilter,
    StudyRecord,
    Way,
)
from gateway.ledger.study_listing import MOST_COUNTED
from gateway.lifecycle import WAITING_FOR_A_PERSON, WORKING
from gateway.receiving.reserves import UNKNOWN_BYTES, free_memory
from gateway.showing.resending import UNDER_WAY, standing_of
from gateway.site import Site
from gateway.trend import Sample
from model.engine import EngineIdentity, ReportEngine
from model.errors import EngineAway
from model.version import VERSION

SHOWN_WAITING = 50
"""Studies that wait for a person: so many are listed, the latest first."""

PACKAGES = (
    "pydicom",
    "pynetdicom",
    "highdicom",
    "torch",
    "transformers",
    "numpy",
    "sqlalchemy",
    "fastapi",
    "uvicorn",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPeer:
    """A node of the settings: what it is for, and when it last did its part.

    `breaker`: "answers", "failed", "silent" or "slow"; `left_alone_until`: nobody asks
    it before. `outbox`: results for it by state, up to MOST_COUNTED each, and since
    when the oldest of them is tried; empty for who gets no results.
    """

    name: str
    title: str
    address: str
    uses: tuple[str, ...]
    can_echo: bool
    breaker: str
    failures: int
    left_alone_until: datetime | None
    contacts: Mapping[Way, ContactRecord]
    outbox: tuple["Outbox", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Results for a destination in one state."""

    state: DeliveryState
    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Free bytes and the reserve below which no instance is begun; None: unknown."""

    name: str
    free: int | None
    reserve: int

    @property
    def is_below(self) -> bool:
        """Whether stores are refused."""
        return self.free is not None and self.free < self.reserve


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStanding:
    """All that the System page shows, of one moment."""

    peers: tuple[ShownPeer, ...]
    strangers: tuple[ContactRecord, ...]
    """Who sent something and is no peer of the settings."""
    queues: tuple[Queue, ...]
    waiting: tuple[StudyRecord, ...]
    waiting_count: int
    commitments: int
    levels: tuple[Level, ...]
    engine: EngineIdentity | None
    """None: it is behind Ray Serve, and no replica has answered yet."""
    versions: tuple[tuple[str, str], ...]
    samples: Sequence[Sample]


def system_standing(site: Site, rows: Reading) -> SystemStanding:
    """Look at everything once."""
    contacts = rows.contacts()
    known = {silence.peer: silence for silence in rows.silences()}
    return SystemStanding(
        peers=tuple(
            shown_peer(site.settings, name, contacts, known.get(name), rows)
            for name in site.settings.peers
        ),
        strangers=tuple(c for c in contacts if c.peer not in site.settings.peers),
        queues=tuple(rows.queues(WORKING)),
        waiting=rows.study_page(
            StudyFilter(states=WAITING_FOR_A_PERSON), limit=SHOWN_WAITING
        ).studies,
        waiting_count=rows.count_studies(WAITING_FOR_A_PERSON),
        commitments=rows.commitments_open(),
        levels=levels_of(site),
        engine=_known_engine(site.engine),
        versions=versions(),
        samples=site.trend.samples(),
    )


def _known_engine(engine: ReportEngine) -> EngineIdentity | None:
    try:
        return engine.identity
    except EngineAway:
        return None


def shown_peer(
    settings: Settings,
    name: str,
    contacts: Iterable[ContactRecord],
    silence: SilenceRecord | None,
    rows: Reading,
) -> ShownPeer:
    """Return how a peer stands."""
    peer = settings.peers[name]
    return ShownPeer(
        name=name,
        title=peer.title,
        address=f"{peer.host}:{peer.port}" if peer.port else "DICOMweb",
        uses=uses_of(settings, name, peer),
        can_echo=bool(peer.port) or peer.web is not None,
        breaker=standing_of(silence, settings.delivery.failures_in_a_row),
        failures=0 if silence is None else silence.failures,
        left_alone_until=None if silence is None else silence.until,
        contacts={c.way: c for c in contacts if c.peer == name},
        outbox=_outbox(settings, name, rows),
    )


def _outbox(settings: Settings, name: str, rows: Reading) -> tuple[Outbox, ...]:
    if name not in settings.results.destinations:
        return ()
    return tuple(
        Outbox(state=state, count=count, since=since)
        for state in UNDER_WAY
        for count, since in [rows.deliveries_waiting(name, state, MOST_COUNTED)]
    )


def uses_of(settings: Settings, name: str, peer: Peer) -> tuple[str, ...]:
    """Say what a peer is for, in the words of the settings."""
    remote = peer.remote(name)
    found = {
        "archive": settings.archive.peer == name,
        "destination": name in settings.results.destinations,
        "worklist": settings.order.worklist == name,
        "sends": peer.may_store,
        "DICOMweb": any(remote.uses_web_for(service) for service in WebService),
        "TLS": peer.tls is not None,
    }
    return tuple(word for word, holds in found.items() if holds)


def levels_of(site: Site) -> tuple[Level, ...]:
    """Return what is free of disk and memory."""
    own = site.settings.storage
    try:
        disk: int | None = site.spool.free_bytes()
    except SpoolFailure:
        disk = None
    memory = free_memory()
    return (
        Level(name="disk", free=disk, reserve=own.reserve_bytes),
        Level(
            name="memory",
            free=None if memory >= UNKNOWN_BYTES else memory,
            reserve=own.reserve_memory_bytes,
        ),
    )


def versions() -> tuple[tuple[str, str], ...]:
    """Return what is at work here; a package that is not installed is left out."""
    found = [("maira-gateway", VERSION), ("Python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, installed_version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)
