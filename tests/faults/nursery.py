"""Gateways as processes of their own that cost a fork: the libraries are loaded once.

`python -m tests.faults.nursery` loads them and waits. Each request comes over its
standard input, a Unix socket, as a line of JSON with the descriptor of a pipe; the
gateway that is forked writes its port there and holds the pipe until it ends, however
it ends. The engine has given answers; everything else is what `serve` runs.
"""

import json
import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from io import FileIO
from pathlib import Path
from select import select
from typing import Never

from config.load import Table
from dicom_io import child
from dicom_io.pictures.pixels import _CHILD as DECODER
from dicom_io.results import apart
from dicom_io.results.encode import encode_results
from gateway.failpoints import VARIABLE
from gateway.running import retention
from gateway.running.composition import NoEngine, open_site
from gateway.running.job_leases import IsOver, JobLeases
from gateway.running.process_roles import ALL_ROLES, ProcessRole, parse_roles, words_of
from gateway.running.serve import Gateway
from gateway.running.signals import StopSignals
from gateway.site import Site, utc_now
from gateway.web.app import demand_declared
from tests.data.engines import CannedEngine
from tests.data.reports import context, evidence, film_file
from tests.data.reports import report as a_report
from tests.data.sites import site_settings

LOGGER = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
REQUEST_BYTES = 1 << 16
PATIENCE = 600.0
"""Seconds that a gateway may take to start or to stop, on a machine that is busy."""
PURGING = "purging"
"""A gateway in this mode purges all that is finished, over and over."""
TELLING = "telling"
"""A gateway in this mode writes into `JOBS` when it begins and ends a recurring job."""
JOBS = "jobs"


class Stuck(Exception):  # noqa: N818 - says what it is
    """A gateway did not start, or end, in the time that was given; it was killed."""


@dataclass
class Child:
    """A gateway that was started; no two threads may wait for it."""

    pid: int
    nursery: "Nursery"
    report: FileIO
    status: int | None = None

    @cached_property
    def port(self) -> int | None:
        """Wait for the port; None where it died before it had one."""
        self._demand_word(PATIENCE, "started")
        line = self.report.readline()
        return int(line) if line else None

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; raises Stuck."""
        if self.status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
        return self.wait()

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for the end; return the exit code, negative for a signal.

        Raises Stuck where it does not end by itself in so many seconds.
        """
        if self.status is None:
            if self.port is not None:
                self._demand_word(seconds, "ended")  # there is no word but the end
            self._reap()
        assert self.status is not None
        return self.status

    def has_ended(self, seconds: float) -> bool:
        """Whether it ends by itself in so many seconds after it has its port."""
        is_open = self.status is None and self.port is not None
        return not is_open or bool(select([self.report], [], [], seconds)[0])

    def _demand_word(self, seconds: float, what: str) -> None:
        if not select([self.report], [], [], seconds)[0]:
            os.kill(self.pid, signal.SIGKILL)
            self._reap()
            raise Stuck(f"gateway {self.pid} had not {what} after {seconds:g} s")

    def _reap(self) -> None:
        self.report.close()
        self.status = self.nursery.reap(self.pid)


class Nursery:
    """The process that has the libraries and forks gateways."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        self._control = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
            )
        self._answers = ours.makefile("r")
        self._lock = threading.Lock()

    def start(
        self,
        folder: Path,
        overrides: Table,
        kill_at: str = "",
        mode: str = "",
        roles: str = words_of(ALL_ROLES),
    ) -> Child:
        """Start a gateway on a folder, which its parent makes.

        The port of one that is no listener is that of its pages of health.
        """
        reading, writing = os.pipe()
        request = {
            "folder": str(folder),
            "overrides": overrides,
            "kill_at": kill_at,
            "mode": mode,
            "roles": roles,
        }
        try:
            pid = self._ask(request, writing)
        finally:
            os.close(writing)
        return Child(pid=pid, nursery=self, report=FileIO(reading, "rb"))

    def reap(self, pid: int) -> int:
        """Return the exit code of a gateway that has ended or is about to."""
        return self._ask({"reap": pid}, None)

    def close(self) -> None:
        """End the nursery and every gateway of it."""
        self._control.shutdown(socket.SHUT_RDWR)  # whoever else has a copy of it
        self._answers.close()
        self._control.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(60)
            raise

    def _ask(self, request: Mapping[str, object], descriptor: int | None) -> int:
        line = json.dumps(request).encode()
        with self._lock:
            fds = [] if descriptor is None else [descriptor]
            socket.send_fds(self._control, [line], fds)
            return int(self._answers.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Run a nursery for the length of a with block."""
    opened = Nursery()
    try:
        yield opened
    finally:
        opened.close()


def _serve_requests(control: socket.socket) -> None:
    """Fork a gateway a request; end with whoever asks, and all gateways with it."""
    decoder = _shared_decoder()
    _warm_encoders()
    demand_declared()
    alive: set[int] = set()
    while True:
        line, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, 1)
        if not line:
            break
        request = json.loads(line)
        if "reap" in request:
            _, status = os.waitpid(request["reap"], 0)
            alive.discard(request["reap"])
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                control.close()
                _become_gateway(request, descriptors[0], decoder)
            alive.add(answer)
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(f"{answer}\n".encode())
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _shared_decoder() -> tuple["subprocess.Popen[bytes]", int]:
    """Start the server that forks decoders, for all gateways together.

    A killed gateway's own would have to load its libraries again each time.
    """
    server = child._start(DECODER)
    return server.process, server.control.detach()


def _warm_encoders() -> None:
    """Make the objects of a report once: highdicom reads its tables the first time."""
    with tempfile.TemporaryDirectory() as folder:
        encode_results(film_file(Path(folder)), a_report(), evidence(), context())


def _forked_encoders(report: int) -> ProcessPoolExecutor:
    """Return the processes that make result objects, forked while there are no threads.

    Those that a gateway starts by exec load libraries for seconds of CPU; a killed
    gateway's successor would each time.
    """
    pool = ProcessPoolExecutor(
        apart._PROCESSES,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_become_encoder,
        initargs=(report,),
    )
    pool.submit(int).result()
    return pool


def _become_encoder(report: int) -> None:
    os.close(report)  # only the gateway's end may end it
    apart._end_with_parent()


def _become_gateway(
    request: Mapping[str, str],
    report: int,
    decoder: tuple["subprocess.Popen[bytes]", int],
) -> Never:
    code = 1
    try:
        os.environ[VARIABLE] = request["kill_at"]
        process, control = decoder
        child._SERVERS._running[DECODER] = child._Server(
            process=process, control=socket.socket(fileno=control)
        )
        if ProcessRole.WORKER in parse_roles(request["roles"]):
            apart._ENCODERS._pool = _forked_encoders(report)
        _run_gateway(request, report)
        code = 0
    except BaseException:  # a process of its own: the log has it
        LOGGER.exception("the gateway failed")
        raise
    finally:
        os._exit(code)


def _run_gateway(request: Mapping[str, str], report: int) -> None:
    folder, overrides = Path(request["folder"]), request["overrides"]
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=folder / "log",
        level=logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(name)s %(message)s",
    )
    settings = site_settings(folder, overrides)  # type: ignore[arg-type]
    signals = StopSignals()
    roles = parse_roles(request["roles"])
    if request["mode"] == TELLING:
        _tell_of_jobs(folder / JOBS)
    engine = CannedEngine() if ProcessRole.WORKER in roles else NoEngine()
    with Gateway(open_site(settings, engine), roles=roles) as gateway:
        is_listener = ProcessRole.LISTENER in roles
        port = gateway.port if is_listener else gateway.web_port
        os.write(report, f"{port}\n".encode())
        while not signals.is_stopping():
            if request["mode"] == PURGING:
                _purge(gateway.site)
            time.sleep(0.05)


def _tell_of_jobs(path: Path) -> None:
    """Write a line at the beginning and the end of each recurring job."""
    do, lines = JobLeases.do, path.open("a", buffering=1)

    def tell(what: str, name: str) -> None:
        lines.write(f"{what} {name} {os.getpid()} {time.monotonic()}\n")

    def told_of(self: JobLeases, name: str, job: Callable[[IsOver], object]) -> bool:
        def work(is_over: IsOver) -> None:
            tell("begin", name)
            try:
                job(is_over)
            finally:
                tell("end", name)

        return do(self, name, work)

    JobLeases.do = told_of  # type: ignore[method-assign]


def _purge(site: Site) -> None:
    later = replace(site, clock=lambda: utc_now() + timedelta(days=10_000))
    retention.purge(later)


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as asking:
        _serve_requests(asking)
