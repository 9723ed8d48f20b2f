"""Receiving: this gateway's listener beside DCMTK, pynetdicom and Orthanc, in turn.

Each round runs every receiver with every number of associations, in an order that
changes, so that ratios survive a busy machine. A receiver is a process of its own; the
sender encodes its messages beforehand. What arrived is counted. Writes JSON, prints
medians with their range and ratios. Usage:
python -m benchmarks.receive [--rounds 5] [--objects 32] [--side 2260]
                             [--associations 1,8,32] [--only "NAME;NAME"] [--json FILE]
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.receivers import CLASS_UID, RECEIVERS, SYNTAX_UID, TITLE

SENDER_PDU_CAP = 131072
"""DCMTK's own ceiling."""

_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One receiver, once."""

    name: str
    associations: int
    megabytes_per_second: float
    object_p50_ms: float
    object_p99_ms: float
    peak_megabytes: float
    arrived: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; return the exit code."""
    options = _options(arguments)
    names = options.only.split(";") if options.only else list(RECEIVERS)
    counts = [int(each) for each in options.associations.split(",")]
    present = [name for name in names if RECEIVERS[name].is_present()]
    for name in set(names) - set(present):
        print(f"not measured: {name} is not installed")
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        place = Path(folder)
        for number in range(options.rounds):
            start = number % len(present)
            for count in counts:
                order = present[start:] + present[:start]
                runs += [_run(name, count, options, place) for name in order]
    _report(runs, present, counts)
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(run) for run in runs]))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--objects", type=int, default=32)
    parser.add_argument("--side", type=int, default=2260)
    parser.add_argument("--associations", default="1,8,32")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", default=None)
    parser.add_argument("--json", default="")
    return parser.parse_args(arguments)


def _run(name: str, count: int, options: argparse.Namespace, folder: Path) -> Run:
    place = folder / "received"
    place.mkdir()
    try:
        with _serving(name, place) as (port, process):
            _sent(port, 1, 1, options.side)
            before = RECEIVERS[name].arrived(place)
            peak = _Peak(process.pid)
            _level(folder, options)
            seconds, times = _sent(port, count, options.objects, options.side)
            peak.stop()
            arrived = RECEIVERS[name].arrived(place) - before
    finally:
        shutil.rmtree(place)
    if arrived < options.objects:
        raise RuntimeError(f"{name} kept {arrived} of {options.objects} objects")
    size = options.side * options.side * 2 * options.objects
    run = Run(
        name=name,
        associations=count,
        megabytes_per_second=size / 1e6 / seconds,
        object_p50_ms=_percentile(times, 0.5),
        object_p99_ms=_percentile(times, 0.99),
        peak_megabytes=peak.megabytes,
        arrived=arrived,
    )
    print(json.dumps(asdict(run)), flush=True)
    return run


def _level(folder: Path, options: argparse.Namespace) -> None:
    """Bring disk and memory into the same state for everyone.

    Nothing is left to be written back, and the pages that files will need have
    been touched: a virtual machine that gave them back pays for the first touch.
    """
    os.sync()
    scrap, piece = folder / "scrap", bytes(1 << 20)
    with scrap.open("wb", buffering=0) as file:
        for _ in range(options.side**2 * 2 * options.objects // len(piece) + 1):
            file.write(piece)
    scrap.unlink()


def _percentile(seconds: list[float], part: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(part * len(seconds)))] * 1000


def _report(runs: list[Run], names: list[str], counts: list[int]) -> None:
    print("\n| receiver | assoc. | MB/s (min-max) | object p50 / p99 ms | peak MB |")
    print("|---|---|---|---|---|")
    rates: dict[tuple[str, int], float] = {}
    for count in counts:
        for name in names:
            mine = [
                run for run in runs if (run.name, run.associations) == (name, count)
            ]
            speed = [run.megabytes_per_second for run in mine]
            rates[name, count] = statistics.median(speed)
            p50 = statistics.median(run.object_p50_ms for run in mine)
            p99 = statistics.median(run.object_p99_ms for run in mine)
            peak = max(run.peak_megabytes for run in mine)
            rate = f"{rates[name, count]:.0f} ({min(speed):.0f}-{max(speed):.0f})"
            print(f"| {name} | {count} | {rate} | {p50:.0f} / {p99:.0f} | {peak:.0f} |")
    for count in counts:
        for own in (each for each in names if each.startswith("ours")):
            for other in (each for each in names if not each.startswith("ours")):
                ratio = rates[own, count] / rates[other, count]
                print(f"{own} / {other} at {count}: {ratio:.2f}x")


# ------------------------------------------------------------------ receivers


@contextmanager
def _serving(
    name: str, folder: Path
) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    with socket.socket() as probe:  # a bound port is refused here
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
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


class _Peak:
    """Watches the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self.megabytes = 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            children = Path(f"/proc/{self._pid}/task/{self._pid}/children")
            try:
                pids = [str(self._pid), *children.read_text().split()]
                pages = sum(_pages(pid) for pid in pids)
            except OSError:
                continue
            self.megabytes = max(self.megabytes, pages * 4096 / 1e6)


def _pages(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0


# --------------------------------------------------------------------- sender


def _sent(port: int, count: int, objects: int, side: int) -> tuple[float, list[float]]:
    """Send over `count` associations; return the seconds of all and of each."""
    shares = [list(range(number, objects, count)) for number in range(count)]
    shares = [share for share in shares if share]
    connections = [_associated(port) for _ in shares]
    messages = [
        [_message(side, limit) for _ in share]
        for share, (_, limit) in zip(shares, connections, strict=True)
    ]
    times: list[float] = []
    start = threading.Barrier(len(shares) + 1)

    def send(connection: socket.socket, mine: list[bytes]) -> None:
        start.wait()
        for message in mine:
            began = time.perf_counter()
            connection.sendall(message)
            _require_success(connection)
            times.append(time.perf_counter() - began)

    threads = [
        threading.Thread(target=send, args=(connection, mine))
        for (connection, _), mine in zip(connections, messages, strict=True)
    ]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    for connection, _ in connections:
        connection.sendall(struct.pack(">BxLL", 5, 4, 0))
        connection.close()
    if len(times) != objects:
        raise RuntimeError(f"{len(times)} of {objects} objects were answered")
    return seconds, times


def _associated(port: int) -> tuple[socket.socket, int]:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = b"\1\0\0\0" + _item(0x30, CLASS_UID) + _item(0x40, SYNTAX_UID)
    information = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.4")
    body = struct.pack(">HH", 1, 0) + TITLE.encode().ljust(16) + b"SENDER".ljust(16)
    body += bytes(32) + _item(0x10, b"1.2.840.10008.3.1.1.1")
    body += _item(0x20, context) + _item(0x50, information)
    connection.sendall(struct.pack(">BxL", 1, len(body)) + body)
    kind, reply = _pdu(connection)
    if kind != 2:
        raise RuntimeError(f"association refused: PDU type {kind}")
    announced = struct.unpack_from(">L", reply, reply.index(b"\x51\0\0\4", 68) + 4)[0]
    return connection, min(announced or SENDER_PDU_CAP, SENDER_PDU_CAP)


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _pdu(connection: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxL", _exactly(connection, 6))
    return int(kind), _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = connection.recv(count, socket.MSG_WAITALL)
    if len(got) < count:
        raise RuntimeError("the receiver closed the connection")
    return got


def _require_success(connection: socket.socket) -> None:
    kind, reply = _pdu(connection)
    at = reply.find(bytes.fromhex("0000000902000000"))
    if kind != 4 or reply[at + 8 : at + 10] != b"\0\0":
        raise RuntimeError(f"not stored: PDU type {kind}")


def _message(side: int, limit: int) -> bytes:
    """Encode one C-STORE of a new instance in PDUs of up to `limit` bytes."""
    instance = f"1.2.826.0.1.3680043.9.{time.time_ns()}"
    command = b"".join(
        struct.pack("<HHL", 0, element, len(value)) + value
        for element, value in (
            (0x0002, _even(CLASS_UID)),
            (0x0100, b"\1\0"),
            (0x0110, b"\1\0"),
            (0x0700, b"\0\0"),
            (0x0800, b"\1\0"),
            (0x1000, _even(instance.encode())),
        )
    )
    command = struct.pack("<HHLL", 0, 0, 4, len(command)) + command
    parts: list[bytes | memoryview] = [
        struct.pack(">BxLLBB", 4, len(command) + 6, len(command) + 2, 1, 3)
    ]
    parts.append(command)
    data = memoryview(_data_set(instance, side))
    for start in range(0, len(data), limit - 6):
        piece = data[start : start + limit - 6]
        last = 2 if start + len(piece) == len(data) else 0
        size = len(piece)
        parts += [struct.pack(">BxLLBB", 4, size + 6, size + 2, 1, last), piece]
    return b"".join(parts)


def _even(value: bytes, pad: bytes = b"\0") -> bytes:
    return value + pad * (len(value) % 2)


def _data_set(instance: str, side: int) -> bytes:
    """Encode an image of `side` x `side` 16 bit values, explicit VR little endian."""
    uid = instance.encode()
    short = [
        (0x0008, 0x0016, b"UI", _even(CLASS_UID)),
        (0x0008, 0x0018, b"UI", _even(uid)),
        (0x0008, 0x0060, b"CS", b"DX"),
        (0x0010, 0x0020, b"LO", b"BENCH "),
        (0x0020, 0x000D, b"UI", _even(uid + b".1")),
        (0x0020, 0x000E, b"UI", _even(uid + b".2")),
        (0x0028, 0x0002, b"US", b"\1\0"),
        (0x0028, 0x0004, b"CS", b"MONOCHROME2 "),
        (0x0028, 0x0010, b"US", struct.pack("<H", side)),
        (0x0028, 0x0011, b"US", struct.pack("<H", side)),
        (0x0028, 0x0100, b"US", b"\x10\0"),
        (0x0028, 0x0101, b"US", b"\x0c\0"),
        (0x0028, 0x0102, b"US", b"\x0b\0"),
        (0x0028, 0x0103, b"US", b"\0\0"),
    ]
    head = b"".join(
        struct.pack("<HH2sH", group, element, vr, len(value)) + value
        for group, element, vr, value in short
    )
    pixels = (bytes(range(250)) * (side * side * 2 // 250 + 1))[: side * side * 2]
    return head + struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, len(pixels)) + pixels


if __name__ == "__main__":
    sys.exit(main())
