"""A gateway at work opens the DICOM port, that of health on loopback, and no other."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.failpoints import VARIABLE
from tests.data.sites import toml_of

LOOPBACK = "0100007F"
"""127.0.0.1 in /proc/net/tcp, on a little-endian machine."""

LISTENS = "0A"
"""TCP_LISTEN in /proc/net/tcp."""


@pytest.fixture
def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, int]]:
    """Run `serve`; yield its process number and the port that it names."""
    monkeypatch.delenv(VARIABLE, raising=False)
    config = tmp_path / "site.toml"
    config.write_text(toml_of(tmp_path / "data", {}), "utf-8")
    command = [sys.executable, "-m", "gateway", "--config", str(config), "serve"]
    command += ["--role", "listener,scheduler,web"]  # a worker has no port
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline().rpartition(" ")[2])
        finally:
            process.terminate()
            process.wait(60)


def listening(pid: int) -> list[tuple[str, int]]:
    """Return address and port of each listening TCP socket of a process."""
    held = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    return [
        (fields[1].rpartition(":")[0], int(fields[1].rpartition(":")[2], 16))
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        if (fields := line.split())[3] == LISTENS and f"socket:[{fields[9]}]" in held
    ]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's /proc")
def test_the_dicom_port_and_the_port_of_health_listen(
    served: tuple[int, int],
) -> None:
    pid, port = served
    held = listening(pid)
    assert {number for _, number in held} > {port}
    others = [where for where in held if where[1] != port]
    assert [address for address, _ in others] == [LOOPBACK]
