"""A child for the tests of `dicom_io.child`: it does what its arguments say."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from dicom_io.child import limit_child


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value))


def answer(*words: str) -> None:
    _say(words)


def surroundings() -> None:
    """Say what the child has of the world."""
    _say(
        {
            "pid": os.getpid(),
            "server": os.getppid(),
            "folder": os.getcwd(),  # noqa: PTH109 - as it is, unresolved
            "environment": sorted(os.environ),
            "descriptors": sorted(os.listdir("/proc/self/fd")),  # noqa: PTH208
            "threads": threading.active_count(),
        }
    )


def crash() -> None:
    sys.stdout.write("half an answ")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGSEGV)


def fail() -> None:
    raise RuntimeError("as a broken decoder does")


def eat(mebibytes: str) -> None:
    limit_child(10, 256 << 20)
    try:
        bytearray(int(mebibytes) << 20)
    except MemoryError:
        _say("limited")
        return
    _say("eaten")


def burn() -> None:
    limit_child(1, 1 << 30)
    while True:
        pass


def pour(mebibytes: str) -> None:
    """Write more than the limit on a file."""
    limit_child(10, 256 << 20)
    for _ in range(int(mebibytes)):
        os.write(1, bytes(1 << 20))


def wait(path: str) -> None:
    """Leave a process identifier in `path`, then wait for ever."""
    with open(f"{path}.part", "w") as file:  # noqa: PTH123
        file.write(str(os.getpid()))
    os.rename(f"{path}.part", path)  # noqa: PTH104
    while True:
        time.sleep(1)


_DOING: dict[str, Callable[..., None]] = {
    call.__name__: call
    for call in (answer, surroundings, crash, fail, eat, burn, pour, wait)
}


def main(arguments: list[str]) -> None:
    _DOING[arguments[0]](*arguments[1:])
