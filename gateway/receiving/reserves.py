"""What is kept free of disk and memory, and what is said when it runs out.

Below a reserve no instance is begun: its sender hears A700 and keeps it. That is told
once on the way down and once on the way up, not with each instance; between them lies
a sixteenth of the reserve, so that a level that trembles is one event.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from dicom_io.sink import NoRoom
from gateway.audit import kinds
from gateway.errors import LedgerFailure
from gateway.site import Site
from gateway.spool import Spool

logger = logging.getLogger(__name__)

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")

Tell = Callable[[str, bool], None]
"""Hears of a crossing: what it is of, and whether it was downwards."""


class UnderReserve(NoRoom):
    """Disk or memory is under its reserve; that was told when it went there."""

    is_told = True


class Watermark:
    """One reserve, and on which side of it the last look was."""

    def __init__(self, what: str, reserve: int, tell: Tell) -> None:
        self._what, self._reserve, self._tell = what, reserve, tell
        self._was_below = False
        self._lock = Lock()

    def demand(self, free: int) -> None:
        """Raise UnderReserve where less than the reserve is free."""
        crossed = self._crossed(free)
        if crossed:
            self._tell(self._what, self._was_below)
        if free < self._reserve:
            raise UnderReserve(
                f"{free} bytes of {self._what} are free, the reserve is {self._reserve}"
            )

    def _crossed(self, free: int) -> bool:
        """Note where the level stands; true where it has crossed the mark."""
        with self._lock:
            mark = self._reserve
            if self._was_below:
                mark += self._reserve // 16
            is_below = free < mark
            crossed, self._was_below = is_below != self._was_below, is_below
        return crossed


class Reserves:
    """The reserves of a gateway."""

    def __init__(self, spool: Spool, memory_bytes: int, tell: Tell) -> None:
        self._spool = spool
        self._disk = Watermark("disk", spool.reserve_bytes, tell)
        self._memory = Watermark("memory", memory_bytes, tell)

    def demand(self) -> None:
        """Raise UnderReserve where an instance must not be begun."""
        self._disk.demand(self._spool.free_bytes())
        self._memory.demand(free_memory())


def reserves_of(site: Site) -> Reserves:
    """Return the reserves of a site, which tell its log and its audit."""

    def tell(what: str, is_below: bool) -> None:  # noqa: FBT001 - of `Tell`
        say = logger.error if is_below else logger.warning
        state = (
            "under its reserve: every store hears A700" if is_below else "free again"
        )
        say("%s is %s", what, state)
        entry = kinds.reserve_crossed(what, site.clock(), is_below=is_below)
        with suppress(LedgerFailure), site.ledger.writing() as rows:
            rows.append_audit(entry)

    return Reserves(site.spool, site.settings.storage.reserve_memory_bytes, tell)


def free_memory(meminfo: Path = _MEMINFO, group: Path = _GROUP) -> int:
    """Return the bytes that may still be taken, of the machine or of its container.

    A number that no reserve reaches, where the system says nothing.
    """
    return min(_of_machine(meminfo), _of_group(group))


UNKNOWN_BYTES = 1 << 62
"""Free, where the system says nothing: no reserve reaches it."""


def _of_machine(meminfo: Path) -> int:
    try:
        for line in meminfo.read_text("ascii").splitlines():
            name, _, rest = line.partition(":")
            if name == "MemAvailable":
                return int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return UNKNOWN_BYTES


def _of_group(group: Path) -> int:
    """Return what the control group of this process (v2) may take.

    Of what it has taken, pages of files count as free: the kernel gives them up.
    """
    try:
        most = (group / "memory.max").read_text("ascii").strip()
        if most == "max":
            return UNKNOWN_BYTES
        taken = int((group / "memory.current").read_text("ascii"))
        lines = (group / "memory.stat").read_text("ascii").splitlines()
        kept = next((n for n in lines if n.startswith("inactive_file ")), "_ 0")
        return max(int(most) - taken + int(kept.split()[1]), 0)
    except (OSError, ValueError):
        return UNKNOWN_BYTES
