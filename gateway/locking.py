"""One process at a time in a storage folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import NotReady


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Keep any other gateway out of a storage folder; raises `NotReady`.

    The lock is the process's: it ends with it, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotReady(f"another gateway works in {folder}: stop it") from error
        yield
