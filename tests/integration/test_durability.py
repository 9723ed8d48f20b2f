"""The order of system calls: success leaves only after file, folder and ledger."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dicom_io.ae import AETitle, RemoteAE
from dicom_io.scu.send import store_instances
from tests.data.films import film_dataset, write_film
from tests.data.peers import require_peer
from tests.data.sites import MODALITY

pytestmark = [pytest.mark.peers, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
STORES = 20
RECEIVE = """
import sys
from pathlib import Path
from tests.data.engines import CannedEngine
from tests.data.sites import running_gateway, site_settings

with running_gateway(site_settings(Path(sys.argv[1])), CannedEngine()) as gateway:
    print(gateway.gateway.port, flush=True)
    sys.stdin.readline()
"""
CALLS = "fsync,fdatasync,rename,renameat,renameat2,sendto,sendmsg,write"
_CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)$")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A system call that matters, and the thread that made it."""

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
    matches = [_CALL.match(line) for line in trace.splitlines()]
    kinds = [(m["thread"], kind_of(m["name"], m["rest"])) for m in matches if m]
    return [Step(thread=thread, kind=kind) for thread, kind in kinds if kind]


def test_success_is_answered_after_file_folder_and_ledger_are_synced(
    tmp_path: Path,
) -> None:
    films = [
        write_film(tmp_path / f"{n}.dcm", film_dataset(SOPInstanceUID=f"1.2.3.4.{n}"))
        for n in range(STORES)
    ]
    trace = tmp_path / "trace"
    options = ["-f", "-yy", "-e", f"trace={CALLS}", "-o", str(trace)]
    program = [sys.executable, "-c", RECEIVE, str(tmp_path / "site")]
    with subprocess.Popen(
        [require_peer("strace"), *options, *program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as gateway:
        assert gateway.stdout is not None
        port = int(gateway.stdout.readline())
        title = AETitle("MAIRA_GW")
        remote = RemoteAE(name="gateway", title=title, host="127.0.0.1", port=port)
        outcomes = store_instances(MODALITY, remote, films)
        gateway.communicate("stop\n", timeout=60)
    assert [outcome.status for outcome in outcomes] == [0] * STORES
    steps = steps_of(trace.read_text(errors="replace"))
    renames = [at for at, step in enumerate(steps) if step.kind == "rename"]
    assert len(renames) == STORES
    for at in renames:
        own = [i for i, step in enumerate(steps) if step.thread == steps[at].thread]
        synced = max(i for i in own if i < at and steps[i].kind == "file")
        after = [i for i in own if i > at]
        folder = next(i for i in after if steps[i].kind == "folder")
        ledger = next(i for i in after if steps[i].kind == "ledger")
        assert folder < ledger
        assert "answer" not in [step.kind for step in steps[synced:ledger]]
        assert "answer" in [step.kind for step in steps[ledger:]]
