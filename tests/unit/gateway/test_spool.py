"""The spool: durable files, their names, and what a failing disk does to them."""

import errno
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from blake3 import blake3

from gateway.errors import OutOfSpace, SpoolFailure
from gateway.spool import Shelf, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", reserve_bytes=0)


def files_of(spool: Spool) -> list[Path]:
    return [path for path in spool.path("").rglob("*") if path.is_file()]


def failing(code: int) -> Callable[..., NoReturn]:
    def fail(*_arguments: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_committed_file_holds_header_and_data(spool: Spool) -> None:
    file = spool.begin()
    file.header(b"meta")
    file.write(b"data ")
    file.write(memoryview(b"set"))
    name = file.commit(Shelf.INSTANCES)
    assert spool.path(name).read_bytes() == b"metadata set"


def test_digest_and_size_are_those_of_the_data_set_alone(spool: Spool) -> None:
    file = spool.begin()
    file.header(b"meta")
    file.write(b"data set")
    file.commit(Shelf.INSTANCES)
    assert file.digest == "blake3:" + blake3(b"data set").hexdigest()
    assert file.size == 8


def test_names_are_ours_and_their_first_digits_choose_the_folder(spool: Spool) -> None:
    shelf, folder, name = spool.begin().commit(Shelf.INSTANCES).split("/")
    assert shelf == "instances"
    assert name[:2] == folder
    assert set(name) <= set("0123456789abcdef")


def test_two_files_of_the_same_bytes_have_two_names(spool: Spool) -> None:
    first, second = spool.begin(), spool.begin()
    first.write(b"same")
    second.write(b"same")
    assert first.commit(Shelf.INSTANCES) != second.commit(Shelf.INSTANCES)


def test_only_this_user_may_read_what_is_kept(spool: Spool) -> None:
    path = spool.path(spool.begin().commit(Shelf.INSTANCES))
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_discarded_file_leaves_nothing(spool: Spool) -> None:
    file = spool.begin()
    file.write(b"data")
    file.discard()
    file.discard()
    assert files_of(spool) == []


def test_a_discarded_file_takes_no_more(spool: Spool) -> None:
    file = spool.begin()
    file.discard()
    with pytest.raises(SpoolFailure, match="closed"):
        file.write(b"late")


def test_keeping_the_same_bytes_twice_gives_one_file(spool: Spool) -> None:
    first = spool.keep(Shelf.RESULTS, b"result")
    assert spool.keep(Shelf.RESULTS, b"result") == first
    assert files_of(spool) == [spool.path(first)]
    assert first.endswith(hashlib.sha256(b"result").hexdigest())


def test_under_the_reserve_nothing_new_begins(tmp_path: Path) -> None:
    full = Spool(tmp_path / "spool", reserve_bytes=1 << 62)
    with pytest.raises(OutOfSpace, match="reserve"):
        full.begin()


def test_under_the_reserve_results_are_still_kept(tmp_path: Path) -> None:
    full = Spool(tmp_path / "spool", reserve_bytes=1 << 62)
    name = full.keep(Shelf.RESULTS, b"result")
    assert full.path(name).read_bytes() == b"result"


def test_removing_what_is_gone_is_no_error(spool: Spool) -> None:
    name = spool.keep(Shelf.RESULTS, b"result")
    spool.remove([name])
    spool.remove([name])
    assert files_of(spool) == []


def test_the_file_is_synced_before_it_is_renamed_and_the_folder_after(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        is_folder = Path(f"/proc/self/fd/{descriptor}").resolve().is_dir()
        calls.append("fsync folder" if is_folder else "fsync file")
        real_fsync(descriptor)

    def rename(path: Path, target: Path) -> Path:
        calls.append("rename")
        return real_rename(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    spool.begin().commit(Shelf.INSTANCES)
    assert calls == ["fsync file", "rename", "fsync folder", "fsync folder"]


def test_a_folder_is_synced_when_a_file_first_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    spool = Spool(tmp_path / "spool", reserve_bytes=0)
    assert synced == [*Shelf, "spool", tmp_path.name]
    folder = hashlib.sha256(b"result").hexdigest()[:2]
    for is_new in (True, False):
        synced.clear()
        spool.keep(Shelf.RESULTS, b"result")
        assert synced[1:] == [folder, *([Shelf.RESULTS] if is_new else [])]
    synced.clear()
    again = Spool(tmp_path / "spool", reserve_bytes=0)
    assert synced == [*Shelf, "spool", tmp_path.name]
    again.keep(Shelf.RESULTS, b"result")
    assert synced[-1] == folder


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (errno.ENOSPC, OutOfSpace),
        (errno.EDQUOT, OutOfSpace),
        (errno.EIO, SpoolFailure),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_a_failing_disk_leaves_no_file(
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    failure: type[SpoolFailure],
) -> None:
    monkeypatch.setattr(os, call, failing(code))
    with pytest.raises(failure) as caught:
        spool.keep(Shelf.RESULTS, b"result")
    assert type(caught.value) is failure
    assert isinstance(caught.value.__cause__, OSError)
    assert files_of(spool) == []


def test_a_failed_rename_leaves_no_file(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "rename", failing(errno.EDQUOT))
    with pytest.raises(OutOfSpace):
        spool.begin().commit(Shelf.INSTANCES)
    assert files_of(spool) == []


def test_after_an_error_of_fsync_the_file_is_never_synced_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = spool.begin()
    file.write(b"data")
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(SpoolFailure):
        file.commit(Shelf.INSTANCES)
    monkeypatch.undo()
    with pytest.raises(SpoolFailure, match="closed"):
        file.commit(Shelf.INSTANCES)


def test_an_error_of_the_folder_sync_does_not_take_what_was_kept_before(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = spool.keep(Shelf.RESULTS, b"result")
    synced: list[int] = []
    real = os.fsync

    def fail_second(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(errno.EIO, "bad sector")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail_second)
    with pytest.raises(SpoolFailure):
        spool.keep(Shelf.RESULTS, b"result")
    assert spool.path(name).read_bytes() == b"result"


def test_reconciling_deletes_unfinished_files(spool: Spool) -> None:
    spool.begin().write(b"cut off")
    assert spool.reconcile(set()).unfinished == 1
    assert files_of(spool) == []


def test_reconciling_names_orphans_and_leaves_them(spool: Spool) -> None:
    known = spool.keep(Shelf.RESULTS, b"known")
    orphan = spool.begin().commit(Shelf.INSTANCES)
    found = spool.reconcile({known})
    assert found.orphans == (orphan,)
    assert spool.path(orphan).exists()


def test_reconciling_names_what_is_missing(spool: Spool) -> None:
    kept = spool.keep(Shelf.RESULTS, b"kept")
    gone = spool.keep(Shelf.RESULTS, b"gone")
    spool.remove([gone])
    found = spool.reconcile({kept, gone})
    assert (found.unfinished, found.orphans, found.missing) == (0, (), (gone,))


def test_reconciling_leaves_the_files_of_processes_at_work(spool: Spool) -> None:
    young = spool.begin()
    old = spool.path(spool.begin().commit(Shelf.INSTANCES))
    os.utime(old, (0, 0))
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    found = spool.reconcile(set(), before=an_hour_ago)
    assert (found.unfinished, len(found.orphans)) == (0, 1)
    young.write(b"data")
    young.commit(Shelf.INSTANCES)


def test_a_spool_is_opened_again_as_it_was(tmp_path: Path) -> None:
    name = Spool(tmp_path / "spool", reserve_bytes=0).keep(Shelf.RESULTS, b"result")
    again = Spool(tmp_path / "spool", reserve_bytes=0)
    assert again.path(name).read_bytes() == b"result"
