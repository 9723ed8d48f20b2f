"""A gateway without a network: its stages run one by one, at times that are given."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from math import inf
from pathlib import Path
from shutil import copytree

import numpy as np
from pydicom import dcmread

from config.load import Table
from dicom_io.ae import AETitle, RemoteAE
from dicom_io.header import PatientIdentity, read_instance
from dicom_io.identifiers import StudyAnswer, StudyAnswers, StudyQuery
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.status import Status
from gateway.couriers import Couriers
from gateway.ledger import AuditFilter, DeliveryRecord, StudyRecord
from gateway.lifecycle import WORKING, State
from gateway.receiving.intake import Intake
from gateway.receiving.matching import RoleRule, role_of_sent
from gateway.running.composition import open_site
from gateway.site import Site
from gateway.sources.priors import Brought
from gateway.stages import pipeline
from gateway.stages.turn import Turns, take_turn
from tests.data.engines import CannedEngine
from tests.data.films import SECONDARY_CAPTURE, film_dataset, write_film
from tests.data.ledgers import copy_ledger
from tests.data.network import data_set_bytes, part10
from tests.data.sites import site_settings

START = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
STUDY_UID, PRIOR_UID = "1.2.3", "1.2.9"
PATIENCE_SECONDS = 60.0
"""A turn waits for its peers however slow the machine is."""
US = AETitle("MAIRA_GW")


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def add(self, seconds: float = 0.0, days: float = 0.0) -> datetime:
        self.now += timedelta(seconds=seconds, days=days)
        return self.now


@dataclass
class ScriptedPriors:
    """A source of priors that does as it is told, and remembers what was asked.

    Failures and counts are used up one a call; a count may be a failure. `holds`
    are the files that come for a study, whatever they are.
    """

    name: str = "archive"
    answers: list[StudyAnswer] = field(default_factory=list)
    holds: dict[str, list[Path]] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    counts: list[int | Exception | None] = field(default_factory=list)
    retrieval_failures: list[Exception] = field(default_factory=list)
    is_whole: bool = True
    peer: RemoteAE | None = None
    remarks: tuple[str, ...] = ()
    brought: Brought = field(
        default_factory=lambda: Brought(how="script", is_whole=True)
    )
    seconds: float = inf
    on_count: Callable[[], object] = lambda: None
    on_retrieve: Callable[[], object] = lambda: None
    asked: list[StudyQuery] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    retrieved: list[str] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)

    def find(self, question: StudyQuery) -> StudyAnswers:
        self.asked.append(question)
        if self.failures:
            raise self.failures.pop(0)
        return StudyAnswers(studies=tuple(self.answers), remarks=self.remarks)

    def count(self, study_instance_uid: str) -> int | None:
        self.counted.append(study_instance_uid)
        self.on_count()
        named = self.counts.pop(0) if self.counts else None
        if isinstance(named, Exception):
            raise named
        return named

    def retrieve(
        self, study_instance_uid: str, sink: Sink, seconds: float = inf
    ) -> Brought:
        self.seconds = seconds
        self.retrieved.append(study_instance_uid)
        self.on_retrieve()
        for path in self.holds.get(study_instance_uid, ()):
            status = deliver(sink, path, calling_title="ARCHIVE", peer=self.peer)
            self.statuses.append(status)
        if self.retrieval_failures:
            raise self.retrieval_failures.pop(0)
        return replace(self.brought, is_whole=self.is_whole)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A site, its clock and its engine; one worker that is called by hand."""

    site: Site
    clock: SetClock
    engine: CannedEngine
    folder: Path

    def intake(self, role_of: RoleRule = role_of_sent) -> Intake:
        return Intake(
            ledger=self.site.ledger,
            spool=self.site.spool,
            clock=self.clock,
            role_of=role_of,
        )

    def film(self, name: str = "film", /, **attributes: object) -> Path:
        """Write a small PA film of study STUDY_UID."""
        return write_film(self.folder / f"{name}.dcm", film_dataset(**attributes))

    def send(self, path: Path, **facts: object) -> Status:
        """Store a file as a modality does."""
        return deliver(self.intake().receive, path, **facts)

    def study(self, uid: str = STUDY_UID) -> StudyRecord:
        with self.site.ledger.reading() as rows:
            study = rows.study(uid)
        assert study is not None
        return study

    def turn(self, *states: State) -> bool:
        return take_turn(self.site, pipeline.STAGES, states or WORKING, Turns())

    def complete(self) -> int:
        """Judge every study that receives and is due; return how many are whole."""
        with self.site.ledger.reading() as rows:
            before = rows.counts()[State.RECEIVING]
        while self.turn(State.RECEIVING):
            pass
        with self.site.ledger.reading() as rows:
            return before - rows.counts()[State.RECEIVING]

    def received(self, **attributes: object) -> StudyRecord:
        """Take in a film and call its study complete."""
        assert self.send(self.film(**attributes)) is Status.SUCCESS
        self.clock.add(seconds=60)
        assert self.complete() == 1
        return self.study()

    def reach(self, state: State) -> StudyRecord:
        """Bring a new study into `state`, a turn a stage."""
        study = self.received()
        while study.state is not state:
            assert self.turn(study.state)
            after = self.study()
            assert after.state is not study.state, after.reason
            study = after
        return study

    def deliveries(self) -> list[DeliveryRecord]:
        study = self.study()
        with self.site.ledger.reading() as rows:
            return rows.deliveries(study.id, study.revision)

    def told(self) -> list[str]:
        """Return the details of all audit records."""
        with self.site.ledger.reading() as rows:
            records = rows.audit(AuditFilter(limit=1000))
        return [record.detail or "" for record in records]

    def kept_files(self) -> list[Path]:
        """Return the files of the spool, finished or not."""
        return [p for p in (self.folder / "data" / "spool").rglob("*") if p.is_file()]

    def at(self, **changes: object) -> "Bench":
        """Return the same bench with another part of the site."""
        return replace(self, site=replace(self.site, **changes))  # type: ignore[arg-type]


@contextmanager
def bench_at(
    folder: Path,
    overrides: Table | None = None,
    *,
    priors: ScriptedPriors | None = None,
    destinations: Sequence[RemoteAE] = (),
) -> Iterator[Bench]:
    """Open a site of its own below `folder`; nobody else works on it."""
    clock, engine = SetClock(), CannedEngine()
    settings = site_settings(folder / "data", overrides)
    opened = open_site(settings, engine, clock)
    site = replace(
        opened,
        priors=priors,
        destinations=tuple(destinations),
        couriers=Couriers(PATIENCE_SECONDS),
        elapsed=lambda: clock().timestamp(),
    )
    try:
        yield Bench(site=site, clock=clock, engine=engine, folder=folder)
    finally:
        site.couriers.close()
        site.ledger.close()


def keep_encoded(folder: Path, overrides: Table | None = None) -> Path:
    """Bring a study into ENCODED once, for `bench_from` to begin with many times."""
    with bench_at(folder, overrides) as bench:
        bench.reach(State.ENCODED)
    return folder / "data"


@contextmanager
def bench_from(kept: Path, folder: Path, overrides: Table) -> Iterator[Bench]:
    """Open a copy of what `keep_encoded` made, a minute after it began."""
    copytree(kept, folder / "data")
    copy_ledger(kept, folder / "data")
    with bench_at(folder, overrides) as bench:
        bench.clock.add(seconds=60)
        yield bench


def facts_of(path: Path, **changes: object) -> StoreFacts:
    """Return what a modality announces for a file; `changes` replace fields."""
    header = read_instance(path)
    plain = StoreFacts(
        association_id="1",
        calling_title="MODALITY",
        called_title=US,
        peer_address="127.0.0.1",
        peer=None,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        move_originator=None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def incoming(sink: Sink, path: Path, **facts: object) -> Incoming:
    """Send the bytes of a file, but do not end it."""
    arriving = sink(facts_of(path, **facts))
    arriving.write(data_set_bytes(path))
    return arriving


def deliver(sink: Sink, path: Path, **facts: object) -> Status:
    """Send a file; discard it as the listener does where it is refused."""
    arriving = incoming(sink, path, **facts)
    status = arriving.commit()
    if status is not Status.SUCCESS:
        arriving.discard()
    return status


def recoded(path: Path, transfer_syntax_uid: str) -> Path:
    """Write the same instance in another little endian, native transfer syntax."""
    other = path.with_name(f"{path.stem}-{transfer_syntax_uid}.dcm")
    other.write_bytes(part10(dcmread(path), transfer_syntax_uid))
    return other


def answer(uid: str = PRIOR_UID, **changes: object) -> StudyAnswer:
    """Return what an archive says of an earlier film of the patient of `film`."""
    plain = StudyAnswer(
        study_instance_uid=uid,
        patient=PatientIdentity(
            patient_id="P1",
            issuer="SITE",
            birth_date=date(1950, 5, 1),
            sex="F",
            name="Doe^Jane",
        ),
        study_date=date(2023, 3, 2),
        study_time=time(9, 0),
        accession_number=None,
        study_description="Chest",
        modalities=("DX",),
        body_part="CHEST",
        instance_count=1,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def prior_film(folder: Path, uid: str = PRIOR_UID, **attributes: object) -> Path:
    """Write the film that belongs to `answer`."""
    own = {
        "StudyInstanceUID": uid,
        "SeriesInstanceUID": f"{uid}.1",
        "SOPInstanceUID": f"{uid}.1.1",
        "StudyDate": "20230302",
        "StudyTime": "090000",
    }
    ds = film_dataset(**{**own, **attributes})
    return write_film(folder / f"{ds.SOPInstanceUID}.dcm", ds)


def colour_film(folder: Path) -> Path:
    """Write a secondary capture of 8 x 8 RGB pixels."""
    ds = film_dataset(
        np.arange(64, dtype=np.uint8).reshape(8, 8),
        SOPClassUID=SECONDARY_CAPTURE,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        PixelData=bytes(range(192)),
    )
    return write_film(folder / "colour.dcm", ds)
