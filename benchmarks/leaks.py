"""What connections leave behind: threads, descriptors and memory of the listener.

Associations that end well, probes that connect and close, and aborts within a data
set that the sink has a place for; the listener is a process of its own and is looked
at between parts.
Usage: python -m benchmarks.leaks [--associations N] [--probes N] [--aborts N]
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_io.scp.listener import ListenerEvents, open_listener
from tests.data.conversation import ABORT, RELEASE, Recording, recorded
from tests.data.network import LOCAL, MODALITY, Recorded, Recorder

PARTS = 10
"""Looks at the listener for each kind of connection, and one before."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a process holds."""

    threads: int
    files: int
    kilobytes: int


def look(pid: int) -> Look:
    """Return what a process holds."""
    folder = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines()
    )
    return Look(
        threads=int(status["Threads"]),
        files=len(list((folder / "fd").iterdir())),
        kilobytes=int(status["VmRSS"].split()[0]),
    )


def settled(pid: int, before: Look | None = None) -> Look:
    """Return what a process holds once its connections have ended, 20 s at most."""
    end = time.monotonic() + 20
    found = look(pid)
    while time.monotonic() < end:
        if before is None or (
            found.threads <= before.threads and found.files <= before.files
        ):
            break
        time.sleep(0.1)
        found = look(pid)
    return found


def slope(kilobytes: Sequence[int], count: int) -> float:
    """Return the megabytes a thousand connections, by least squares over the looks.

    count : connections between the first look and the last.
    """
    steps = [number * count / (len(kilobytes) - 1) for number in range(len(kilobytes))]
    middle = sum(steps) / len(steps)
    level = sum(kilobytes) / len(kilobytes)
    above = sum(
        (x - middle) * (y - level) for x, y in zip(steps, kilobytes, strict=True)
    )
    below = sum((x - middle) ** 2 for x in steps)
    return above / below * 1000 / 1024


def _reply(connection: socket.socket, kind: int) -> None:
    if connection.recv(4096)[:1] != bytes([kind]):
        raise RuntimeError("the listener answered otherwise")


def associate(port: int, sent: Recording) -> None:
    """Ask for an association, echo, and release it."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(sent.request)
        _reply(connection, 2)
        connection.sendall(sent.echo)
        _reply(connection, 4)
        connection.sendall(RELEASE)
        _reply(connection, 6)


def probe(port: int, _sent: Recording) -> None:
    """Connect and close."""
    socket.create_connection(("127.0.0.1", port), 30).close()


def abort(port: int, sent: Recording) -> None:
    """Abort while the sink has a place open for half of a data set."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(sent.request)
        _reply(connection, 2)
        half = bytearray(sent.data[: len(sent.data) // 2])
        half[2:6] = (len(half) - 6).to_bytes(4, "big")
        half[6:10] = (len(half) - 10).to_bytes(4, "big")
        half[11] &= 0xFD  # not the last fragment
        connection.sendall(sent.command + bytes(half) + ABORT)
        with suppress(OSError):
            connection.recv(1)


KINDS: dict[str, Callable[[int, Recording], None]] = {
    "associations": associate,
    "probes": probe,
    "aborts": abort,
}


@contextmanager
def listener() -> Iterator[tuple[int, int]]:
    """Run a listener of its own; yield its port and process."""
    command = [sys.executable, "-m", "benchmarks.leaks", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("no output")
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


class _Forgetful(Recorder):
    """A sink and events that keep nothing."""

    def sink(self, facts: object) -> Recorded:
        return Recorded(facts)  # type: ignore[arg-type]


def _serve() -> None:
    def nothing(*_facts: object) -> None:
        pass

    events = ListenerEvents(
        association_opened=nothing,
        association_refused=nothing,
        association_closed=nothing,
        commitment_reported=nothing,
    )
    opened = open_listener(LOCAL, [MODALITY], _Forgetful().sink, events)
    sys.stdout.write(f"{opened.port}\n")
    sys.stdout.flush()
    threading.Event().wait()


def measure(counts: dict[str, int]) -> dict[str, list[Look]]:
    """Return what the listener held before each part and after the last, a kind."""
    looks: dict[str, list[Look]] = {}
    with tempfile.TemporaryDirectory() as folder:
        sent = recorded(Path(folder))
    with listener() as (port, pid):
        for connect in KINDS.values():  # what is loaded at the first is no leak
            for _ in range(20):
                connect(port, sent)
        for kind, count in counts.items():
            looks[kind] = [settled(pid)]
            for _ in range(PARTS):
                for _ in range(count // PARTS):
                    KINDS[kind](port, sent)
                looks[kind].append(settled(pid, looks[kind][0]))
    return looks


def main(words: Sequence[str] | None = None) -> None:
    """Print a line a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--associations", type=int, default=10_000)
    parser.add_argument("--probes", type=int, default=10_000)
    parser.add_argument("--aborts", type=int, default=1_000)
    given = parser.parse_args(words)
    if given.serve:
        _serve()
    counts = {kind: getattr(given, kind) for kind in KINDS}
    for kind, looks in measure(counts).items():
        memory = slope([each.kilobytes for each in looks], counts[kind])
        first, last = looks[0], looks[-1]
        print(
            f"{counts[kind]:6d} {kind:<13} threads {first.threads} -> {last.threads}, "
            f"descriptors {first.files} -> {last.files}, memory "
            f"{first.kilobytes >> 10} -> {last.kilobytes >> 10} MiB, "
            f"{memory:+.2f} MiB a thousand"
        )


if __name__ == "__main__":
    main()
