"""What a stage works with: the ledger, the spool, the engine, peers and rules."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from config.settings import Settings
from dicom_io.ae import LocalAE, RemoteAE
from gateway.contacts import Contacts
from gateway.couriers import Couriers
from gateway.ledger import Ledger
from gateway.sources.kinds import Orders, Reports
from gateway.sources.priors import PriorSource
from gateway.spool import Spool
from model.engine import ReportEngine

Clock = Callable[[], datetime]
"""Returns the present moment, aware, UTC."""


def utc_now() -> datetime:
    """Return the present moment, aware, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One installation at work.

    `priors` is None where nobody is asked for earlier studies; `orders` and `reports`
    are asked in the order of trust. `device_uid` is
    this installation's own UID, the device observer of every SR (TID 1004).
    `couriers` are at work with other nodes; `contacts` remembers when these answered.
    """

    settings: Settings
    ledger: Ledger
    spool: Spool
    engine: ReportEngine
    local: LocalAE
    priors: PriorSource | None
    orders: tuple[Orders, ...] = ()
    reports: tuple[Reports, ...] = ()
    destinations: tuple[RemoteAE, ...]
    device_uid: str
    clock: Clock = utc_now
    couriers: Couriers = field(default_factory=Couriers)
    contacts: Contacts = field(default_factory=Contacts)
    elapsed: Callable[[], float] = time.monotonic
    """Seconds that never go back, for what a stage waits for within one turn."""
