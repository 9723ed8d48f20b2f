"""Moves of a study, and the leases by which workers share them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningUpdate, Update
from sqlalchemy.sql.elements import ColumnElement

from gateway.audit.message import AuditEntry
from gateway.errors import LostRace
from gateway.fairness import Group
from gateway.ledger import schema
from gateway.ledger.audit_log import append
from gateway.ledger.reading import Reading
from gateway.ledger.records import ORDINARY, Admission, StudyRecord
from gateway.lifecycle import Event, State, next_state

WORKER_LOST = "the worker stopped before the stage ended"

_NO_LEASE: dict[str, None] = {"lease_owner": None, "lease_until": None}
_AFRESH: dict[str, object] = {"attempts": 0, "not_before": None, **_NO_LEASE}

_OPENED = schema.studies.insert().returning(schema.studies)
_MOVED = schema.moves.insert()
_TOUCHED = (
    update(schema.studies)
    .where(
        schema.studies.c.id == bindparam("touched_id"),
        schema.studies.c.state == State.RECEIVING,
    )
    .values(
        last_arrival_at=bindparam("now"),
        not_before=None,
        due_at=schema.studies.c.changed_at,
        **_NO_LEASE,
    )
)
_ENLISTED = select(schema.work_groups.c.project).where(
    *(schema.work_groups.c[name] == bindparam(name) for name in ("priority", "project"))
)


class StudyWriting(Reading):
    """What changes where a study stands.

    Each change is a compare-and-set: it happens only while the row is as the
    caller read it, otherwise LostRace says that somebody else was first.
    """

    def open_study(
        self,
        study_instance_uid: str,
        calling_title: str,
        now: datetime,
        accession_number: str | None = None,
        admission: Admission = ORDINARY,
    ) -> StudyRecord:
        """Begin the life of a study with its first current image.

        Raises LostRace where the study exists.
        """
        if self.study(study_instance_uid) is not None:
            raise LostRace(f"study {study_instance_uid} was opened already")
        values = {
            "study_instance_uid": study_instance_uid,
            "state": State.RECEIVING,
            "revision": 1,
            "calling_title": calling_title,
            "accession_number": accession_number,
            "opened_at": now,
            "last_arrival_at": now,
            "changed_at": now,
            "due_at": now,
            "priority": admission.group.priority,
            "project": admission.group.project,
            "emit": admission.emit,
            "campaign_id": admission.campaign_id,
            **_AFRESH,
        }
        self._enlist(admission.group)
        row = self._connection.execute(_OPENED, values).mappings().one()
        study = StudyRecord(**row)
        self._record_move(study, None, Event.IMAGE_ARRIVED)
        return study

    def touch_study(self, study_id: int, now: datetime) -> None:
        """Note one more image of a study that is RECEIVING: its quiet starts anew.

        It is to be judged again, whatever it was waiting for, and who judges it
        just now loses it. Raises LostRace where the study is no longer RECEIVING.
        """
        self._set_one(_TOUCHED, {"touched_id": study_id, "now": now})

    def move(
        self,
        study: StudyRecord,
        event: Event,
        now: datetime,
        *,
        reason: str | None = None,
        audit: Sequence[AuditEntry] = (),
    ) -> StudyRecord:
        """Move `study` as the lifecycle says, with its audit records.

        Ends the lease and forgets attempts. A new image of a study that was past
        RECEIVING opens its next revision, and so do a retraction and a rerun. Raises
        IllegalMove where TRANSITIONS has no such move, LostRace where the study is
        no longer as it was read.
        """
        arrived = event is Event.IMAGE_ARRIVED
        reopened = arrived and study.state is not State.RECEIVING
        reopened |= event in (Event.RETRACTED, Event.RERUN)
        values: dict[str, object] = {
            "state": next_state(study.state, event),
            "revision": study.revision + 1 if reopened else study.revision,
            "reason": reason,
            "changed_at": now,
            "due_at": now,
            **_AFRESH,
        }
        if arrived:
            values["last_arrival_at"] = now
        if reopened:
            values |= {"findings": None, "flags": None}
        self._set_as_read(study, values)
        moved = self.study_by_id(study.id)
        self._record_move(moved, study.state, event)
        append(self._connection, self._patients, audit)
        return moved

    def count_report(self, study: StudyRecord, findings: int, flags: int) -> None:
        """Keep how much the reports of the present revision say."""
        table = schema.studies
        self._connection.execute(
            update(table)
            .where(table.c.id == study.id, table.c.revision == study.revision)
            .values(findings=findings, flags=flags)
        )

    def claim(
        self,
        states: Collection[State],
        now: datetime,
        owner: str,
        lease_seconds: float,
        group: Group | None = None,
    ) -> StudyRecord | None:
        """Lease the study that is due the longest in `states`; None without one.

        group : of this one alone; None: of all, which is fair to none. A lease that
        ran out counts as a failed attempt of its study, so work that kills its worker
        is seen in `attempts`.
        """
        self.expire_leases(now)
        values: dict[str, object] = {
            "states": [*states],
            "now": now,
            "owner": owner,
            "until": now + timedelta(seconds=lease_seconds),
        }
        statement = _CLAIM
        if group is not None:
            statement = _CLAIM_OF_GROUP
            values |= {"group_priority": group.priority, "group_project": group.project}
        row = self._connection.execute(statement, values).mappings().first()
        return None if row is None else StudyRecord(**row)

    def renew(self, study: StudyRecord, until: datetime) -> None:
        """Hold a claimed study longer; raise LostRace where the lease is lost."""
        self._set_as_read(study, {"lease_until": until})

    def renew_owned(self, owner: str, until: datetime) -> None:
        """Hold every study that `owner` has claimed longer.

        Passes over a row that somebody changes: it is being moved, or put off.
        """
        table = schema.studies
        held = (
            select(table.c.id)
            .where(table.c.lease_owner == owner)
            .with_for_update(skip_locked=True)
        )
        self._connection.execute(
            update(table).where(table.c.id.in_(held)).values(lease_until=until)
        )

    def release_owned(self, owner: str) -> None:
        """Give back untouched what `owner` has claimed."""
        table = schema.studies
        self._connection.execute(
            update(table).where(table.c.lease_owner == owner).values(_NO_LEASE)
        )

    def release(self, study: StudyRecord) -> None:
        """Give a claimed study back untouched; nothing happens if it is lost."""
        unchanged, read = _still(study)
        self._connection.execute(unchanged, {**read, **_NO_LEASE})

    def postpone(
        self, study: StudyRecord, *, not_before: datetime, reason: str, attempts: int
    ) -> None:
        """Give a claimed study back for later; raise LostRace where it is lost."""
        later = {"not_before": not_before, "reason": reason, "attempts": attempts}
        due = {"due_at": not_before}
        self._set_as_read(study, {**later, **due, **_NO_LEASE})

    def wake(self, study_id: int, now: datetime) -> None:
        """Let a worker take a postponed study at once: what it waited for is here."""
        self._connection.execute(
            _WAKE, {"waits": study_id, "now": now, "not_before": now, "due_at": now}
        )

    def regroup(self, study_id: int, group: Group) -> None:
        """Let a study take its turns with other ones from now on."""
        self._enlist(group)
        table = schema.studies
        self._connection.execute(
            update(table).where(table.c.id == study_id).values(**asdict(group))
        )

    def let_out(self, study_id: int) -> None:
        """Let the results of a study go to the destinations from now on.

        Who keeps them back just now loses the study.
        """
        table = schema.studies
        self._connection.execute(
            update(table).where(table.c.id == study_id).values(emit=True, **_NO_LEASE)
        )

    def expire_leases(self, now: datetime) -> int:
        """Free the studies of workers that are gone; return how many."""
        return self._connection.execute(_EXPIRE, {"now": now}).rowcount

    def free_leases(self) -> int:
        """Free every study: the caller knows that no worker lives; return how many."""
        return self._free(schema.studies.c.lease_owner.is_not(None))

    def free_leases_of(self, process: str) -> int:
        """Free the studies of a process that is dead; return how many."""
        owner = schema.studies.c.lease_owner
        return self._free(owner.startswith(f"{process}:", autoescape=True))

    def _free(self, condition: ColumnElement[bool]) -> int:
        return self._connection.execute(_freeing(condition)).rowcount

    def _enlist(self, group: Group) -> None:
        """Remember that studies of this group may have work."""
        key = asdict(group)
        if self._connection.execute(_ENLISTED, key).first() is None:
            # Somebody else may just have done so.
            with suppress(IntegrityError), self._refusable():
                self._connection.execute(insert(schema.work_groups).values(**key))

    def _set_as_read(self, study: StudyRecord, values: Mapping[str, object]) -> None:
        unchanged, read = _still(study)
        self._set_one(unchanged, {**read, **values})

    def _set_one(
        self, change: Update, values: Mapping[str, object] | None = None
    ) -> None:
        """Change one row; raise LostRace where there is none.

        values : of its columns, and of what its condition names; None: it has them.
        """
        if self._connection.execute(change, values).rowcount != 1:
            raise LostRace("the study is no longer as it was read")

    def _record_move(
        self, study: StudyRecord, from_state: State | None, event: Event
    ) -> None:
        self._connection.execute(
            _MOVED,
            {
                "study_id": study.id,
                "revision": study.revision,
                "from_state": from_state,
                "event": event,
                "to_state": study.state,
                "at": study.changed_at,
                "reason": study.reason,
            },
        )


def _still(study: StudyRecord) -> tuple[Update, Mapping[str, object]]:
    """Address the row of `study` while it is as it was read, with what that is.

    The lease counts only for who holds it: a person or a new image may move a
    study that is worked on, and the worker then loses the race.
    """
    read = {
        "read_id": study.id,
        "read_state": study.state,
        "read_revision": study.revision,
    }
    if study.lease_owner is None:
        return _UNCHANGED, read
    return _UNCHANGED_AND_HELD, {**read, "read_owner": study.lease_owner}


def _freeing(condition: ColumnElement[bool]) -> Update:
    """Free studies; pass over a row that somebody holds: its lease is just used."""
    table = schema.studies
    held = select(table.c.id).where(condition).with_for_update(skip_locked=True)
    return (
        update(table)
        .where(table.c.id.in_(held))
        .values(attempts=table.c.attempts + 1, reason=WORKER_LOST, **_NO_LEASE)
    )


def _claiming(*conditions: ColumnElement[bool]) -> ReturningUpdate[*tuple[object, ...]]:
    """Lease the study that is due the longest."""
    table = schema.studies
    waiting = (
        select(table.c.id)
        .where(
            table.c.state.in_(bindparam("states", expanding=True)),
            table.c.lease_owner.is_(None),
            table.c.due_at <= bindparam("now"),
            *conditions,
        )
        .order_by(table.c.due_at, table.c.id)
        .limit(1)
        # SQLite has one writer at a time and leaves this out.
        .with_for_update(skip_locked=True)
    )
    return (
        update(table)
        .where(table.c.id == waiting.scalar_subquery())
        .values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
        .returning(table)
    )


# Put together once: who looks for work asks these again and again, and a study is
# moved eight times.
_UNCHANGED = update(schema.studies).where(
    schema.studies.c.id == bindparam("read_id"),
    schema.studies.c.state == bindparam("read_state"),
    schema.studies.c.revision == bindparam("read_revision"),
)
_UNCHANGED_AND_HELD = _UNCHANGED.where(
    schema.studies.c.lease_owner == bindparam("read_owner")
)
_WAKE = update(schema.studies).where(
    schema.studies.c.id == bindparam("waits"),
    schema.studies.c.not_before > bindparam("now"),
)
_EXPIRE = _freeing(schema.studies.c.lease_until <= bindparam("now"))
_CLAIM = _claiming()
_CLAIM_OF_GROUP = _claiming(
    schema.studies.c.priority == bindparam("group_priority"),
    schema.studies.c.project == bindparam("group_project"),
)
