"""A new file that is written in blocks, past the page cache where that is possible.

What is to be on disk before a sender is answered gains nothing from being copied into
the page cache first, whose memory costs a core most when it is new (decision 51). Where
a file system has no such writing, the same blocks go through the cache.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Callable, Sequence
from pathlib import Path

_DIRECT = getattr(os, "O_DIRECT", 0)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

_BLOCK_BYTES = 1 << 19
"""What is held of a file at most, whatever its size."""

_SECTOR_BYTES = 4096
"""Addresses and lengths that every disk takes (open(2), O_DIRECT)."""


class BlockFile:
    """A file on its way to disk, in one thread at a time.

    path : must not exist; readable by this user alone.
    written : called with each block before it is written.
    All methods raise OSError where the disk refuses.
    """

    def __init__(self, path: Path, written: Callable[[memoryview], None]) -> None:
        self._written = written
        self._descriptor, self._is_direct = _open(path)
        # A mapping begins at a page, as direct writing wants it.
        self._block = memoryview(mmap.mmap(-1, _BLOCK_BYTES))
        self._filled = 0
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Whether more may be written."""
        return self._descriptor >= 0

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Append pieces, which may be changed as soon as this returns."""
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[self._take(rest) :]
                if self._filled == _BLOCK_BYTES:
                    self._write_block()

    def sync(self) -> None:
        """Write what is left and wait until the whole file is on disk."""
        if self._filled:
            self._write_block()
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; what was not synced is lost. Again: nothing happens.

        The block goes at once: whoever has the file may be kept for long.
        """
        self._block = memoryview(b"")
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _take(self, rest: memoryview) -> int:
        """Copy the start of `rest` into the block; return how much of it."""
        count = min(len(rest), _BLOCK_BYTES - self._filled)
        end = self._filled + count
        self._block[self._filled : end] = rest[:count]
        self._filled = end
        return count

    def _write_block(self) -> None:
        """Write the block; one that is not full is the last."""
        content = self._block[: self._filled]
        self._written(content)
        self._size += len(content)
        self._filled = 0
        if not self._is_direct:
            self._write_all(content)
            return
        whole = -len(content) % _SECTOR_BYTES + len(content)
        self._write_all(self._block[:whole])
        if whole > len(content):
            os.ftruncate(self._descriptor, self._size)

    def _write_all(self, rest: memoryview) -> None:
        """Write everything; one call may take less, as a disk that fills up does."""
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                if not self._is_direct or error.errno != errno.EINVAL:
                    raise
                self._go_through_cache()

    def _go_through_cache(self) -> None:
        """Write as usual on a file system that refuses what it let us open."""
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~_DIRECT)
        self._is_direct = False


def _open(path: Path) -> tuple[int, bool]:
    """Return a descriptor, and whether it writes past the page cache."""
    try:
        return os.open(path, _NEW_FILE | _DIRECT, 0o600), bool(_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    # Linux may have made the file before it found that it cannot be written so.
    path.unlink(missing_ok=True)
    return os.open(path, _NEW_FILE, 0o600), False
