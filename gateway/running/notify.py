"""What systemd is told, where it started us and wants to know (sd_notify(3))."""

import os
import socket
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def notify(message: str) -> None:
    """Tell systemd; nothing happens where nobody listens."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    address = f"\0{where[1:]}" if where.startswith("@") else where
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_UNIX, kind) as sender, suppress(OSError):
        sender.settimeout(1.0)
        sender.sendto(message.encode("ascii"), address)


def watchdog_seconds() -> float | None:
    """Return how often systemd wants to hear that we live; None: not at all.

    Half of its limit, as sd_watchdog_enabled(3) advises.
    """
    limit, owner = os.environ.get("WATCHDOG_USEC"), os.environ.get("WATCHDOG_PID")
    if not limit or not limit.isdigit() or not int(limit):
        return None
    if owner and owner != str(os.getpid()):
        return None
    return int(limit) / 2_000_000
