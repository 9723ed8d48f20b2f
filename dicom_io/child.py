"""Child processes that read somebody else's bytes: started here, limited by themselves.

What a child may use is set by its own first act, so a crash or a limit ends the child
and nothing else. Each is a fork of a server (`fork_server`), a process of its own that
has imported the module before: one server for each module, started when first asked,
replaced when it died, and gone when this process is.
"""

import atexit
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from dicom_io.fork_server import REQUEST_BYTES, STATUS

_ROOT = Path(__file__).resolve().parent.parent
_ATTEMPTS = 2
"""A server that was killed is replaced once; the work has no effect but its answer."""
_SHORTEST_WAIT = 0.001


def run_child(
    module: str, arguments: Sequence[str], seconds: float
) -> "subprocess.CompletedProcess[bytes]":
    """Call `main(arguments)` of a module in a child; its standard output is the answer.

    The child has this process's working folder, no input, no environment but paths,
    and no descriptor of this process.

    Raises subprocess.TimeoutExpired after `seconds`, when it has been ended;
    OSError where no child could be started.
    """
    deadline = time.monotonic() + seconds
    for _ in range(_ATTEMPTS):
        try:
            return _ask(module, arguments, deadline)
        except TimeoutError:
            raise subprocess.TimeoutExpired([module, *arguments], seconds) from None
        except ConnectionError:
            continue
    raise ChildProcessError(f"the server of {module} ends as soon as it is asked")


def limit_child(cpu_seconds: int, memory_bytes: int) -> None:
    """Limit this process, which is a child: time, address space, files, no core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (memory_bytes, memory_bytes))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Server:
    """A fork server; it ends when `control` is closed."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket

    def end(self) -> None:
        """End the server, and by that its forks."""
        self.control.close()
        self.process.kill()
        self.process.wait()


class _Servers:
    """The servers of this process, by module. Safe for many threads."""

    def __init__(self) -> None:
        self._running: dict[str, _Server] = {}
        self._lock = threading.Lock()

    def send(self, module: str, descriptors: Sequence[int]) -> _Server:
        """Hand a request to the server of a module, which is started where none is.

        Raises ConnectionError where it has just died; the next call starts another.
        """
        with self._lock:
            if module not in self._running:
                self._running[module] = _start(module)
            server = self._running[module]
            try:
                socket.send_fds(server.control, [b"\0"], descriptors)
            except ConnectionError:
                self._end(module)
                raise
            return server

    def lose(self, module: str, server: _Server) -> None:
        """Bury a server that is gone, unless it has been replaced already."""
        with self._lock:
            if self._running.get(module) is server:
                self._end(module)

    def end(self) -> None:
        """End all servers, with their forks."""
        with self._lock:
            for module in list(self._running):
                self._end(module)

    def _end(self, module: str) -> None:
        if module in self._running:
            self._running.pop(module).end()

    def abandon(self) -> None:
        """Leave the servers to the process that this one was forked from."""
        self._lock = threading.Lock()
        for server in self._running.values():
            server.control.close()
            server.process.returncode = 0  # not ours to wait for
        self._running.clear()


_SERVERS = _Servers()
atexit.register(_SERVERS.end)
os.register_at_fork(after_in_child=_SERVERS.abandon)


def _start(module: str) -> _Server:
    """Start a server by exec: a fork of this process would have its threads' locks."""
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as failed:
        failed.callback(ours.close)
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-P", "-m", "dicom_io.fork_server", module],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # warnings quote values of the patient
            env=_environment(),
            start_new_session=True,  # an interrupt at the terminal is for us
        )
        failed.pop_all()
    return _Server(process=process, control=ours)


def _ask(
    module: str, arguments: Sequence[str], deadline: float
) -> "subprocess.CompletedProcess[bytes]":
    """Have one child run to its end.

    Raises TimeoutError, ConnectionError where the server is gone, and OSError where
    it could not fork. Leaving by any of them ends the child.
    """
    request = json.dumps([os.fspath(Path.cwd()), *arguments]).encode()
    if len(request) > REQUEST_BYTES:
        raise ValueError("the arguments of a child are too long")
    ours, theirs = socket.socketpair()
    with ours, _nameless_file() as answer:
        with theirs:
            ours.sendall(request)
            server = _SERVERS.send(module, [theirs.fileno(), answer])
        try:
            code = _wait(ours, deadline)
        except ConnectionError:
            _SERVERS.lose(module, server)
            raise
        finally:
            _shut(ours)
        stdout = os.pread(answer, os.fstat(answer).st_size, 0)
        return subprocess.CompletedProcess([module, *arguments], code, stdout)


def _wait(status: socket.socket, deadline: float) -> int:
    """Return the exit code of a child. Raises as `_ask`."""
    status.settimeout(max(deadline - time.monotonic(), _SHORTEST_WAIT))
    told = status.recv(STATUS.size)
    if len(told) < STATUS.size:
        raise ConnectionError("the server has gone")
    code, error = STATUS.unpack(told)
    if error:
        raise OSError(error, os.strerror(error))
    return int(code)


def _shut(status: socket.socket) -> None:
    """Let the server know, whoever else was forked and has this socket too."""
    with suppress(OSError):
        status.shutdown(socket.SHUT_RDWR)


@contextmanager
def _nameless_file() -> Iterator[int]:
    """Yield the descriptor of a file in memory, or a temporary one without a name."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("answer")
        try:
            yield descriptor
        finally:
            os.close(descriptor)
        return
    with TemporaryFile() as file:
        yield file.fileno()


def _environment() -> dict[str, str]:
    """Return what the child may know: where its modules are, one thread.

    Large pages, where the C library knows the word: a frame's memory is new in every
    child, and with small pages a quarter of a decoding is page faults.
    """
    return {
        "PYTHONPATH": os.fspath(_ROOT),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    }
