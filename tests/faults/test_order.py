"""The order of system calls: success leaves only after file, folder and ledger."""

import re
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from dicom_io.archive import open_archive
from tests.faults import scene
from tests.faults.disk import traced
from tests.faults.nursery import Nursery
from tests.faults.scene import Item
from tests.faults.sender import Sender

pytestmark = [pytest.mark.peers, pytest.mark.slow]

STORES = 50
ASSOCIATIONS = 4
CALLS = "fsync,fdatasync,rename,renameat,renameat2,sendto,sendmsg,write"
_CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
_UNFINISHED = "<unfinished ...>"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A system call that matters, and the thread that made it.

    What is synced or renamed counts when the call has returned, an answer when it
    begins.
    """

    thread: str
    kind: str


def kind_of(name: str, rest: str) -> str | None:
    """Tell what a call is for; strace -yy writes the file behind a descriptor."""
    synced = name in ("fsync", "fdatasync")
    if synced and ".part" in rest:
        return "file"
    if name.startswith("rename") and ".part" in rest:
        return "rename"
    if synced and "/instances/" in rest:
        return "folder"
    if synced and "ledger.sqlite" in rest:
        return "ledger"
    return "answer" if not synced and "TCP" in rest else None


def steps_of(trace: str) -> list[Step]:
    steps: list[Step] = []
    pending: dict[str, str] = {}
    for line in trace.splitlines():
        if resumed := _RESUMED.match(line):
            kind = pending.pop(resumed["thread"], None)
            if kind and resumed["rest"].endswith("= 0"):
                steps.append(Step(thread=resumed["thread"], kind=kind))
        elif (call := _CALL.match(line)) and (
            kind := kind_of(call["name"], call["rest"])
        ):
            if kind != "answer" and line.endswith(_UNFINISHED):
                pending[call["thread"]] = kind
            elif kind == "answer" or line.endswith("= 0"):
                steps.append(Step(thread=call["thread"], kind=kind))
    return steps


def send(port: int, items: list[Item], statuses: list[int]) -> None:
    with Sender(port) as sender:
        statuses += [sender.store(item) for item in items]


def test_success_is_answered_after_file_folder_and_ledger_are_synced(
    children: Nursery, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    items = [scene.document(number, 2) for number in range(STORES)]
    statuses: list[int] = []
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        child = children.start(tmp_path / "data", scene.site_overrides(archive))
        port = child.port
        assert port is not None
        with traced(child, "-yy", "-e", f"trace={CALLS}", "-o", str(trace)):
            senders = [
                threading.Thread(
                    target=send, args=(port, items[n::ASSOCIATIONS], statuses)
                )
                for n in range(ASSOCIATIONS)
            ]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
        assert child.kill(15) == 0
    assert statuses == [0] * STORES
    steps = steps_of(trace.read_text(errors="replace"))
    renames = [at for at, step in enumerate(steps) if step.kind == "rename"]
    assert len(renames) == STORES
    for at in renames:
        own = [i for i, step in enumerate(steps) if step.thread == steps[at].thread]
        synced = max(i for i in own if i < at and steps[i].kind == "file")
        folder = next(i for i in own if i > at and steps[i].kind == "folder")
        # The commit may be another thread's: instances share it (decision 37).
        ledger = next(
            i for i, s in enumerate(steps) if i > folder and s.kind == "ledger"
        )
        assert "answer" not in [steps[i].kind for i in own if synced < i < ledger]
        assert "answer" in [steps[i].kind for i in own if i > ledger]
