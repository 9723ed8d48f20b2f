"""A disk that fails at the n-th call, and a ledger that somebody else holds.

strace is attached to a gateway at work and lets a system call of each of its threads
fail once, the n-th; what could not be stored is sent again, and the count at the end
is that of the kills.

Usage: python -m tests.faults.disk [--most 60] [--seconds 1 10 60] [--calls CALL...]
"""

import argparse
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dicom_io.archive import open_archive
from gateway.ledger.engine import BUSY_SECONDS
from tests.data.peers import require_peer, until
from tests.faults import scene
from tests.faults.nursery import Child, Nursery, nursery
from tests.faults.points import Stage
from tests.faults.scene import Item
from tests.faults.sender import Broken, Sender
from tests.faults.storm import say

OUT_OF_RESOURCES = 0xA700
CALLS = ("write,writev", "pwrite64", "fsync,fdatasync", "rename", "openat")
"""Data, ledger, both made durable, the name of a file, its making."""
ERRORS = ("ENOSPC", "EDQUOT", "EIO")
_MARGIN = 5.0
_A_STORE = {"fsync,fdatasync": 2, "pwrite64": 3}
"""Calls that a thread makes for an instance at least, where they are more than one: it
syncs file and folder; the ledger's sync may be another thread's (decision 37)."""


@contextmanager
def traced(child: Child, *options: str) -> Iterator[None]:
    """Attach strace to every thread of a gateway, the later ones too."""
    command = [require_peer("strace"), "-f", "-qq", *options, "-p", str(child.pid)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as strace:
        try:
            until(lambda: _is_traced(child.pid), 60, "strace is attached")
            yield
        finally:
            _detach(strace)


def _detach(strace: "subprocess.Popen[bytes]") -> None:
    strace.terminate()
    try:
        strace.wait(30)
    except subprocess.TimeoutExpired:
        strace.kill()  # the kernel lets go of its threads then


def _is_traced(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return not any("TracerPid:\t0\n" in _status(thread) for thread in threads)


def _status(thread: Path) -> str:
    """Return what the kernel says of a thread; nothing where it has just ended."""
    try:
        return (thread / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def strike(stage: Stage, child: Child, call: str, error: str, at: int) -> int:
    """Let the `at`-th call of each thread fail while instances come.

    Returns how many calls failed, as strace tells.
    """
    items = [_document(stage) for _ in range(at // _A_STORE.get(call, 1) + 2)]
    trace = stage.folder / "trace"
    inject = f"inject={call}:error={error}:when={at}"
    what = f"{call} {error} {at}"
    with traced(child, "-o", str(trace), "-e", f"trace={call}", "-e", inject):
        statuses = _sent(stage, child, items)
    if wrong := {s for s in statuses if s not in (0, OUT_OF_RESOURCES)}:
        stage.faults.append(f"{what}: answered {sorted(wrong)}")
    stage.send(child.port)  # space is there again: no operator is needed
    if any(item.instance_uid not in stage.acknowledged for item in items):
        stage.faults.append(f"{what}: not stored when sent again")
    failed = trace.read_text(errors="replace").count("(INJECTED)")
    if not failed:
        stage.faults.append(f"{what}: there was no such call")
    return failed


def _document(stage: Stage) -> Item:
    item = scene.document(len(stage.sent), 2)
    stage.sent.append(item)
    return item


def _sent(stage: Stage, child: Child, items: Sequence[Item]) -> list[int]:
    """Send in one association; return the statuses, -1 for a broken connection."""
    statuses: list[int] = []
    assert child.port is not None
    try:
        with Sender(child.port) as sender:
            for item in items:
                statuses.append(sender.store(item))
                if not statuses[-1]:
                    stage.acknowledged.add(item.instance_uid)
    except Broken:
        statuses.append(-1)
    return statuses


def wait_out_a_lock(stage: Stage, child: Child, seconds: float) -> None:
    """Store while somebody holds the ledger: it is waited for, or A700 is said."""
    item, released = _document(stage), list[float]()
    other = sqlite3.connect(
        stage.site / "ledger.sqlite", 60, isolation_level=None, check_same_thread=False
    )

    def release() -> None:
        released.append(time.monotonic())
        other.execute("ROLLBACK")
        other.close()

    other.execute("BEGIN EXCLUSIVE")
    holder = threading.Timer(seconds, release)
    holder.start()
    (status,) = _sent(stage, child, [item])
    answered = time.monotonic()
    holder.join()
    if status not in (0, OUT_OF_RESOURCES) or (status == 0 and answered < released[0]):
        stage.faults.append(f"a lock of {seconds} s: answered {status:04X}")
    if status == 0 and seconds > BUSY_SECONDS + _MARGIN:
        stage.faults.append(f"a lock of {seconds} s was waited out")
    stage.send(child.port)
    if item.instance_uid not in stage.acknowledged:
        stage.faults.append(f"after a lock of {seconds} s: not stored")


@contextmanager
def stage_at_work(children: Nursery, folder: Path) -> Iterator[tuple[Stage, Child]]:
    """Run a gateway that fails are tried on; count when it has stopped."""
    with open_archive(folder / "archive", "ARCHIVE") as archive:
        stage = Stage(children=children, folder=folder, archive=archive)
        with stage.stopping(stage.start()) as child:
            assert child.port is not None  # at work, no longer at its start
            yield stage, child
        stage.faults += stage.count().faults


def main(words: Sequence[str] | None = None) -> int:
    """Try every call, error and number; print each fault; 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--calls", nargs="*", default=CALLS)
    parser.add_argument("--seconds", type=float, nargs="*", default=[1, 10, 60])
    given = parser.parse_args(words)
    folder, failed = Path(tempfile.mkdtemp(prefix="disk-")), 0
    with nursery() as children, stage_at_work(children, folder) as (stage, child):
        for call in given.calls:
            for error in ERRORS:
                for at in range(1, given.most + 1):
                    failed += strike(stage, child, call, error, at)
            say(f"{call}: {failed} failed so far, {len(stage.faults)} faults")
        for seconds in given.seconds:
            wait_out_a_lock(stage, child, seconds)
            say(f"lock of {seconds:g} s: {len(stage.faults)} faults so far")
    for fault in stage.faults:
        say(fault)
    say(
        f"{failed} failed calls, {len(given.seconds)} locks:"
        f" {len(stage.acknowledged)} acknowledged instances,"
        f" {len(stage.faults)} faults"
    )
    return 1 if stage.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
