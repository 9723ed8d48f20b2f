"""Ledgers, studies, instances and results for tests; times are given, not read."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.audit.message import AuditEntry
from gateway.audit.patients import MasterKey
from gateway.ledger import (
    CampaignRecord,
    Ledger,
    NewCampaign,
    NewInstance,
    ResultRecord,
    Role,
    StudyRecord,
    Throttle,
    Writing,
)
from gateway.ledger.master import Patients
from gateway.lifecycle import Event, State
from tests.data.postgresql import database_of, name_of

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
PATIENTS = Patients(MasterKey(bytes(32)))
STUDY_UID = "1.2.826.0.1.3680043.10.543.1"
IMAGE_CLASS = "1.2.840.10008.5.1.4.1.1.1.1"

WAYS: dict[State, tuple[Event, ...]] = {
    State.RECEIVING: (),
    State.COMPLETE: (Event.QUIET_PERIOD_ENDED,),
    State.SELECTED: (Event.QUIET_PERIOD_ENDED, Event.VIEWS_CHOSEN),
    State.DECLINED: (Event.QUIET_PERIOD_ENDED, Event.STUDY_DECLINED),
    State.PARKED: (Event.QUIET_PERIOD_ENDED, Event.GAVE_UP),
    State.KEPT: (
        Event.QUIET_PERIOD_ENDED,
        Event.VIEWS_CHOSEN,
        Event.PRIOR_SETTLED,
        Event.REPORT_WRITTEN,
        Event.RESULTS_ENCODED,
        Event.RESULTS_KEPT,
    ),
}
"""The moves that bring a new study into a state."""


ON_POSTGRESQL = os.environ.get("LEDGER") == "postgresql"
"""Whether the tests of the ledger run on PostgreSQL: `make test-postgresql`."""

_OF_SQLITE = "it is about SQLite alone"
only_sqlite = pytest.mark.skipif(ON_POSTGRESQL, reason=_OF_SQLITE)


def skip_on_postgresql() -> None:
    """Skip what asks SQLite how it works, in a fixture."""
    if ON_POSTGRESQL:
        pytest.skip(_OF_SQLITE)


def url_of(folder: Path) -> str:
    """Name the ledger of a folder."""
    if ON_POSTGRESQL:
        return database_of(folder)
    return f"sqlite:///{folder / 'ledger.db'}"


def empty_url_of(folder: Path) -> str:
    """Name a database without tables."""
    if ON_POSTGRESQL:
        return database_of(folder, template="template0")
    return url_of(folder)


def is_of(dialect: str, *given: object) -> bool:
    """Say of an object of the schema whether this database is to have it."""
    only = getattr(given[0], "_ddl_if", None)
    return only is None or only.dialect == dialect


def copy_ledger(old: Path, new: Path) -> None:
    """Give a copied folder the ledger of the first; SQLite's lies within it."""
    if ON_POSTGRESQL:
        database_of(new, template=name_of(old))


def at(seconds: float) -> datetime:
    """Return the time so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def add_study(
    rows: Writing,
    uid: str = STUDY_UID,
    state: State = State.COMPLETE,
    now: datetime = NOW,
) -> StudyRecord:
    """Open a study and move it into `state`."""
    study = rows.open_study(uid, "MODALITY", now)
    for event in WAYS[state]:
        study = rows.move(study, event, now)
    return study


def given_study(
    ledger: Ledger,
    uid: str = STUDY_UID,
    state: State = State.COMPLETE,
    now: datetime = NOW,
) -> StudyRecord:
    """Add a study in a transaction of its own."""
    with ledger.writing() as rows:
        return add_study(rows, uid, state, now)


def given_campaign(
    rows: Writing, uids: Sequence[str] = (STUDY_UID,), **changes: object
) -> CampaignRecord:
    """Start a campaign without limits that keeps its results; `changes` replace."""
    throttle = Throttle(per_hour=3600.0, in_flight=4, opens="00:00", closes="00:00")
    plain = NewCampaign(
        name="lung",
        project="",
        emit=False,
        peer="archive",
        source="a file",
        throttle=throttle,
    )
    new = replace(plain, **changes)  # type: ignore[arg-type]
    return rows.add_campaign(new, uids, "ann", NOW)


def new_instance(
    number: int = 1, study_uid: str = STUDY_UID, role: Role = Role.CURRENT
) -> NewInstance:
    """Return an instance whose UID and file name follow from its number."""
    return NewInstance(
        study_instance_uid=study_uid,
        series_instance_uid=f"{study_uid}.1",
        sop_class_uid=IMAGE_CLASS,
        sop_instance_uid=f"{study_uid}.1.{number}",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        file_name=f"instances/{study_uid}.{number}",
        size=1000 + number,
        digest=f"blake3:{number:064x}",
        role=role,
        calling_title="MODALITY",
        received_at=NOW,
    )


def result_of(study: StudyRecord, number: int = 1) -> ResultRecord:
    """Return a result of the study's present revision."""
    series = f"{study.study_instance_uid}.9{study.revision}"
    return ResultRecord(
        study_id=study.id,
        revision=study.revision,
        kind="narrative",
        task="grounded findings",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.33",
        sop_instance_uid=f"{series}.{number}",
        series_instance_uid=series,
        file_name=f"results/{series}.{number}",
        send=True,
        created_at=NOW,
    )


def audit_entry(**changes: object) -> AuditEntry:
    """Return an entry; `changes` replace its fields."""
    plain = AuditEntry(
        recorded_at=NOW,
        event="110103",
        event_type=None,
        action="R",
        outcome=0,
        study_instance_uid=STUDY_UID,
        user="maira-gateway",
        detail=None,
        message="<AuditMessage/>",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
