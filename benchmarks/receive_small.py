"""Receiving films: this gateway's listener beside DCMTK's storescp, in one run.

One sender (DCMTK storescu), one association, the same files for both. Ours makes
each instance durable (fsync of file and folder, ledger row with synchronous FULL)
before it answers; storescp promises nothing and only writes. Rounds alternate, the
median counts. Usage: python -m benchmarks.receive_small [instances] [rounds]
"""

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

from config.load import load_settings
from dicom_io.scp.listener import ListenerEvents, open_listener
from gateway.intake import Intake
from gateway.ledger import Ledger
from gateway.matching import role_of_sent
from gateway.site import utc_now
from gateway.spool import Spool

SIDE = 2048
"""Rows and columns: 8 MiB an instance, about what a chest film weighs."""


def main(instances: int, rounds: int) -> int:
    """Measure both, print a line each and the ratio; return the exit code."""
    missing = [name for name in ("storescp", "storescu") if not shutil.which(name)]
    if missing:
        print(f"not measured: {', '.join(missing)} of DCMTK is not installed")
        return 1
    receivers = {"maira-gateway, durable": ours, "storescp, not durable": storescp}
    seconds: dict[str, list[float]] = {name: [] for name in receivers}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            films = make_films(Path(folder, f"films-{number}"), instances)
            for name, receiver in receivers.items():
                spool = Path(folder, f"{number}-{receiver.__name__}")
                with receiver(spool) as port:
                    seconds[name].append(send(films, port))
                require_all(spool, instances)
    report(seconds, instances)
    return 0


def report(seconds: dict[str, list[float]], instances: int) -> None:
    """Print the median of each receiver, and ours against storescp."""
    mebibytes = instances * SIDE * SIDE * 2 / (1 << 20)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.2f} to {max(seconds[name]):.2f} s"
        rate = f"{instances / median:7.1f} instances/s {mebibytes / median:7.0f} MiB/s"
        print(f"{name:<24}{rate}   median {median:.2f} s ({spread})")
    own, other = medians.values()
    print(f"ours takes {own / other:.2f} times as long")


def make_films(folder: Path, count: int) -> Path:
    """Write `count` CR films of random pixels, one study, new UIDs each time."""
    folder.mkdir()
    random = np.random.default_rng(count)
    study, series = generate_uid(), generate_uid()
    for number in range(count):
        ds = Dataset()
        ds.SOPClassUID = ComputedRadiographyImageStorage
        ds.SOPInstanceUID = generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
        ds.PatientID, ds.Modality, ds.InstanceNumber = "BENCH", "CR", number
        ds.Rows = ds.Columns = SIDE
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
        ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.PixelData = random.integers(0, 4096, (SIDE, SIDE), np.uint16).tobytes()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


def send(films: Path, port: int) -> float:
    """Send every film over one association; return the seconds."""
    started = time.monotonic()
    options = ["-aec", "MAIRA_GW", "-aet", "BENCH", "+sd", "+r"]
    subprocess.run(["storescu", *options, "127.0.0.1", str(port), films], check=True)
    return time.monotonic() - started


def require_all(spool: Path, instances: int) -> None:
    """Raise where a receiver did not keep every film."""
    kept = [path for path in spool.rglob("*") if path.stat().st_size > SIDE * SIDE]
    if len(kept) != instances:
        raise RuntimeError(f"{spool.name} kept {len(kept)} of {instances} films")


@contextmanager
def ours(folder: Path) -> Iterator[int]:
    """Run our listener with the intake of `serve`: spool and ledger on disk."""
    folder.mkdir()
    settings = load_settings(
        None,
        {
            "listener": {"host": "127.0.0.1", "port": 0, "require_calling": False},
            "storage": {"folder": str(folder), "reserve_bytes": 0},
        },
    )
    ledger = Ledger.open(settings.ledger_url)
    intake = Intake(
        ledger=ledger,
        spool=Spool(folder / "spool", reserve_bytes=0),
        clock=utc_now,
        role_of=role_of_sent,
    )
    listener = open_listener(settings.local_ae(), (), intake.receive, _unheard())
    try:
        yield listener.port
    finally:
        listener.close()
        ledger.close()


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """Run DCMTK's receiver, which writes as received (bit preserving)."""
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ["-aet", "MAIRA_GW", "+B", "-od", str(folder)]
    with subprocess.Popen(["storescp", *options, str(port)]) as running:
        try:
            _await_port(port)
            yield port
        finally:
            running.terminate()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


def _unheard() -> ListenerEvents:
    return ListenerEvents(
        association_opened=lambda _facts: None,
        association_refused=lambda _facts, _reason: None,
        association_closed=lambda _facts, _counts: None,
        commitment_reported=lambda _report: None,
    )


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(given + [40, 3][len(given) :])))
