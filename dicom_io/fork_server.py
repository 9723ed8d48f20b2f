"""The process that forks the children which read somebody else's bytes.

Started by `child` as `python -m dicom_io.fork_server <module>`. It imports the module
once; each request is then a fork that costs milliseconds, where
a new interpreter with its imports costs half a second. It reads no foreign byte itself
and has one thread, so a fork has every lock free.

A request is a byte on standard input, which is a Unix socket, with two descriptors:

status   a socket. The request's folder and arguments lie in it already; the exit code
         and the error number of a failed fork go back. Closed by the caller before
         that, it ends the fork.
answer   a file, the standard output of the fork.

End of input ends the forks and the server: it cannot outlive its caller.
"""

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Never

STATUS = struct.Struct("!ii")
"""The exit code, negative for a signal; the errno of a fork that failed, else 0."""
REQUEST_BYTES = 1 << 14
_HIGHEST_DESCRIPTOR = 1 << 20
_PR_SET_PDEATHSIG = 1

Main = Callable[[list[str]], None]
"""What a module of children has as its `main`: the arguments are all that it gets."""


class ForkServer:
    """Answers the requests of `control` with forks that run `main`."""

    def __init__(self, control: socket.socket, main: Main) -> None:
        self._control = control
        self._main = main
        self._forks: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._accept)
        self._is_wanted = True

    def run(self) -> None:
        """Serve until the caller is gone; then end what still runs."""
        self._selector.register(_deaths(), selectors.EVENT_READ, self._reap)
        while self._is_wanted:
            for key, _ in self._selector.select():
                key.data(key.fileobj)
        for pid in self._forks:
            os.kill(pid, signal.SIGKILL)

    def _accept(self, control: socket.socket) -> None:
        byte, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        self._is_wanted = bool(byte)
        if len(descriptors) != 2:  # none at the end, fewer where there is no room
            _close(descriptors)
            return
        status, answer = socket.socket(fileno=descriptors[0]), descriptors[1]
        try:
            self._fork(status, answer)
        except OSError as error:
            _tell(status, 0, error.errno or 0)
        finally:
            os.close(answer)

    def _fork(self, status: socket.socket, answer: int) -> None:
        folder, *arguments = json.loads(status.recv(REQUEST_BYTES))
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(server, answer, folder, arguments)
        self._forks[pid] = status
        self._selector.register(status, selectors.EVENT_READ, self._end)

    def _become_child(
        self, server: int, answer: int, folder: str, arguments: list[str]
    ) -> Never:
        """Run `main` with no descriptor but the standard ones; never return."""
        code = 1
        try:
            _end_with(server)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(answer, 1)
            os.closerange(3, _HIGHEST_DESCRIPTOR)
            os.chdir(folder)
            self._main(arguments)
            sys.stdout.flush()
            code = 0
        finally:
            # At once: what the server would do at its end is not the child's.
            os._exit(code)

    def _end(self, status: socket.socket) -> None:
        """Kill the fork whose caller does not wait for it any longer."""
        for pid, other in self._forks.items():
            if other is status:
                os.kill(pid, signal.SIGKILL)
                self._selector.unregister(status)

    def _reap(self, deaths: socket.socket) -> None:
        deaths.recv(REQUEST_BYTES)
        while self._forks:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            status = self._forks.pop(pid)
            if status in self._selector.get_map():
                self._selector.unregister(status)
            _tell(status, os.waitstatus_to_exitcode(wait_status), 0)


def _deaths() -> socket.socket:
    """Return a socket that has a byte for each child that ended."""
    reading, writing = socket.socketpair()
    writing.settimeout(0)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reading


def _tell(status: socket.socket, code: int, error: int) -> None:
    """Answer a request, if anybody still waits."""
    with status:
        try:
            status.send(STATUS.pack(code, error), socket.MSG_DONTWAIT)
        except OSError:
            return


def _end_with(server: int) -> None:
    """Let the kernel kill this process when the server is killed (Linux alone)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def main(module: str) -> None:
    """Import what the children need, then serve."""
    control = socket.socket(fileno=os.dup(0))
    os.dup2(1, 0)  # /dev/null: a child has nothing to read
    children: Main = import_module(module).main
    # What is there now lives on; its pages need not be copied to be counted.
    gc.collect()
    gc.freeze()
    ForkServer(control, children).run()


if __name__ == "__main__":
    main(sys.argv[1])
