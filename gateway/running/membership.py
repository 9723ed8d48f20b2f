"""One process among all those at work on the ledger.

Each has a row from its start to its stop, with a heartbeat. Who starts, and the
scheduler now and then, looks for rows of processes that died: those of the same machine
are known by a lock that the kernel has given back, others by a heart that has been
still for long. What such a process held is taken up, and its end is recorded.
"""

import json
import logging
import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from config.settings import Settings
from gateway.audit import kinds
from gateway.errors import LedgerFailure
from gateway.ledger import Ledger, ProcessRecord, Writing
from gateway.locking import forget_life, hold_life, is_over
from gateway.running.process_roles import Roles, words_of
from gateway.site import Site, utc_now
from gateway.spool import YOUNG
from gateway.watching.health import Finding

logger = logging.getLogger(__name__)

STILL_LEASES = 3
"""A heart that was still for so many leases does not beat any more."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def new_name() -> str:
    """Return a name for this process that no restart repeats."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a process found when it joined.

    `dead` ended without a stop, and `freed` studies were at work in them. Files on
    their way in from `before` on, by the clock of this machine, may be of others that
    are at work or begin just now.
    """

    dead: int
    freed: int
    before: datetime


class Membership:
    """One process as the others see it."""

    def __init__(self, site: Site, roles: Roles, name: str) -> None:
        self._site, self._roles, self.name = site, roles, name
        self._started_at = site.clock()
        self._has_ended = False

    def join(self, started: ExitStack) -> Joined:
        """Be known from now on; `started` undoes it.

        What dead processes held is freed, and their end is recorded. A ledger of SQLite
        has no others: who is alone with it frees whatever is held.
        """
        site = self._site
        folder = site.settings.storage.folder
        started.enter_context(hold_life(folder, _token(self.name)))
        self._started_at = now = site.clock()
        before = utc_now()
        with site.ledger.writing() as rows:
            dead, freed = bury_dead(site, rows)
            is_alone = not rows.processes()
            if is_alone and not site.ledger.has_server:
                freed += rows.free_leases()
                rows.free_groundings(now)
                rows.free_deliveries(now)
                rows.free_cohorts()
                rows.free_jobs(now)
            rows.add_process(self._record())
        started.callback(self._leave)
        return Joined(
            dead=dead, freed=freed, before=before if is_alone else before - YOUNG
        )

    def beat(self, engine: str | None, findings: Sequence[Finding]) -> None:
        """Say that this process lives, and how it is; raises LedgerFailure."""
        now = self._site.clock()
        said = json.dumps([asdict(each) for each in findings])
        with self._site.ledger.claiming() as rows:  # not behind all who write
            if rows.beat(self.name, now, engine, said):
                return
            logger.warning("this process was taken for dead, and lives")
            rows.add_process(self._record())

    def end(self, rows: Writing) -> None:
        """Be known no longer: this process stops as it was asked to."""
        self._has_ended = True
        rows.remove_process(self.name)

    def _leave(self) -> None:
        """Be known no longer though nothing was recorded: the start has failed.

        Where the record of a stop could not be written the row stays: others find it.
        """
        if self._has_ended:
            return
        with suppress(LedgerFailure), self._site.ledger.writing() as rows:
            rows.remove_process(self.name)

    def _record(self) -> ProcessRecord:
        return ProcessRecord(
            name=self.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            boot=boot_id(),
            roles=words_of(self._roles),
            started_at=self._started_at,
            beat_at=self._site.clock(),
        )


def bury_dead(site: Site, rows: Writing) -> tuple[int, int]:
    """Free what dead processes held, and record the end of each.

    Returns how many processes that were, and how many studies they held.
    """
    now, count, freed = site.clock(), 0, 0
    for process in rows.processes():
        if not is_dead(process, site.settings, site.ledger, now):
            continue
        count += 1
        rows.remove_process(process.name)
        held = rows.free_leases_of(process.name)
        freed += held
        rows.free_groundings(now, process.name)
        rows.free_deliveries(now, process.name)
        rows.free_jobs(now, process.name)
        rows.append_audit(kinds.process_lost(process, held, now))
        logger.warning(
            "process %d of %s ended without a stop; %d studies were at work",
            *(process.pid, process.host, held),
        )
        if process.boot == boot_id():
            forget_life(site.settings.storage.folder, _token(process.name))
    return count, freed


def is_dead(
    process: ProcessRecord, settings: Settings, ledger: Ledger, now: datetime
) -> bool:
    """Whether a process has ended without saying so, as far as can be known here."""
    if process.boot == boot_id():
        return is_over(settings.storage.folder, _token(process.name))
    if not ledger.has_server:
        return True  # SQLite is of one machine, and that was started anew
    still = STILL_LEASES * settings.work.lease_seconds
    return now - process.beat_at > timedelta(seconds=still)


def boot_id() -> str:
    """Return what the kernel calls its present run; "" where it does not say."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""


def _token(name: str) -> str:
    """Return the part of a name that a file may have as its own."""
    return name.rpartition(":")[2]
