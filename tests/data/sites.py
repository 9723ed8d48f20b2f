"""Gateways with a folder, peers and an engine of their own, for the tests."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from config.load import Table, load_settings, merge
from config.settings import Settings
from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.scu.commitment import request_commitment
from gateway.ledger import DeliveryRecord, StudyRecord
from gateway.lifecycle import State
from gateway.running.composition import open_site
from gateway.running.serve import Gateway
from gateway.site import Site
from model.engine import ReportEngine
from tests.data.ledgers import ON_POSTGRESQL, url_of

if TYPE_CHECKING:
    import pytest

Found = TypeVar("Found")

MODALITY = LocalAE(title=AETitle("MODALITY"), host="127.0.0.1", port=0)


def site_settings(folder: Path, overrides: Table | None = None) -> Settings:
    """Return settings on loopback with short waits and one known modality."""
    return load_settings(None, merge(_quick(folder), overrides or {}))


def _quick(folder: Path) -> Table:
    return {
        "ledger": {"url": url_of(folder) if ON_POSTGRESQL else ""},
        "storage": {
            "folder": str(folder),
            "reserve_bytes": 0,
            "reserve_memory_bytes": 0,
        },
        "web": {"port": 0},
        "listener": {"host": "127.0.0.1", "port": 0},
        "completeness": {"quiet_seconds": 1.5, "max_wait_seconds": 5.0},
        "prior": {"attempts": 2, "pause_seconds": 0.1},
        "identity": {"issuer": "accept"},
        "work": {
            "lease_seconds": 60.0,
            "first_pause_seconds": 0.1,
            "max_pause_seconds": 0.5,
        },
        "delivery": {
            "first_pause_seconds": 0.1,
            "max_pause_seconds": 0.5,
            "commitment_wait_seconds": 5.0,
        },
        "peers": {"modality": {"title": "MODALITY", "host": "127.0.0.1", "port": 1}},
    }


def toml_of(folder: Path, overrides: Table) -> str:
    """Write the same settings as a site's file, for a process of its own."""
    return "\n".join(_lines("", merge(_quick(folder), overrides)))


def _lines(prefix: str, table: Table) -> Iterator[str]:
    """Yield a TOML document; JSON writes its scalars and arrays alike."""
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{key} = {json.dumps(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield f"[{prefix}{key}]"
            yield from _lines(f"{prefix}{key}.", value)


def archive_peer(title: str, port: int, **more: str | float | bool) -> Table:
    """Return overrides in which one peer is archive and destination."""
    peer: Table = {"title": title, "host": "127.0.0.1", "port": port, **more}
    return {
        "peers": {"archive": peer},
        "archive": {"peer": "archive"},
        "results": {"destinations": ["archive"]},
    }


def await_reports(monkeypatch: "pytest.MonkeyPatch", seconds: float = 60.0) -> None:
    """Have a report of commitment awaited so long where it is asked for.

    A report ends the wait; one that never comes is for few seconds alone.
    """
    patient = partial(request_commitment, wait_seconds=seconds)
    monkeypatch.setattr("gateway.stages.proof.request_commitment", patient)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A gateway at work, as a test sees it."""

    gateway: Gateway

    @property
    def site(self) -> Site:
        return self.gateway.site

    @property
    def remote(self) -> RemoteAE:
        """The gateway as the modality addresses it."""
        return RemoteAE(
            name="gateway",
            title=self.site.local.title,
            host="127.0.0.1",
            port=self.gateway.port,
        )

    def study(self, study_instance_uid: str) -> StudyRecord | None:
        with self.site.ledger.reading() as rows:
            return rows.study(study_instance_uid)

    def deliveries(self, study: StudyRecord) -> list[DeliveryRecord]:
        with self.site.ledger.reading() as rows:
            return rows.deliveries(study.id, study.revision)

    def wait_for(
        self,
        study_instance_uid: str,
        *states: State,
        seconds: float = 60.0,
        pause: float = 0.02,
    ) -> StudyRecord:
        """Return the study once it is in one of `states`, looked at every `pause` s."""

        def reached() -> StudyRecord | None:
            study = self.study(study_instance_uid)
            return study if study and study.state in states else None

        return wait_until(
            reached, seconds, lambda: self.study(study_instance_uid), pause=pause
        )


def wait_until(
    probe: Callable[[], Found | None],
    seconds: float,
    show: Callable[[], object],
    *,
    pause: float = 0.02,
) -> Found:
    """Return what `probe` finds within `seconds`; fail with what `show` says."""
    deadline = monotonic() + seconds
    while (found := probe()) is None:
        assert monotonic() < deadline, f"not reached in {seconds} s: {show()}"
        sleep(pause)
    return found


@contextmanager
def running_gateway(
    settings: Settings, engine: ReportEngine | None = None
) -> Iterator[Running]:
    """Run a gateway in this process."""
    with Gateway(open_site(settings, engine)) as gateway:
        yield Running(gateway=gateway)
