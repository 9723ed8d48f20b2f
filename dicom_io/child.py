"""Child processes that read somebody else's bytes: started here, limited by themselves.

What a child may use is set by its own first act, so a crash or a limit ends the child
and nothing else.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def run_child(
    module: str, arguments: Sequence[str], seconds: float
) -> "subprocess.CompletedProcess[bytes]":
    """Run a module of this package to its end; its standard output is the answer.

    Raises subprocess.TimeoutExpired after `seconds`, when it has been ended.
    """
    return subprocess.run(  # noqa: S603 - our own module, no shell
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # warnings quote values of the patient
        timeout=seconds,
        env=_environment(),
        check=False,
    )


def limit_child(cpu_seconds: int, memory_bytes: int) -> None:
    """Limit this process, which is a child: time, address space, no core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _environment() -> dict[str, str]:
    """Return what the child may know: where its modules are, one thread."""
    return {
        "PYTHONPATH": os.fspath(_ROOT),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
