"""A child process that speaks the wire, as its parent sees it."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from model.engines.wire import PREFIX, Message, decode, split_prefix

_ROOT = Path(__file__).resolve().parents[2]
_SECRETS = "MAIRA_GATEWAY_"
_CHUNK_BYTES = 1 << 16
_LAST_SECONDS = 5.0
"""A child that has closed its output has so long to end by itself."""


class Child:
    """One child from its start to its end.

    `messages` is read by one thread; `send` and `end` may be called by others.
    """

    def __init__(self, command: Sequence[str], silence_seconds: float) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the gateway, which ends us
        )
        self._silence_seconds = silence_seconds
        self._reason: str | None = None
        self._writing = threading.Lock()

    @property
    def process_id(self) -> int:
        """Its number in the system."""
        return self._process.pid

    def messages(self) -> Iterator[Message]:
        """Yield what the child says, until it ends.

        Raises `BadFrame` for what is no message and `TimeoutError` for silence.
        """
        while prefix := self._read(PREFIX.size):
            header, body = split_prefix(prefix)
            yield decode(prefix + self._read(header + body))

    def send(self, frame: bytes) -> None:
        """Send a frame; a child that is gone is noticed by who reads from it."""
        left = memoryview(frame)
        with self._writing, suppress(BrokenPipeError, ValueError):
            while left:
                left = left[_stream(self._process.stdin).write(left) :]

    def end(self, reason: str) -> None:
        """Kill the child; the first reason given stands."""
        self._reason = self._reason or reason
        self._process.kill()

    def bury(self) -> str:
        """Wait for the end, close the pipes and return why it ended."""
        try:
            code = self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.end("it closed its output and went on")
            code = self._process.wait()
        with self._writing:
            _stream(self._process.stdin).close()
        _stream(self._process.stdout).close()
        return self._reason or describe_end(code)

    def _read(self, count: int) -> bytes:
        """Return `count` bytes, fewer where the child ended."""
        found = bytearray()
        stream = _stream(self._process.stdout)
        while len(found) < count:
            self._await_output(stream.fileno())
            chunk = os.read(stream.fileno(), min(count - len(found), _CHUNK_BYTES))
            if not chunk:
                break
            found += chunk
        return bytes(found)

    def _await_output(self, descriptor: int) -> None:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        if not waiting.poll(self._silence_seconds * 1000):
            raise TimeoutError(f"it was silent for {self._silence_seconds:g} s")


def describe_end(code: int) -> str:
    """Say how a process ended, by the code that `subprocess` gives."""
    if code >= 0:
        return f"it ended with exit code {code}"
    if -code == signal.SIGKILL:
        return "it was killed by SIGKILL, probably because memory ran out"
    known = {each.value: each.name for each in signal.Signals}
    return f"it was killed by {known.get(-code, f'signal {-code}')}"


def our_interpreter(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of ours in a fresh interpreter."""
    return (sys.executable, "-P", "-m", module, *arguments)


def _stream(pipe: IO[bytes] | None) -> IO[bytes]:
    return cast("IO[bytes]", pipe)


def _environment() -> dict[str, str]:
    """Return our own environment without the gateway's secrets."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_SECRETS)}
    return {**kept, "PYTHONPATH": os.fspath(_ROOT)}
