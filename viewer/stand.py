"""Orthanc and OHIF started together and stopped together."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from viewer.origin import OHIF, Served, running_origin

ORTHANC_SETTINGS = Path(__file__).with_name("orthanc.json")
LOOPBACK = "127.0.0.1"
_START_SECONDS = 30.0


class NotInstalledError(Exception):
    """A program or the files of OHIF are missing; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports on loopback; 0 for `ohif` is any free one."""

    orthanc_http: int = 18042
    orthanc_dicom: int = 14242
    ohif: int = 18080
    gateway: int = 11112


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A running viewer."""

    ports: Ports
    url: str

    def study_url(self, study_instance_uid: str) -> str:
        """Return the address at which a person sees the study."""
        return f"{self.url}/viewer?StudyInstanceUIDs={study_instance_uid}"


@contextmanager
def running_viewer(storage: Path, ports: Ports, ohif: Path = OHIF) -> Iterator[Stand]:
    """Run Orthanc on `storage` and OHIF before it. Raises NotInstalledError."""
    if not (ohif / "index.html").is_file():
        raise NotInstalledError(f"{ohif} has no OHIF: run `make .peers/viewer.stamp`")
    served = Served(ohif=ohif, orthanc_host=LOOPBACK, orthanc_port=ports.orthanc_http)
    with (
        _orthanc(storage, ports),
        running_origin((LOOPBACK, ports.ohif), served) as port,
    ):
        yield Stand(ports=ports, url=f"http://{LOOPBACK}:{port}")


@contextmanager
def _orthanc(storage: Path, ports: Ports) -> Iterator[None]:
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None:
        raise NotInstalledError("Orthanc is missing (Debian: orthanc orthanc-dicomweb)")
    storage.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [program, str(ORTHANC_SETTINGS)],
        env=os.environ | _variables(storage, ports),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, ports)
        yield
    finally:
        process.terminate()
        process.wait(timeout=_START_SECONDS)


def _variables(storage: Path, ports: Ports) -> dict[str, str]:
    return {
        "VIEWER_STORAGE": str(storage.resolve()),
        "VIEWER_HTTP_PORT": str(ports.orthanc_http),
        "VIEWER_DICOM_PORT": str(ports.orthanc_dicom),
        "GATEWAY_PORT": str(ports.gateway),
    }


def _wait_for(process: "subprocess.Popen[bytes]", ports: Ports) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _is_up(ports):
        if process.poll() is not None:
            raise NotInstalledError(
                "Orthanc ended at once: is orthanc-dicomweb installed, and are ports "
                f"{ports.orthanc_http} and {ports.orthanc_dicom} free?"
            )
        if time.monotonic() > deadline:
            raise TimeoutError(f"Orthanc is not up after {_START_SECONDS:.0f} s")
        time.sleep(0.05)


def _is_up(ports: Ports) -> bool:
    url = f"http://{LOOPBACK}:{ports.orthanc_http}/dicom-web/studies"
    try:
        urlopen(url, timeout=5).close()
        socket.create_connection((LOOPBACK, ports.orthanc_dicom), timeout=5).close()
    except (URLError, OSError):
        return False
    return True
