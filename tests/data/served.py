"""`serve` as a process of its own, from the command line."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(
    config: Path, *options: str, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run `serve` for the length of a with block; then it is killed if it lives."""
    command = [sys.executable, "-m", "gateway", "--config", str(config), "serve"]
    process = subprocess.Popen(
        [*command, *options], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line that `serve` prints; it waits for one."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
