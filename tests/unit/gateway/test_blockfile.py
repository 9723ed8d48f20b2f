"""Files written in blocks: past the page cache, through it, and what may go wrong."""

import errno
import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateway.blockfile import BlockFile

BLOCK = 1 << 19
LENGTHS = [0, 1, 4095, 4096, 4097, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5]

Write = Callable[[int, memoryview], int]


def unheard(_block: memoryview) -> None:
    """Nobody digests."""


def content(length: int) -> bytes:
    return bytes(range(251)) * (length // 251) + bytes(length % 251)


def written(path: Path, pieces: Sequence[bytes | memoryview]) -> list[bytes]:
    """Write and sync a file; return the blocks that were told."""
    told: list[bytes] = []
    file = BlockFile(path, lambda block: told.append(bytes(block)))
    file.write(pieces)
    file.sync()
    file.close()
    return told


@pytest.mark.parametrize("length", LENGTHS)
def test_a_file_is_what_was_written_to_the_byte(tmp_path: Path, length: int) -> None:
    data = content(length)
    told = written(tmp_path / "film", [data[:100], memoryview(data)[100:]])
    assert (tmp_path / "film").read_bytes() == data
    assert b"".join(told) == data


def test_a_file_that_is_closed_holds_no_block(tmp_path: Path) -> None:
    file = BlockFile(tmp_path / "film", unheard)
    block = weakref.ref(file._block.obj)
    file.write([content(BLOCK + 1)])
    file.sync()
    assert block() is not None
    file.close()
    assert block() is None


def test_a_file_system_that_refuses_to_open_it_so_gets_it_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECT:
            real(path, flags & ~os.O_DIRECT, mode)  # made, and left behind
            raise OSError(errno.EINVAL, "no direct writing")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    written(tmp_path / "film", [content(BLOCK + 1)])
    assert (tmp_path / "film").read_bytes() == content(BLOCK + 1)


def test_a_file_system_that_refuses_the_first_block_gets_it_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "write", _refusing(os.write, asked, 1))
    written(tmp_path / "film", [content(BLOCK + 1)])
    assert (tmp_path / "film").read_bytes() == content(BLOCK + 1)
    assert len(asked) == 3


def test_a_write_that_took_less_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:4096]))
    written(tmp_path / "film", [content(3 * 4096 + 5)])
    assert (tmp_path / "film").read_bytes() == content(3 * 4096 + 5)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_what_the_disk_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "write", _refusing(os.write, [], 9, code))
    with pytest.raises(OSError, match=os.strerror(code)):
        written(tmp_path / "film", [content(BLOCK)])


def test_a_file_that_exists_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"here")
    with pytest.raises(FileExistsError):
        BlockFile(tmp_path / "film", unheard)
    assert (tmp_path / "film").read_bytes() == b"here"


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    file = BlockFile(tmp_path / "film", unheard)
    file.close()
    file.close()
    assert not file.is_open


def _refusing(
    real: Write, asked: list[int], times: int, code: int = errno.EINVAL
) -> Write:
    """Return a write whose first `times` calls fail with `code`."""

    def write(descriptor: int, data: memoryview) -> int:
        asked.append(len(data))
        if len(asked) <= times:
            raise OSError(code, os.strerror(code))
        return real(descriptor, data)

    return write
