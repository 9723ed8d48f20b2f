"""Refused associations, told once a minute however often they happen.

Each telling is written down durably; a stranger that knocks without end must not
fill the record. Pure but for the clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

_WINDOW_SECONDS = 60
_WINDOWS_CAP = 1024
"""Addresses and reasons that are counted at once; one more ends all windows."""


@dataclass(slots=True, kw_only=True)
class _Window:
    """What followed the first refusal of one address for one reason."""

    end: float
    tell: Callable[[str], None]
    repeats: int = 0


class Refusals:
    """Counts refusals that repeat; `clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        """Count the windows that are open."""
        return len(self._windows)

    def add(self, address: str, reason: str, tell: Callable[[str], None]) -> None:
        """Tell the first refusal of a minute, count those like it."""
        self.settle(is_end=len(self) >= _WINDOWS_CAP)
        with self._lock:
            window = self._windows.get((address, reason))
            if window is not None:
                window.tell, window.repeats = tell, window.repeats + 1
                return
            end = self._clock() + _WINDOW_SECONDS
            self._windows[address, reason] = _Window(end=end, tell=tell)
        tell(reason)

    def settle(self, *, is_end: bool = False) -> None:
        """Tell what was counted in the windows that are over, or in all."""
        now = self._clock()
        with self._lock:
            over = [key for key, each in self._windows.items() if each.end <= now]
            keys = list(self._windows) if is_end else over
            ended = [(key[1], self._windows.pop(key)) for key in keys]
        for reason, window in ended:
            if window.repeats:
                count = f"{window.repeats} more like it within {_WINDOW_SECONDS} s"
                window.tell(f"{reason} ({count})")
