"""Other people's programs on loopback: DCMTK and Orthanc, and the films they send."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.request import urlopen

import pytest

from benchmarks.rounds import free_port

_REPOSITORY = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05


def require_peer(name: str) -> str:
    """Return the program's path; skip where it is absent, fail where it must not be."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return found or absent(f"{name} is not installed")


def require_jar(name: str) -> Path:
    """Return a Java library of Debian's; skip or fail as for a program."""
    path = Path("/usr/share/java") / f"{name}.jar"
    return path if path.exists() else absent(f"{path} does not exist")


def require_file(path: Path, advice: str) -> Path:
    """Return a file that an installation brings; skip or fail as for a program."""
    return path if path.exists() else absent(f"{path} does not exist: {advice}")


def require_data(folder: str = "dicom") -> Path:
    """Return a folder of the shared radiographs, which MAIRA_DATA may name."""
    default = _REPOSITORY.parent / "shared" / "data"
    path = Path(os.environ.get("MAIRA_DATA", default)) / folder
    return path if path.is_dir() else absent(f"{path} does not exist")


def absent(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(f"REQUIRE_PEERS=1, but {reason}")
    pytest.skip(reason)


def run_peer(name: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a DCMTK program to its end."""
    command = [require_peer(name), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `condition` holds; fail when it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(_POLL_SECONDS)


def answers_tcp(port: int) -> bool:
    """Whether somebody accepts connections on `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def process_of(command: list[str], ready: Callable[[], bool]) -> Iterator[None]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(ready, _START_SECONDS, f"{command[0]} is up")
        yield
    finally:
        process.terminate()
        process.wait(timeout=_START_SECONDS)


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[int]:
    """Run DCMTK's storage SCP on `folder`; yields its port.

    DCMTK leaves Nagle's algorithm on, and each answer late, unless it is told.
    """
    port = free_port()
    program = ["env", "TCP_NODELAY=1", require_peer("storescp")]
    command = [*program, *options, "-od", str(folder), str(port)]
    with process_of(command, lambda: answers_tcp(port)):
        yield port


@contextmanager
def dcmqrscp(folder: Path, title: str, destination: int) -> Iterator[int]:
    """Run DCMTK's archive, QRSCP, empty; yields its port.

    It knows one node to move to: `title` at the loopback port `destination`.
    """
    port, storage = free_port(), folder / "QRSCP"
    storage.mkdir()
    settings = folder / "dcmqrscp.cfg"
    settings.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nwe = ({title}, 127.0.0.1, {destination})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nQRSCP {storage} RW (100, 1024mb) ANY\nAETable END\n"
    )
    command = [require_peer("dcmqrscp"), "-c", str(settings)]
    with process_of(command, lambda: answers_tcp(port)):
        yield port


@dataclass(frozen=True, slots=True, kw_only=True)
class Orthanc:
    """A running Orthanc."""

    title: str
    port: int
    http_port: int

    @property
    def web_url(self) -> str:
        """Root of its DICOMweb services, if it has the plugin."""
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def get(self, path: str) -> object:
        """Read a REST resource as JSON."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        with urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def content(self, path: str) -> bytes:
        """Read a REST resource as bytes."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        with urlopen(url, timeout=10) as answer:
            return bytes(answer.read())

    def is_up(self) -> bool:
        """Whether both of its ports answer."""
        with suppress(OSError):
            self.get("/system")
            return answers_tcp(self.port)
        return False


DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def require_dicomweb() -> Path:
    """Return Orthanc's DICOMweb plugin; skip or fail as for a program."""
    return DICOMWEB if DICOMWEB.exists() else absent(f"{DICOMWEB} does not exist")


@contextmanager
def orthanc(
    folder: Path, modalities: Mapping[str, int], plugins: Sequence[Path] = ()
) -> Iterator[Orthanc]:
    """Run an empty Orthanc that knows `modalities`, AE titles and loopback ports."""
    peer = Orthanc(title="ORTHANC", port=free_port(), http_port=free_port())
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": peer.http_port,
        "DicomPort": peer.port,
        "DicomAet": peer.title,
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(plugin) for plugin in plugins],
        "DicomModalities": {
            title: {
                "AET": title,
                "Host": "127.0.0.1",
                "Port": port,
                "AllowStorageCommitment": True,
            }
            for title, port in modalities.items()
        },
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    with process_of([require_peer("Orthanc"), str(file)], peer.is_up):
        yield peer
