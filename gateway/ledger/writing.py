"""Changes to the ledger; each belongs to the transaction that `Ledger` opened."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from sqlalchemy import Table, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from gateway.audit.message import AuditEntry
from gateway.audit.patients import MasterKey
from gateway.errors import LostRace
from gateway.ledger import master, patients, schema, times
from gateway.ledger.account_writing import AccountWriting
from gateway.ledger.audit_log import append
from gateway.ledger.campaigns import CampaignWriting
from gateway.ledger.checkpointing import CheckpointWriting
from gateway.ledger.groundings import GroundingWriting
from gateway.ledger.messages import MessageWriting
from gateway.ledger.peers import PeerWriting
from gateway.ledger.process_writing import ProcessWriting
from gateway.ledger.reading import committed_here
from gateway.ledger.records import (
    DeliveryState,
    Document,
    InstanceRecord,
    NewInstance,
    ResultRecord,
    RetrievalRecord,
    Role,
    SlotRecord,
)
from gateway.ledger.repository_writing import RepositoryWriting
from gateway.ledger.reviews import ReviewWriting
from gateway.ledger.studies import StudyWriting
from gateway.lifecycle import State

_ADDED = insert(schema.instances).returning(schema.instances)
_REPLACED = delete(schema.documents).where(
    *(
        schema.documents.c[name] == bindparam(f"old_{name}")
        for name in ("study_id", "revision", "document")
    )
)
_KEPT = insert(schema.documents)


class DeliveryChange(TypedDict, total=False):
    """What changes of a delivery; what is not named stays."""

    state: DeliveryState
    attempts: int
    not_before: datetime | None
    detail: str | None
    transaction_uid: str | None
    committed_how: str | None


class Writing(
    StudyWriting,
    MessageWriting,
    PeerWriting,
    ReviewWriting,
    RepositoryWriting,
    AccountWriting,
    CheckpointWriting,
    GroundingWriting,
    ProcessWriting,
    CampaignWriting,
):
    """An open transaction of the ledger; made by `Ledger.writing`."""

    def savepoint(self) -> AbstractContextManager[object]:
        """Open a block whose changes alone are undone where it raises."""
        return self._connection.begin_nested()

    def add_instance(self, new: NewInstance, revision: int) -> InstanceRecord:
        """Record an instance whose file is durable.

        Raises LostRace where the ledger has an instance with this UID.
        """
        values = {"revision": revision, **asdict(new)}
        try:
            with self._refusable():
                row = self._connection.execute(_ADDED, values).mappings().one()
        except IntegrityError as error:
            raise LostRace(f"instance {new.sop_instance_uid} is here") from error
        return InstanceRecord(**row)

    def make_current(self, instance_id: int, revision: int) -> None:
        """Note that an instance which we had retrieved was also sent to us.

        Raises LostRace where it was purged meanwhile.
        """
        table = schema.instances
        self._set_one(
            update(table)
            .where(table.c.id == instance_id)
            .values(role=Role.CURRENT, revision=revision)
        )

    def replace_file(self, instance_id: int, new: NewInstance) -> None:
        """Note where the same instance lies now whose first file was lost.

        Raises LostRace where it was purged meanwhile.
        """
        table = schema.instances
        self._set_one(
            update(table)
            .where(table.c.id == instance_id)
            .values(file_name=new.file_name, size=new.size)
        )

    def quarantine(self, new: NewInstance, reason: str) -> None:
        """Record an instance that contradicts the one that was here first."""
        self._connection.execute(
            insert(schema.quarantine).values(reason=reason, **asdict(new))
        )

    def put_document(
        self, study_id: int, revision: int, document: Document, body: str
    ) -> None:
        """Keep JSON text of a stage, instead of what an earlier run of it kept."""
        key = {"study_id": study_id, "revision": revision, "document": document}
        self._connection.execute(_REPLACED, {f"old_{k}": v for k, v in key.items()})
        self._connection.execute(_KEPT, {"body": body, **key})

    def put_slots(self, slots: Sequence[SlotRecord]) -> None:
        """Keep what filled the inputs of one revision, instead of an earlier run's."""
        table = schema.slots
        for study_id, revision in {(s.study_id, s.revision) for s in slots}:
            key = {"study_id": study_id, "revision": revision}
            self._connection.execute(delete(table).filter_by(**key))
        if slots:
            self._connection.execute(insert(table), [asdict(slot) for slot in slots])

    def add_results(self, results: Sequence[ResultRecord]) -> None:
        """Record result objects whose files are durable; known ones stay as is."""
        if not results:
            return
        table = schema.results
        known = self._known_uids(table, [r.sop_instance_uid for r in results])
        rows = [
            {**asdict(result), "purged": False}
            for result in results
            if result.sop_instance_uid not in known
        ]
        if rows:
            self._connection.execute(insert(table), rows)

    def add_deliveries(
        self,
        study_id: int,
        revision: int,
        destination: str,
        results: Sequence[ResultRecord],
    ) -> None:
        """Put results on their way to a destination; known ones stay as is."""
        known = {
            d.sop_instance_uid for d in self.deliveries(study_id, revision, destination)
        }
        rows = [
            {
                "study_id": study_id,
                "revision": revision,
                "destination": destination,
                "sop_class_uid": result.sop_class_uid,
                "sop_instance_uid": result.sop_instance_uid,
                "file_name": result.file_name,
                "state": DeliveryState.PENDING,
                "attempts": 0,
            }
            for result in results
            if result.sop_instance_uid not in known
        ]
        if rows:
            self._connection.execute(insert(schema.deliveries), rows)

    def update_delivery(
        self, delivery_id: int, *, now: datetime, **change: Unpack[DeliveryChange]
    ) -> None:
        """Note what became of a try. `attempts=0` lets its age begin anew."""
        table = schema.deliveries
        afresh = change.get("attempts") == 0
        first = None if afresh else func.coalesce(table.c.first_tried_at, now)
        self._connection.execute(
            update(table)
            .where(table.c.id == delivery_id)
            .values(first_tried_at=first, **change)
        )

    def begin_retrieval(
        self,
        study_instance_uid: str,
        for_study_id: int,
        peer: str,
        now: datetime,
        expires_at: datetime,
    ) -> RetrievalRecord:
        """Expect the instances of a prior study, until `expires_at`.

        What the same study had expected before was left open by a worker that died.
        """
        table = schema.retrievals
        self._connection.execute(
            update(table)
            .where(table.c.for_study_id == for_study_id)
            .values(closed=True)
        )
        values = {
            "study_instance_uid": study_instance_uid,
            "for_study_id": for_study_id,
            "peer": peer,
            "opened_at": now,
            "expires_at": expires_at,
        }
        begun = insert(table).values(closed=False, **values).returning(table.c.id)
        return RetrievalRecord(
            id=self._connection.scalars(begun).one(),
            study_instance_uid=study_instance_uid,
            for_study_id=for_study_id,
            peer=peer,
            opened_at=now,
            expires_at=expires_at,
            closed=False,
        )

    def close_retrieval(self, retrieval_id: int) -> None:
        """Expect nothing more of a retrieval; the row stays for the purge."""
        table = schema.retrievals
        self._connection.execute(
            update(table).where(table.c.id == retrieval_id).values(closed=True)
        )

    def forget_files(self, study_id: int) -> list[str]:
        """Forget the files of a study and of the priors that only it retrieved.

        Returns their names: the caller removes them once this transaction is
        committed. Results stay known, so one that comes back opens no study.
        """
        study = self.study_by_id(study_id)
        forgotten = self._delete_instances(
            schema.instances.c.study_instance_uid == study.study_instance_uid
        )
        forgotten += self._delete_instances(
            schema.instances.c.study_instance_uid.in_(self._priors_only_of(study_id)),
            schema.instances.c.role != Role.CURRENT,
        )
        forgotten += self._delete_instances(
            schema.quarantine.c.study_instance_uid == study.study_instance_uid,
            table=schema.quarantine,
        )
        return forgotten + self._purge_results(study_id)

    def forget_strays(self, before: datetime) -> list[str]:
        """Forget files received earlier than `before` that belong to no study here.

        Documents that opened none, priors of studies that are purged, and what was
        quarantined beside them; nothing that we committed to. Returns their names, as
        `forget_files` does.
        """
        studies = select(schema.studies.c.study_instance_uid)
        waiting = (
            select(schema.retrievals.c.study_instance_uid)
            .join(
                schema.studies, schema.studies.c.id == schema.retrievals.c.for_study_id
            )
            .where(schema.studies.c.state != State.PURGED)
        )
        forgotten: list[str] = []
        for table in (schema.instances, schema.quarantine):
            forgotten += self._delete_instances(
                table.c.received_at < before,
                table.c.study_instance_uid.not_in(studies),
                table.c.study_instance_uid.not_in(waiting),
                table.c.study_instance_uid.not_in(committed_here()),
                table=table,
            )
        return forgotten

    def move_times(self, step: timedelta) -> None:
        """Move every time that is compared with the clock, which was set by `step`."""
        times.move(self._connection, step)

    def append_audit(self, entry: AuditEntry) -> int:
        """Append one audit record; return its sequence number."""
        return append(self._connection, self._patients, [entry])

    def destroy_patient(self, pseudonym: str, now: datetime) -> bool:
        """Destroy the key of a patient of the audit; false where there is none."""
        return patients.destroy(self._connection, pseudonym, now) > 0

    def destroy_all_patients(self, key: MasterKey, now: datetime) -> int:
        """Go on with another master key; return how many patients are given up."""
        given_up = patients.destroy(self._connection, None, now)
        master.note(self._connection, key)
        return given_up

    def remember(self, key: str, value: str) -> None:
        """Keep a small fact of the installation."""
        self._connection.execute(delete(schema.notes).where(schema.notes.c.key == key))
        self._connection.execute(insert(schema.notes).values(key=key, value=value))

    def _known_uids(self, table: Table, uids: Sequence[str]) -> set[str]:
        column = table.c.sop_instance_uid
        return set(self._connection.scalars(select(column).where(column.in_(uids))))

    def _delete_instances(
        self, *conditions: ColumnElement[bool], table: Table = schema.instances
    ) -> list[str]:
        gone = delete(table).where(*conditions).returning(table.c.file_name)
        return list(self._connection.scalars(gone))

    def _purge_results(self, study_id: int) -> list[str]:
        table = schema.results
        gone = (
            update(table)
            .where(table.c.study_id == study_id, table.c.purged.is_(False))
            .values(purged=True)
            .returning(table.c.file_name)
        )
        return list(self._connection.scalars(gone))

    def _priors_only_of(self, study_id: int) -> list[str]:
        """Return the studies retrieved for this one and for no other in use.

        A prior that is a study of its own here is purged with that study.
        """
        table, others = schema.retrievals, schema.retrievals.alias()
        in_use = (
            select(others.c.study_instance_uid)
            .join(schema.studies, schema.studies.c.id == others.c.for_study_id)
            .where(
                others.c.for_study_id != study_id,
                schema.studies.c.state != State.PURGED,
            )
        )
        own = select(schema.studies.c.study_instance_uid).where(
            schema.studies.c.state != State.PURGED
        )
        found = select(table.c.study_instance_uid).where(
            table.c.for_study_id == study_id,
            table.c.study_instance_uid.not_in(in_use),
            table.c.study_instance_uid.not_in(own),
        )
        return list(self._connection.scalars(found.distinct()))
