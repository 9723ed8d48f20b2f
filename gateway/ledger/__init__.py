"""Tables, named queries, unit of work and compare-and-set moves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from config.load import Secrets
from gateway.audit.message import Patient
from gateway.audit.patients import MasterKey
from gateway.errors import LedgerCorrupt, LedgerFailure
from gateway.failpoints import pass_failpoint
from gateway.ledger.campaign_records import (
    CampaignCounts,
    CampaignRecord,
    CampaignState,
    CohortRecord,
    CohortState,
    NewCampaign,
    Throttle,
)
from gateway.ledger.engine import (
    BUSY_SECONDS,
    begin_writing,
    forget_deleted,
    is_postgresql,
    open_engine,
    snapshots_of,
    time_of_server,
)
from gateway.ledger.failures import ledger_failures
from gateway.ledger.grouping import GroupCommit
from gateway.ledger.master import Patients, open_patients
from gateway.ledger.process_records import JobRecord, ProcessRecord, Sample
from gateway.ledger.reading import Reading
from gateway.ledger.records import (
    Access,
    Admission,
    AuditColumn,
    AuditFilter,
    AuditPage,
    AuditPlace,
    AuditRecord,
    Backlog,
    CommitmentItemRecord,
    CommitmentRecord,
    CommitmentState,
    ContactRecord,
    DeliveryRecord,
    DeliveryState,
    Document,
    GroundingRecord,
    GroundingState,
    InstanceRecord,
    MoveRecord,
    NewInstance,
    Repeat,
    RepositoryRecord,
    ResultRecord,
    RetrievalRecord,
    Role,
    SilenceRecord,
    SlotRecord,
    StudyRecord,
    Way,
)
from gateway.ledger.reviews import Finding, Review, SavedFilter
from gateway.ledger.standing import Queue, Waiting
from gateway.ledger.study_listing import Mark, Said, StudyFilter, StudyPage
from gateway.ledger.writing import Writing
from gateway.patient_key import FILE_NAME, KeyPlace

__all__ = [
    "Access",
    "Admission",
    "AuditColumn",
    "AuditFilter",
    "AuditPage",
    "AuditPlace",
    "AuditRecord",
    "Backlog",
    "CampaignCounts",
    "CampaignRecord",
    "CampaignState",
    "CohortRecord",
    "CohortState",
    "CommitmentItemRecord",
    "CommitmentRecord",
    "CommitmentState",
    "ContactRecord",
    "DeliveryRecord",
    "DeliveryState",
    "Document",
    "Finding",
    "GroundingRecord",
    "GroundingState",
    "InstanceRecord",
    "JobRecord",
    "Ledger",
    "Mark",
    "MoveRecord",
    "NewCampaign",
    "NewInstance",
    "ProcessRecord",
    "Queue",
    "Reading",
    "Repeat",
    "RepositoryRecord",
    "ResultRecord",
    "RetrievalRecord",
    "Review",
    "Role",
    "Said",
    "Sample",
    "SavedFilter",
    "SilenceRecord",
    "SlotRecord",
    "StudyFilter",
    "StudyPage",
    "StudyRecord",
    "Throttle",
    "Waiting",
    "Way",
    "Writing",
    "is_postgresql",
]

T = TypeVar("T")


class Ledger:
    """What the gateway remembers, safe to share between threads and processes.

    `Ledger.open` opens it. All methods raise LedgerFailure where the database
    does not do its part; nothing of that transaction is kept then.
    """

    def __init__(self, engine: Engine, patients: Patients) -> None:
        self._engine = engine
        self._snapshots = snapshots_of(engine)
        self._patients = patients
        self._turn = threading.Lock()
        self._groups = GroupCommit(self.writing)
        self._damage: str | None = None

    @classmethod
    def open(cls, url: str, place: KeyPlace | None = None) -> "Ledger":
        """Open the ledger at an SQLAlchemy URL, made or migrated where needed.

        place : where its patient key is; None: in the environment, or beside the
        file of SQLite.
        """
        engine = open_engine(url)
        try:
            with ledger_failures():
                return cls(engine, open_patients(engine, place or _beside(url)))
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        """Close the connections; open transactions must have ended."""
        self._engine.dispose()

    def demand_patient_key(self) -> None:
        """Raise WrongKey where no patient could be written."""
        _ = self._patients.master

    @property
    def has_patient_key(self) -> bool:
        """Whether its patients can be read and written."""
        return isinstance(self._patients.key, MasterKey)

    @property
    def has_server(self) -> bool:
        """Whether processes of several hosts may be at work on it."""
        return is_postgresql(self._engine.url)

    def now(self) -> datetime:
        """Return what time it is for all who work on it: by the clock of its server."""
        if not self.has_server:
            return datetime.now(UTC)
        with self._watched(), self._engine.connect() as connection:
            return time_of_server(connection)

    def forget_deleted(self) -> bool:
        """Have the database lose what was overwritten in it; false while it is read."""
        with self._watched():
            return forget_deleted(self._engine)

    def pseudonym(self, patient: Patient) -> str:
        """Return by what `AuditFilter.patient` finds a patient; raises WrongKey."""
        return self._patients.master.pseudonym(patient)

    def fingerprint_of(self, secret: str) -> str:
        """Return by what a secret is known again; raises WrongKey."""
        return self._patients.master.fingerprint_of(secret)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Hold one consistent snapshot; changes of others stay unseen."""
        with self._watched(), self._snapshots.begin() as connection:
            yield Reading(connection, self._patients)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Hold the one write transaction: commit on exit, roll back on an error.

        When the block has ended, what it wrote outlives a power cut. Raises
        LedgerCorrupt, with nothing tried, once the database has said that it is
        damaged: what is written to such a file may be lost or make it worse.
        """
        self._demand_sound()
        with (
            self._in_turn(),
            self._watched(),
            self._engine.connect() as connection,
        ):
            with begin_writing(connection):
                yield Writing(connection, self._patients)
                pass_failpoint("ledger:before-commit")
            pass_failpoint("ledger:after-commit")

    @contextmanager
    def claiming(self) -> Iterator[Writing]:
        """Hold a transaction that claims work; on PostgreSQL it waits for no writer.

        It may only take, keep and free leases, by statements that pass over what others
        hold, and change a row that is the process's own.
        SQLite has one writer at a time, whatever it writes.
        """
        if not self.has_server:
            with self.writing() as rows:
                yield rows
            return
        self._demand_sound()
        with self._watched(), self._engine.connect() as connection:
            connection.execution_options(claiming=True)
            with connection.begin():
                yield Writing(connection, self._patients)

    def _demand_sound(self) -> None:
        if self._damage is not None:
            raise LedgerCorrupt(self._damage)

    def grouped(self, change: Callable[[Writing], T]) -> T:
        """Make a small change in a transaction that other threads may share.

        Returns what `change` returns, once it outlives a power cut; what `change`
        raises is raised here, and nothing of it is kept. It may run on another
        thread, and must not open a transaction.
        """
        return self._groups.run(change)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Turn what the database says into LedgerFailure, and remember damage."""
        try:
            with ledger_failures():
                yield
        except LedgerCorrupt as error:
            self._damage = str(error)
            raise

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let the threads of this process write one after the other.

        Left to SQLite they would ask for its lock again and again, with naps of up
        to 100 ms, and on PostgreSQL each would wait with a connection of its own;
        that is for other processes.
        """
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise LedgerFailure(f"the ledger was written for {BUSY_SECONDS} s on end")
        try:
            yield
        finally:
            self._turn.release()


def _beside(url: str) -> KeyPlace:
    parsed = make_url(url)
    database = parsed.database if parsed.get_backend_name() == "sqlite" else None
    if not database or database == ":memory:":
        return KeyPlace(path=None, given=Secrets().patient_key)
    return KeyPlace(path=Path(database).with_name(FILE_NAME))
