"""A disk that fails, fills up, or a ledger that is held: A700, and nothing is lost.

`make disk-faults` is the same at full length.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.rounds import free_port
from dicom_io.ae import AETitle, RemoteAE
from dicom_io.archive import open_archive
from dicom_io.errors import PeerFailure
from dicom_io.scu.query import echo
from tests.data.peers import until
from tests.data.sites import MODALITY, toml_of
from tests.faults import disk
from tests.faults.nursery import Nursery
from tests.faults.points import Stage

if TYPE_CHECKING:
    from config.load import Table

pytestmark = [pytest.mark.peers, pytest.mark.slow]

A_FEW = (
    ("writev,write", "ENOSPC", 2),
    ("pwrite64", "EDQUOT", 1),
    ("pwrite64", "EIO", 2),
    ("fsync,fdatasync", "EIO", 1),
    ("fsync,fdatasync", "ENOSPC", 2),
    ("fsync,fdatasync", "EIO", 13),
    ("rename", "ENOSPC", 1),
    ("openat", "EDQUOT", 1),
)


def test_a_call_that_fails_costs_a_refusal_and_nothing_that_was_acknowledged(
    children: Nursery, tmp_path: Path
) -> None:
    with disk.stage_at_work(children, tmp_path) as (stage, child):
        for each in A_FEW:
            disk.strike(stage, child, *each)
    assert stage.faults == []
    assert set(stage.acknowledged) == {item.instance_uid for item in stage.sent}


def test_a_ledger_that_is_held_for_a_second_is_waited_for(
    children: Nursery, tmp_path: Path
) -> None:
    with disk.stage_at_work(children, tmp_path) as (stage, child):
        disk.wait_out_a_lock(stage, child, 1.0)
    assert stage.faults == []


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 16 MiB; skip where that is not permitted."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system may be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Take all the room of a file system for the length of a with block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    yield
    filler.unlink()


@dataclass(frozen=True)
class Disks:
    """Folders on file systems of their own; what a store hears while one is full."""

    own: tuple[str, ...]
    full: str
    status: int


DISKS = {
    "everything": Disks(own=("data",), full="data", status=disk.OUT_OF_RESOURCES),
    "spool": Disks(
        own=("data/spool",), full="data/spool", status=disk.OUT_OF_RESOURCES
    ),
    "ledger and audit": Disks(
        own=("data", "data/spool"), full="data", status=disk.OUT_OF_RESOURCES
    ),
    "log": Disks(own=("logs",), full="logs", status=0),
}


@pytest.mark.parametrize("name", DISKS)
def test_a_full_disk_is_a_refusal_until_there_is_room_again(
    children: Nursery, tmp_path: Path, name: str
) -> None:
    disks = DISKS[name]
    with (
        ExitStack() as mounted,
        open_archive(tmp_path / "archive", "ARCHIVE") as archive,
    ):
        for each in disks.own:
            mounted.enter_context(small_disk(tmp_path / each))
        if "logs" in disks.own:
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "log").symlink_to(tmp_path / "logs" / "log")
        stage = Stage(children=children, folder=tmp_path, archive=archive)
        with stage.stopping(stage.start()) as child:
            stage.send(child.port)
            with full(tmp_path / disks.full):
                items = [disk._document(stage) for _ in range(3)]
                assert set(disk._sent(stage, child, items)) == {disks.status}
            assert set(disk._sent(stage, child, items)) == {0}
        assert (*stage.faults, *stage.count().faults) == ()


def test_output_and_log_that_nobody_takes_keep_no_gateway_from_its_work(
    tmp_path: Path,
) -> None:
    config, port = tmp_path / "site.toml", free_port()
    ports: Table = {"listener": {"port": port}, "health": {"port": 0}}
    config.write_text(toml_of(tmp_path / "data", ports), "utf-8")
    command = [sys.executable, "-m", "gateway", "--config", str(config), "serve"]
    command += ["--role", "listener"]
    with Path("/dev/full").open("w") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere)
    try:
        at = RemoteAE(
            name="gateway", title=AETitle("MAIRA_GW"), host="127.0.0.1", port=port
        )
        until(lambda: process.poll() is not None or _is_answered(at), 120, "an answer")
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(60) == 0


def _is_answered(remote: RemoteAE) -> bool:
    try:
        echo(MODALITY, remote)
    except PeerFailure:
        return False
    return True
