"""Who may work in a storage folder at one time, and which processes live there.

Locks of the kernel: each ends with its process, however that ends.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import NotReady

_PROCESSES = "processes"


@contextmanager
def hold_folder(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Keep any other gateway out of a storage folder; raises `NotReady`.

    shared : let those in that share it as well, as processes of some roles do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotReady(f"another gateway works in {folder}: stop it") from error
        yield


@contextmanager
def hold_life(folder: Path, token: str) -> Iterator[None]:
    """Let other processes of this machine see that this one lives.

    token : names it among them, in characters that a file name may have.
    """
    (folder / _PROCESSES).mkdir(exist_ok=True)
    path = folder / _PROCESSES / token
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def is_over(folder: Path, token: str) -> bool:
    """Whether a process that held its life on this machine has ended."""
    path = folder / _PROCESSES / token
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


def forget_life(folder: Path, token: str) -> None:
    """Remove what a process left that has ended."""
    (folder / _PROCESSES / token).unlink(missing_ok=True)
