"""Other processes, as a test sees them."""

import time
from collections.abc import Callable
from pathlib import Path

_SECONDS = 60.0


def wait_until(holds: Callable[[], bool]) -> None:
    """Return as soon as something holds; fail where it does not come to."""
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for counts."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
