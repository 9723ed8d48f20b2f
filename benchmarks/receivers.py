"""The storage receivers that are measured, each a process of its own.

Run as `python -m benchmarks.receivers KIND PORT FOLDER` it is one of ours, or
pynetdicom as its documentation shows it.
"""

import gc
import json
import os
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pynetdicom import (
    AE,
    ALL_TRANSFER_SYNTAXES,
    AllStoragePresentationContexts,
    evt,
)

from config.load import load_settings
from dicom_io.ae import AETitle, LocalAE
from dicom_io.part10 import part10_header
from dicom_io.scp.listener import ListenerEvents, open_listener
from dicom_io.sink import Sink, StoreFacts
from dicom_io.status import Status
from gateway.ledger import Ledger
from gateway.receiving.intake import Intake
from gateway.receiving.matching import role_of_sent
from gateway.site import utc_now
from gateway.spool import Spool

TITLE = "BENCH"
CLASS_UID = b"1.2.840.10008.5.1.4.1.1.1.1"
SYNTAX_UID = b"1.2.840.10008.1.2.1"

_OBJECT_BYTES = 100_000
"""Every object is larger, and every file beside the objects is smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """How a receiver is started; `program`: what must be installed.

    part : the part of the objects that it gets, at least one for each association. Who
    takes seconds where others take a tenth has as steady a rate from fewer of them.
    """

    program: str
    command: Callable[[int, Path], list[str]]
    part: float = 1.0

    def is_present(self) -> bool:
        """Whether it can be run here."""
        return shutil.which(self.program, path=_path()) is not None

    def objects(self, all_of_them: int, associations: int) -> int:
        """Return how many of the objects it gets over so many associations."""
        return max(int(all_of_them * self.part), min(associations, all_of_them))

    def arrived(self, folder: Path) -> int:
        """Count the objects in its folder."""
        return sum(
            path.stat().st_size > _OBJECT_BYTES and "sqlite" not in path.name
            for path in folder.rglob("*")
            if path.is_file()
        )


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin"


def _of_python(kind: str, part: float = 1.0) -> Receiver:
    def command(port: int, folder: Path) -> list[str]:
        here = [sys.executable, "-m", "benchmarks.receivers"]
        return [*here, kind, str(port), str(folder)]

    return Receiver(program=sys.executable, command=command, part=part)


def _storescp(port: int, folder: Path) -> list[str]:
    options = ["+B", "--fork", "-pdu", "131072", "-od", str(folder)]
    return ["storescp", *options, str(port)]


def _orthanc(port: int, folder: Path) -> list[str]:
    settings = {
        "Name": "bench",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpServerEnabled": False,
        "DicomPort": port,
        "DicomAet": TITLE,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "MaximumPduLength": 131072,
        "Plugins": [],
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(settings))
    return [shutil.which("Orthanc", path=_path()) or "Orthanc", str(path)]


RECEIVERS = {
    "ours": _of_python("ours"),
    "ours, durable": _of_python("durable"),
    "storescp, tuned": Receiver(program="storescp", command=_storescp),
    "pynetdicom": _of_python("pynetdicom", part=0.25),
    "Orthanc": Receiver(program="Orthanc", command=_orthanc, part=0.25),
}


class _Written:
    """An instance as a file, with no promise: what storescp gives."""

    def __init__(self, folder: Path, head: bytes) -> None:
        self._part = folder / f"{secrets.token_hex(16)}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._descriptor = os.open(self._part, flags, 0o600)
        os.write(self._descriptor, head)

    def write(self, data: bytes | memoryview) -> None:
        self.write_pieces([data])

    def write_pieces(self, pieces: Sequence[bytes | memoryview]) -> None:
        written = os.writev(self._descriptor, pieces)
        if written != sum(map(len, pieces)):
            raise OSError("short write")

    def commit(self) -> Status:
        os.close(self._descriptor)
        self._part.rename(self._part.with_suffix(".dcm"))
        return Status.SUCCESS

    def discard(self) -> None:
        os.close(self._descriptor)
        self._part.unlink()


def _serve_ours(port: int, folder: Path, *, durable: bool) -> None:
    local = LocalAE(
        title=AETitle(TITLE),
        host="127.0.0.1",
        port=port,
        require_calling=False,
        max_associations=64,
        max_per_address=64,
        reserved_for_peers=0,
        max_instance_bytes=4 << 30,
    )
    sink = _durable(folder) if durable else lambda facts: _written(folder, facts)
    open_listener(local, (), sink, _unheard())
    gc.collect()
    gc.freeze()  # as `maira-gateway serve` does
    threading.Event().wait()


def _written(folder: Path, facts: StoreFacts) -> _Written:
    return _Written(folder, part10_header(facts))


def _durable(folder: Path) -> Sink:
    settings = load_settings(
        None,
        {
            "listener": {"host": "127.0.0.1", "port": 0, "require_calling": False},
            "storage": {"folder": str(folder), "reserve_bytes": 0},
        },
    )
    return Intake(
        ledger=Ledger.open(settings.ledger_url),
        spool=Spool(folder / "spool", reserve_bytes=0),
        clock=utc_now,
        role_of=role_of_sent,
    ).receive


def _unheard() -> ListenerEvents:
    return ListenerEvents(
        association_opened=lambda _facts: None,
        association_refused=lambda _facts, _why: None,
        association_closed=lambda _facts, _counts: None,
        commitment_reported=lambda _report: None,
    )


def _serve_pynetdicom(port: int, folder: Path) -> None:
    def store(event: evt.Event) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        ds.save_as(folder / f"{ds.SOPInstanceUID}.dcm", enforce_file_format=True)
        return 0

    ae = AE(TITLE)
    ae.maximum_associations = 200
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(context.abstract_syntax or "", ALL_TRANSFER_SYNTAXES)
    ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, store)])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    kind, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    with suppress(KeyboardInterrupt):
        if kind == "pynetdicom":
            _serve_pynetdicom(port, folder)
        else:
            _serve_ours(port, folder, durable=kind == "durable")
