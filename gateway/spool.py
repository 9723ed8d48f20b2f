"""Durable files: temporary, fsync, rename, fsync of the folder.

A file is named by this module alone (a random token, or the hash of what it
holds), so no byte from the network is ever part of a path. Once `commit` or
`keep` has returned, the file outlives a power cut.
"""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from gateway import digests
from gateway.blockfile import BlockFile
from gateway.errors import OutOfSpace, SpoolFailure
from gateway.failpoints import pass_failpoint

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_PREFIX = 2
"""Hexadecimal digits of a name that choose its folder: 256 folders a shelf."""

YOUNG = timedelta(hours=1)
"""A file on its way in that was not written to for so long is not on its way."""


class Shelf(StrEnum):
    """The folders of the spool that hold durable files."""

    INSTANCES = "instances"
    RESULTS = "results"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What a comparison of spool and ledger found; names are sorted.

    `unfinished` counts temporary files, which are deleted: nobody was told that
    they are here. `orphans` are durable files that no row names: received and
    never answered for, or purged. They are left for the caller to decide, for with
    a ledger restored from a back-up they may be what a sender was promised.
    `missing` are files that the ledger knows and the spool lacks.
    """

    unfinished: int
    orphans: tuple[str, ...]
    missing: tuple[str, ...]


class SpoolFile:
    """A file on its way into the spool; made by `Spool.begin`.

    Every method raises OutOfSpace or SpoolFailure where the disk refuses; the
    file is then to be discarded, and nothing was made durable.
    """

    def __init__(self, part: Path, shelve: Callable[[Path, Shelf], str]) -> None:
        self._part = part
        self._shelve = shelve
        self._digest = digests.begin()
        self._head = 0
        self._size = 0
        with _disk_failures():
            self._file = BlockFile(part, self._account)

    @property
    def size(self) -> int:
        """Bytes given to `write` that are written; the header does not count."""
        return self._size

    @property
    def digest(self) -> str:
        """Digest of these bytes; of all of them once committed."""
        return digests.told(self._digest)

    def header(self, data: bytes) -> None:
        """Begin with bytes of our own: preamble and file meta information."""
        self._head += len(data)
        self.write_pieces([data])

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes as they were received."""
        self.write_pieces([data])

    def write_pieces(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Append pieces as they were received."""
        self._require_open()
        with _disk_failures():
            self._file.write(pieces)

    def commit(self, shelf: Shelf) -> str:
        """Make the file durable; return its name, relative to the spool.

        After an error of fsync the kernel may have dropped the bytes and a second
        fsync may still succeed, so the file is discarded, never synced again.
        """
        self._require_open()
        try:
            with _disk_failures():
                pass_failpoint(f"{shelf}:before-fsync")
                self._file.sync()
                pass_failpoint(f"{shelf}:after-fsync")
                self._file.close()
                return self._shelve(self._part, shelf)
        except SpoolFailure:
            self.discard()
            raise

    def discard(self) -> None:
        """Delete what was written; a file that is gone is no error."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._part.unlink()

    def _account(self, block: memoryview) -> None:
        """Count and digest what is written, without the header that it begins with."""
        head = min(self._head, len(block))
        self._head -= head
        self._size += len(block) - head
        self._digest.update(block[head:])

    def _require_open(self) -> None:
        if not self._file.is_open:
            raise SpoolFailure(f"{self._part.name} is closed")


class Spool:
    """A folder of durable files, shared by all threads and processes.

    root : made where it is missing, for this user only.
    reserve_bytes : below this much free space nothing new is begun, so that what
    is here already can be finished.
    """

    def __init__(self, root: Path, *, reserve_bytes: int) -> None:
        self._root = root
        self._reserve_bytes = reserve_bytes
        self._incoming = root / "incoming"
        with _disk_failures():
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folders = {
                folder for shelf in Shelf for folder in _open_shelf(root / shelf)
            }
            _fsync_folder(root)
            _fsync_folder(root.parent)

    @property
    def reserve_bytes(self) -> int:
        """Free space below which nothing new is begun."""
        return self._reserve_bytes

    def begin(self) -> SpoolFile:
        """Open a new file; raises OutOfSpace under the reserve."""
        free = self.free_bytes()
        if free < self._reserve_bytes:
            raise OutOfSpace(
                f"the spool has {free} bytes free and a reserve of "
                f"{self._reserve_bytes}: make room on {self._root}"
            )
        return self._part_file(self._shelve_by_token)

    def keep(self, shelf: Shelf, data: bytes) -> str:
        """Make a small object durable; return its name, relative to the spool.

        The name is the hash of the bytes, so a repeated call changes nothing. The
        reserve does not hold it back: it is there to finish studies.
        """
        name = hashlib.sha256(data).hexdigest()
        part = self._part_file(lambda path, where: self._shelve(path, where, name))
        try:
            part.write(data)
            return part.commit(shelf)
        finally:
            part.discard()

    def path(self, file_name: str) -> Path:
        """Return where a file lies whose name came from this spool."""
        return self._root / file_name

    def set_apart(self, file_name: str, folder: Path) -> Path:
        """Move a file out of the spool, durably, for a person to look at it."""
        path = self.path(file_name)
        place = folder / f"{path.parent.parent.name}-{path.name}"
        with _disk_failures():
            folder.mkdir(mode=0o700, exist_ok=True)
            _fsync_folder(folder.parent)
            path.rename(place)
            _fsync_folder(folder)
            _fsync_folder(path.parent)
        return place

    def remove(self, file_names: Iterable[str]) -> None:
        """Delete files; those that are gone already are no error."""
        with _disk_failures():
            for file_name in file_names:
                self.path(file_name).unlink(missing_ok=True)

    def is_sound(self, file_name: str, size: int, digest: str) -> bool:
        """Whether a file is there and ends with the bytes that were received.

        size, digest : as the `SpoolFile` had them; what stands before is our header.
        """
        try:
            with self.path(file_name).open("rb") as file:
                start = os.fstat(file.fileno()).st_size - size
                if start < 0:
                    return False
                file.seek(start)
                return digests.of_rest(file, digest) == digest
        except OSError:
            return False

    def free_bytes(self) -> int:
        """Return the space that this user may still fill."""
        with _disk_failures():
            return shutil.disk_usage(self._root).free

    def reconcile(
        self, known: Collection[str], before: datetime | None = None
    ) -> Reconciliation:
        """Delete unfinished files and compare the rest with the ledger's `known`.

        Files changed at or after `before` are left out: another process may be at
        work on them. None: nobody is, as when the gateway starts.
        """
        found = self.survey(known, before)
        self.drop_unfinished(before)
        return found

    def drop_unfinished(self, before: datetime | None = None) -> int:
        """Delete files on their way in as `reconcile` does; return how many."""
        with _disk_failures():
            left = list(_settled(self._incoming, before))
            for part in left:
                part.unlink(missing_ok=True)
        return len(left)

    def survey(
        self, known: Collection[str], before: datetime | None = None
    ) -> Reconciliation:
        """Compare as `reconcile` does, and delete nothing."""
        with _disk_failures():
            unfinished = list(_settled(self._incoming, before))
            held = {
                path.relative_to(self._root).as_posix()
                for shelf in Shelf
                for path in _settled(self._root / shelf, before)
            }
            missing = [name for name in known if not self.path(name).is_file()]
        return Reconciliation(
            unfinished=len(unfinished),
            orphans=tuple(sorted(held - set(known))),
            missing=tuple(sorted(missing)),
        )

    def _part_file(self, shelve: Callable[[Path, Shelf], str]) -> SpoolFile:
        part = self._incoming / f"{secrets.token_hex(16)}.part"
        return SpoolFile(part, shelve)

    def _shelve_by_token(self, part: Path, shelf: Shelf) -> str:
        return self._shelve(part, shelf, secrets.token_hex(16))

    def _shelve(self, part: Path, shelf: Shelf, name: str) -> str:
        """Move a synced file to its place and sync its folder; a new one is made."""
        place = self._root / shelf / name[:_PREFIX] / name
        is_new = place.parent not in self._folders
        if is_new:
            place.parent.mkdir(mode=0o700, exist_ok=True)
        part.rename(place)
        pass_failpoint(f"{shelf}:after-rename")
        # Where this fails the file stays, for a name by hash may be known already;
        # `reconcile` removes it where it is not.
        _fsync_folder(place.parent)
        if is_new:  # the journal has it by now: this costs hardly anything
            _fsync_folder(place.parent.parent)
            self._folders.add(place.parent)
        pass_failpoint(f"{shelf}:after-folder-fsync")
        return place.relative_to(self._root).as_posix()


def _open_shelf(shelf: Path) -> list[Path]:
    """Make a shelf, and return the folders in it, which are durable then."""
    shelf.mkdir(mode=0o700, exist_ok=True)
    found = list(shelf.iterdir())
    _fsync_folder(shelf)  # another process may have made some and not synced yet
    return found


@contextmanager
def _disk_failures() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = OutOfSpace if error.errno in _NO_SPACE else SpoolFailure
        raise kind(f"the spool failed: {error}") from error


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _settled(folder: Path, before: datetime | None) -> Iterator[Path]:
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another process was faster
            if not path.is_file():
                continue
            if before is None or path.stat().st_mtime < before.timestamp():
                yield path
