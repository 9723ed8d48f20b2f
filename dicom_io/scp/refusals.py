"""Refused connections, told once a minute however often they happen.

Each telling is written down durably; strangers that knock without end, from one
address or from thousands, must not fill the record, nor hide another reason in it.
Pure but for the clock.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

_WINDOW_SECONDS = 60
_ADDRESSES_CAP = 32
"""Addresses that are told one by one of each reason; those beyond are summed."""

_FURTHER = ""
"""Stands for the addresses beyond the cap."""


@dataclass(slots=True, kw_only=True)
class _Window:
    """What followed the first refusal of one address for one reason."""

    end: float
    tell: Callable[[str], None]
    is_told: bool
    repeats: int = 0

    def take_untold(self) -> bool:
        """Whether its first refusal was only noted; it counts as told from now on."""
        was_told, self.is_told = self.is_told, True
        return not was_told


class Refusals:
    """Counts refusals that repeat; `clock` returns seconds and never goes back.

    Reasons are of a fixed number; addresses may be anybody's.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._addresses: Counter[str] = Counter()
        self._lock = Lock()

    def __len__(self) -> int:
        """Count the windows that are open."""
        return len(self._windows)

    def add(self, address: str, reason: str, tell: Callable[[str], None]) -> None:
        """Tell the first refusal of a minute, count those like it."""
        self.settle()
        if self._count(address, reason, tell, is_told=True):
            tell(reason)

    def note(self, address: str, reason: str, tell: Callable[[str], None]) -> None:
        """Have a refusal told by `settle`: for a thread that may not wait."""
        self._count(address, reason, tell, is_told=False)

    def settle(self, *, is_end: bool = False) -> None:
        """Tell what was noted, and what was counted in windows that are over.

        is_end : in all windows.
        """
        now = self._clock()
        with self._lock:
            noted = [
                (key[1], each.tell)
                for key, each in self._windows.items()
                if each.take_untold()
            ]
            over = [
                key for key, each in self._windows.items() if is_end or each.end <= now
            ]
            ended = [(*key, self._windows.pop(key)) for key in over]
            self._addresses.subtract(reason for _, reason, _ in ended)
            self._addresses = +self._addresses
        for reason, tell in noted:
            tell(reason)
        for address, reason, window in ended:
            if window.repeats:
                window.tell(f"{reason} ({_more(address, window.repeats)})")

    def _count(
        self, address: str, reason: str, tell: Callable[[str], None], *, is_told: bool
    ) -> bool:
        """Count a refusal; true where it is the first like it and is to be told."""
        with self._lock:
            window = self._windows.get((address, reason))
            if window is None and self._addresses[reason] >= _ADDRESSES_CAP:
                address = _FURTHER
                window = self._windows.get((address, reason))
            if window is not None:
                window.tell, window.repeats = tell, window.repeats + 1
                return False
            further = address == _FURTHER
            self._addresses[reason] += 1
            self._windows[address, reason] = _Window(
                end=self._clock() + _WINDOW_SECONDS,
                tell=tell,
                is_told=is_told or further,
                repeats=int(further),
            )
            return not further


def _more(address: str, repeats: int) -> str:
    within = f"within {_WINDOW_SECONDS} s"
    if address == _FURTHER:
        return f"{repeats} from further addresses {within}"
    return f"{repeats} more like it {within}"
