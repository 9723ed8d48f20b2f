"""A receiver as a process of its own, and the memory that it takes."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.receivers import RECEIVERS
from benchmarks.rounds import free_port

_START_SECONDS = 30.0


@contextmanager
def serving(name: str, folder: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Run a receiver; yield its port, which nobody else had bound, and process."""
    port = free_port()
    command = RECEIVERS[name].command(port, folder)
    environment = os.environ | {"TCP_NODELAY": "1"}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _await(port, process)
            yield port, process
        finally:
            process.terminate()


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the receiver did not start")


class Peak:
    """Watches the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self.megabytes = 0.0
        self._look()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        """Look a last time."""
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self._look()

    def _look(self) -> None:
        pids = [str(self._pid), *_children(self._pid)]
        pages = sum(_pages(pid) for pid in pids)
        self.megabytes = max(self.megabytes, pages * 4096 / 1e6)


def processor_seconds(pid: int) -> float:
    """Return what a process and its children have used of the processor."""
    of_children = sum(sum(_ticks(child)[:2]) for child in _children(pid))
    ticks = sum(_ticks(str(pid))) + of_children
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[str]:
    """Return the processes whose parent this is.

    Their lists by thread are short at times while processes come and go (proc(5)).
    """
    every = (path.name for path in Path("/proc").iterdir() if path.name.isdigit())
    return [each for each in every if _fields(each)[1:2] == [str(pid)]]


def _ticks(pid: str) -> list[int]:
    """Return utime, stime, and both of the children that were waited for (proc(5))."""
    return [int(field) for field in _fields(pid)[11:15]]


def _fields(pid: str) -> list[str]:
    """Return what /proc says of a process behind its name; nothing once it has gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def _pages(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
