"""A cluster of Ray with several nodes on this machine, in a process of its own.

`python -m tests.data.ray_nodes FOLDER` starts a head without CPUs for replicas and then
does what a line of its input says: "add", "kill NUMBER" (a node, all at once), "end".
Each line is answered by one of JSON. Whatever of the cluster is left without a parent
becomes its child, so that in the end it can end all of it.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from tests.data.peers import absent

ROOT = Path(__file__).parents[2]
HEAD = "127.0.0.2"
"""Not 127.0.0.1: Ray takes that for the address that the machine has elsewhere."""
CPUS_OF_A_NODE = 2
_STORE_BYTES = 100 << 20
Started = TypeVar("Started")
_REPLICA = "ray::ServeReplica"
_ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""
_END_SECONDS = 60.0
_TRIES = 6


def require_ray() -> None:
    """Skip or fail where Ray is not installed, as for any peer."""
    if find_spec("ray") is None:
        absent("ray is not installed: pip install '.[ray]'")


def load_ray() -> None:
    """Import Ray Serve into this process, with what it warns itself of."""
    require_ray()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("model.engines.rayserve.deploying")


def quiet_environment() -> dict[str, str]:
    """Return what keeps Ray from sending statistics and replicas from standing back."""
    return {
        **os.environ,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "PYTHONPATH": str(ROOT),
    }


@dataclass
class Nodes:
    """The cluster, as a test holds it."""

    folder: Path
    _process: "subprocess.Popen[str]"
    address: str = ""
    known: list[int] = field(default_factory=list)

    def tell(self, line: str) -> str:
        """Have a line done; return what came of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> str:
        """Return what came of the last line, or of the start."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, f"the cluster's process ended: {self.log()[-2000:]}"
        return str(json.loads(said))

    def add(self) -> int:
        """Add a node; return its number."""
        number = int(self.tell("add"))
        self.known.append(number)
        return number

    def kill(self, number: int) -> None:
        """Kill a node with all that runs on it."""
        self.tell(f"kill {number}")
        self.known.remove(number)

    def replicas(self) -> list[int]:
        """Return the numbers of the processes of replicas."""
        return sorted(
            number
            for number in descendants(self._process.pid)
            if _command(number).startswith(_REPLICA)
        )

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")


@contextmanager
def running_nodes(count: int) -> Iterator[Nodes]:
    """Run a cluster of a head and so many nodes; nothing of it is left in the end."""
    with tempfile.TemporaryDirectory(prefix="nodes") as name:  # sockets: a short name
        folder = Path(name)
        (folder / "ray").mkdir()  # where Ray writes which cluster is the current one
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.data.ray_nodes", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=quiet_environment() | {"RAY_TMPDIR": name},
                cwd=ROOT,
            )
        nodes = Nodes(folder, process)
        try:
            nodes.address = nodes.hear()
            for _ in range(count):
                nodes.add()
            yield nodes
        finally:
            with suppress(AssertionError, OSError):
                nodes.tell("end")
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):  # it ended by itself
                process.stdin.close()
            process.stdout.close()
            assert process.wait(_END_SECONDS) == 0, "processes of Ray are left"


def descendants(root: int) -> set[int]:
    """Return the numbers of all processes below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                stat = (entry / "stat").read_text("ascii", "replace")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {root}
    while more := {n for n, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root}


def _command(number: int) -> str:
    try:
        return Path(f"/proc/{number}/cmdline").read_text("utf-8", "replace")
    except OSError:
        return ""


def main(folder: str) -> None:
    """Start the cluster and do what the input says, line by line."""
    ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    say = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        made = _Made(folder)
        print(json.dumps(made.cluster.address), file=say)
        for line in sys.stdin:
            if line.strip() == "end":
                break
            print(json.dumps(made.do(line.split())), file=say)
    finally:
        left = _end_all()
        with suppress(OSError):
            print(json.dumps("ended"), file=say)
        os._exit(len(left))  # Ray's own ways to end wait for what is gone


class _Made:
    """The cluster and its nodes, in the process that holds them."""

    def __init__(self, folder: str) -> None:
        # Imported here: the tests that hold this process need no ray.
        from ray.cluster_utils import Cluster

        small = _small(folder)
        head = {"num_cpus": 0, "node_ip_address": HEAD, "no_monitor": True}
        self.cluster: Any = _patiently(
            lambda: Cluster(initialize_head=True, head_node_args={**small, **head})
        )
        self._small = {
            **small,
            "num_cpus": CPUS_OF_A_NODE,
            "node_ip_address": HEAD,
        }
        self._nodes: dict[int, Any] = {}
        self._count = 0

    def do(self, words: list[str]) -> object:
        """Do what a line says."""
        match words:
            case ["add"]:
                self._count += 1
                added = _patiently(lambda: self.cluster.add_node(**self._small))
                self._nodes[self._count] = added
                return self._count
            case ["kill", number]:
                node = self._nodes.pop(int(number))
                self.cluster.remove_node(node, allow_graceful=False)
                return number
            case _:
                raise SystemExit(f"what is {words}?")


def _small(folder: str) -> dict[str, object]:
    return {
        "object_store_memory": _STORE_BYTES,
        "include_dashboard": False,
        "include_log_monitor": False,
        "dashboard_agent_listen_port": 0,  # any: several clusters on one machine
        "temp_dir": folder,
    }


def _patiently(start: Callable[[], Started]) -> Started:
    """Start again what Ray gave up: it waits 30 s, on however busy a machine."""
    before = descendants(os.getpid())
    for _ in range(_TRIES - 1):
        try:
            return start()
        except Exception as error:  # noqa: BLE001 - Ray raises no less
            sys.stderr.write(f"not started in time: {error}\n")
            for number in descendants(os.getpid()) - before:
                os.kill(number, signal.SIGKILL)
    return start()


def _end_all() -> set[int]:
    """Kill all that is below this process; return what is left of it."""
    until = time.monotonic() + _END_SECONDS
    while (left := descendants(os.getpid())) and time.monotonic() < until:
        for number in left:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)
    return left


if __name__ == "__main__":
    main(sys.argv[1])
