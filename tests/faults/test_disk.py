"""A disk that fails, fills up, or a ledger that is held: A700, and nothing is lost.

`make disk-faults` is the same at full length.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicom_io.archive import open_archive
from tests.faults import disk
from tests.faults.nursery import Nursery
from tests.faults.points import Stage

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
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system may be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that a file system has."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return filler


def test_a_full_disk_is_a_refusal_until_there_is_room_again(
    children: Nursery, tmp_path: Path
) -> None:
    with (
        small_disk(tmp_path / "small") as small,
        open_archive(tmp_path / "archive", "ARCHIVE") as archive,
    ):
        stage = Stage(children=children, folder=small, archive=archive)
        with stage.stopping(stage.start()) as child:
            stage.send(child.port)
            filler = fill(small)
            items = [disk._document(stage) for _ in range(3)]
            assert set(disk._sent(stage, child, items)) == {disk.OUT_OF_RESOURCES}
            filler.unlink()
            assert set(disk._sent(stage, child, items)) == {0}
        assert (*stage.faults, *stage.count().faults) == ()
