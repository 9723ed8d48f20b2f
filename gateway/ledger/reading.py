"""Questions to the ledger, each within one consistent snapshot."""

from collections.abc import Collection
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import (
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from dicom_io.evidence import SlotName
from dicom_io.inputs.orders import Order
from dicom_io.reports.values import OutsideReport
from gateway.audit.message import Patient
from gateway.audit.sealing import revealed
from gateway.errors import NoSuchStudy
from gateway.fairness import Group
from gateway.ledger import patients, schema
from gateway.ledger.accounts import AccountReading
from gateway.ledger.audit_reading import AuditReading, conditions
from gateway.ledger.campaigns import CampaignReading
from gateway.ledger.checkpoints import CheckpointReading
from gateway.ledger.groundings import GroundingReading
from gateway.ledger.processes import ProcessReading
from gateway.ledger.records import (
    AuditFilter,
    AuditRecord,
    Document,
    InstanceRecord,
    MoveRecord,
    ResultRecord,
    RetrievalRecord,
    Role,
    SlotRecord,
    StudyRecord,
)
from gateway.ledger.repositories import RepositoryReading
from gateway.ledger.reviews import ReviewReading
from gateway.ledger.rows import selected
from gateway.ledger.standing import StandingReading
from gateway.lifecycle import WORKING, State

_ORDER = TypeAdapter(Order)
_REPORT = TypeAdapter(OutsideReport)


class Reading(
    AuditReading,
    RepositoryReading,
    ReviewReading,
    AccountReading,
    CheckpointReading,
    GroundingReading,
    ProcessReading,
    CampaignReading,
    StandingReading,
):
    """An open snapshot of the ledger; made by `Ledger.reading`."""

    def study(self, study_instance_uid: str) -> StudyRecord | None:
        """Return the study with this UID, None where the ledger has none."""
        return self._one(StudyRecord, _STUDY, uid=study_instance_uid)

    def study_by_id(self, study_id: int) -> StudyRecord:
        """Return a study that another row names; raise NoSuchStudy without it."""
        found = self._one(StudyRecord, _STUDY_BY_ID, study_id=study_id)
        if found is None:
            raise NoSuchStudy(f"the ledger has no study with the row number {study_id}")
        return found

    def studies(
        self,
        *,
        states: Collection[State] | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[StudyRecord]:
        """Return studies in any of `states` (None: in all), newest change first."""
        table = schema.studies
        found = select(table).order_by(table.c.changed_at.desc(), table.c.id.desc())
        if states is not None:
            found = found.where(table.c.state.in_(states))
        return self._all(StudyRecord, found.limit(limit).offset(offset))

    def receiving(self) -> list[StudyRecord]:
        """Return every study that may be whole by now, longest quiet first."""
        table = schema.studies
        found = select(table).where(table.c.state == State.RECEIVING)
        return self._all(StudyRecord, found.order_by(table.c.last_arrival_at))

    def work_waiting(self, states: Collection[State], now: datetime) -> int:
        """Return how many studies claims of `states` would find now; 2: or more.

        Who looks for work asks this first: a claim holds up whoever writes.
        """
        found = self._connection.execute(_WORK, {"states": [*states], "now": now})
        return len(found.all())

    def states_due(self, now: datetime) -> set[State]:
        """Return the states in which work is waiting."""
        return set(self._connection.scalars(_DUE, {"now": now}))

    def waiting_groups(self, states: Collection[State], now: datetime) -> list[Group]:
        """Return of whom a claim in `states` would find something."""
        return self._all(Group, _GROUPS_WAITING, states=[*states], now=now)

    def purgeable(
        self, states: Collection[State], before: datetime, limit: int
    ) -> list[StudyRecord]:
        """Return studies that came to rest in `states` earlier than `before`.

        One that serves a study at work as its prior stays until that is read, and
        one of which we committed to our own copy for ever.
        """
        table = schema.studies
        found = select(table).where(
            table.c.state.in_(states),
            table.c.changed_at < before,
            table.c.study_instance_uid.not_in(_priors_in_use()),
            table.c.study_instance_uid.not_in(committed_here()),
        )
        oldest_first = found.order_by(table.c.changed_at, table.c.id)
        return self._all(StudyRecord, oldest_first.limit(limit))

    def counts(self) -> dict[State, int]:
        """Return how many studies are in each state, zero included."""
        table = schema.studies
        found = select(table.c.state, func.count()).group_by(table.c.state)
        counted: dict[State, int] = dict(self._connection.execute(found).all())
        return {state: counted.get(state, 0) for state in State}

    def moves(self, study_id: int) -> list[MoveRecord]:
        """Return the life of a study, in order."""
        return self._all(MoveRecord, _MOVES, study_id=study_id)

    def instance(self, sop_instance_uid: str) -> InstanceRecord | None:
        """Return the instance of the spool with this UID."""
        return self._one(InstanceRecord, _INSTANCE, uid=sop_instance_uid)

    def instances(
        self, study_instance_uid: str, roles: Collection[Role] | None = None
    ) -> list[InstanceRecord]:
        """Return the study's instances in the order of arrival."""
        wanted = list(Role if roles is None else roles)
        return self._all(
            InstanceRecord, _INSTANCES, uid=study_instance_uid, roles=wanted
        )

    def file_names(self) -> set[str]:
        """Return every file that must be in the spool."""
        held = union_all(
            select(schema.instances.c.file_name),
            select(schema.quarantine.c.file_name),
            select(schema.results.c.file_name).where(
                schema.results.c.purged.is_(False)
            ),
        )
        return set(self._connection.scalars(held))

    def digests(self) -> dict[str, str]:
        """Return the digest of the data set of each file that was received."""
        held = union_all(
            *(
                select(table.c.file_name, table.c.digest)
                for table in (schema.instances, schema.quarantine)
            )
        )
        return dict(self._connection.execute(held).all())

    def was_retrieved(self, study_instance_uid: str) -> bool:
        """Say whether the study was ever asked for as somebody's prior."""
        table = schema.retrievals
        found = select(table.c.id).filter_by(study_instance_uid=study_instance_uid)
        return self._connection.execute(found).first() is not None

    def leased(self) -> int:
        """Count the studies that a worker holds."""
        table = schema.studies
        found = select(func.count()).where(table.c.lease_owner.is_not(None))
        return int(self._connection.scalar(found) or 0)

    def is_quarantined(self, sop_instance_uid: str, digest: str) -> bool:
        """Say whether the same contradiction is kept already."""
        table = schema.quarantine
        found = select(table.c.id).filter_by(
            sop_instance_uid=sop_instance_uid, digest=digest
        )
        return self._connection.execute(found).first() is not None

    def document(self, study_id: int, revision: int, document: Document) -> str | None:
        """Return the JSON text that a stage kept, None before it ran."""
        named = {"study_id": study_id, "revision": revision, "document": document}
        body: str | None = self._connection.scalar(_DOCUMENT, named)
        return body

    def slots(self, study_id: int, revision: int) -> list[SlotRecord]:
        """Return the inputs of the model for a revision, in the model's order."""
        table = schema.slots
        found = select(table).where(
            table.c.study_id == study_id, table.c.revision == revision
        )
        order = list(SlotName)
        return sorted(self._all(SlotRecord, found), key=lambda s: order.index(s.name))

    def slot_counts(self) -> dict[SlotName, tuple[int, int]]:
        """Return for each input how often it was filled, and in how many readings."""
        table = schema.slots
        filled = func.coalesce(func.sum(case((table.c.filled, 1), else_=0)), 0)
        found = select(table.c.name, filled, func.count()).group_by(table.c.name)
        rows = self._connection.execute(found)
        counted = {name: (int(filled), int(of)) for name, filled, of in rows}
        return {name: counted.get(name, (0, 0)) for name in SlotName}

    def orders(self, accession_number: str) -> list[Order]:
        """Return the orders delivered for an accession number, the latest first."""
        table = schema.orders
        found = select(table.c.body).where(table.c.accession_number == accession_number)
        latest_first = found.order_by(table.c.received_at.desc(), table.c.id.desc())
        bodies = self._connection.scalars(latest_first)
        return [_ORDER.validate_json(body) for body in bodies]

    def outside_reports(
        self, study_instance_uid: str, accession_number: str | None
    ) -> list[OutsideReport]:
        """Return the reports delivered for a study by either name, the latest first."""
        table = schema.outside_reports
        by_name = table.c.study_instance_uid == study_instance_uid
        if accession_number is not None:
            by_name = or_(by_name, table.c.accession_number == accession_number)
        latest_first = table.c.received_at.desc(), table.c.id.desc()
        found = select(table.c.body).where(by_name).order_by(*latest_first)
        bodies = self._connection.scalars(found)
        return [_REPORT.validate_json(body) for body in bodies]

    def results(self, study_id: int, revision: int | None = None) -> list[ResultRecord]:
        """Return the study's results, of all revisions where none is named."""
        if revision is None:
            return self._all(ResultRecord, _RESULTS, study_id=study_id)
        return self._all(
            ResultRecord, _RESULTS_OF_ONE, study_id=study_id, revision=revision
        )

    def is_own_result(self, sop_instance_uid: str) -> bool:
        """Say whether this gateway made the instance, however long ago."""
        found = self._connection.execute(_OWN_RESULT, {"uid": sop_instance_uid})
        return found.first() is not None

    def open_retrieval(
        self, study_instance_uid: str, now: datetime
    ) -> RetrievalRecord | None:
        """Return the newest retrieval of this study that is still awaited."""
        return self._one(
            RetrievalRecord, _OPEN_RETRIEVAL, uid=study_instance_uid, now=now
        )

    def recent_retrievals(
        self, study_instance_uid: str, now: datetime
    ) -> list[RetrievalRecord]:
        """Return the retrievals of this study in their window, the newest first."""
        return self._all(RetrievalRecord, _RETRIEVALS, uid=study_instance_uid, now=now)

    def audit(self, wanted: AuditFilter) -> list[AuditRecord]:
        """Return the first `wanted.limit` audit records that match, in sequence."""
        table = schema.audit
        seen = table.c.sequence > wanted.after_sequence
        found = selected(AuditRecord, table).where(seen, *conditions(wanted))
        in_sequence = found.order_by(table.c.sequence).limit(wanted.limit)
        return self._all(AuditRecord, in_sequence)

    def pseudonyms(self, patient_id: str) -> list[str]:
        """Return what a Patient ID is known by in the audit, of whichever issuer."""
        master = self._patients.master
        return [
            master.pseudonym(Patient(patient_id=patient_id, issuer=issuer))
            for issuer in patients.issuers(self._connection)
        ]

    def issuers(self) -> list[str | None]:
        """Return the issuers of all patients whom the audit ever named."""
        return patients.issuers(self._connection)

    def revealed(self, message: str) -> str:
        """Return an audit message with its patient as it was, for who is entitled.

        Shows "erased" where the patient's key is destroyed.
        """
        return revealed(
            message,
            lambda number: patients.key_with(self._connection, self._patients, number),
        )

    def last_recorded_at(self) -> datetime | None:
        """Return when the last audit record was written; None: there is none."""
        table = schema.audit
        last = select(table.c.recorded_at).order_by(table.c.sequence.desc()).limit(1)
        found: datetime | None = self._connection.scalar(last)
        return found

    def recall(self, key: str) -> str | None:
        """Return what `Writing.remember` kept under `key`."""
        value: str | None = self._connection.scalar(_NOTE, {"key": key})
        return value


def _priors_in_use() -> Select[tuple[str]]:
    """Select the studies that were asked for as priors of one still at work."""
    retrievals, served = schema.retrievals, schema.studies.alias()
    return (
        select(retrievals.c.study_instance_uid)
        .join(served, served.c.id == retrievals.c.for_study_id)
        .where(served.c.state.in_([*WORKING, State.HELD]))
    )


def committed_here() -> Select[tuple[str]]:
    """Select the studies of which we committed to our own copy of an instance."""
    instances, items = schema.instances, schema.commitment_items
    return (
        select(instances.c.study_instance_uid)
        .join(items, items.c.sop_instance_uid == instances.c.sop_instance_uid)
        .where(items.c.kept_here.is_(True))
    )


# What is asked for every instance that comes in, often for a study, or several times
# a second, is put together once: SQLAlchemy then needs a third of the time for it.
_STUDY = select(schema.studies).where(
    schema.studies.c.study_instance_uid == bindparam("uid")
)
_STUDY_BY_ID = select(schema.studies).where(
    schema.studies.c.id == bindparam("study_id")
)
_MOVES = (
    selected(MoveRecord, schema.moves)
    .where(schema.moves.c.study_id == bindparam("study_id"))
    .order_by(schema.moves.c.id)
)
_DOCUMENT = select(schema.documents.c.body).where(
    schema.documents.c.study_id == bindparam("study_id"),
    schema.documents.c.revision == bindparam("revision"),
    schema.documents.c.document == bindparam("document"),
)
_CLAIMABLE = and_(
    or_(
        schema.studies.c.lease_owner.is_(None),
        schema.studies.c.lease_until <= bindparam("now"),
    ),
    schema.studies.c.due_at <= bindparam("now"),
)
_WORK = (
    select(schema.studies.c.id)
    .where(schema.studies.c.state.in_(bindparam("states", expanding=True)), _CLAIMABLE)
    .limit(2)
)
_DUE = union_all(
    *(
        select(literal(state, schema.studies.c.state.type)).where(
            exists().where(schema.studies.c.state == state, _CLAIMABLE)
        )
        for state in WORKING
    )
)
"""Each state ends its search with the first study that is found."""
_GROUPS_WAITING = select(schema.work_groups).where(
    exists().where(
        schema.studies.c.state.in_(bindparam("states", expanding=True)),
        schema.studies.c.priority == schema.work_groups.c.priority,
        schema.studies.c.project == schema.work_groups.c.project,
        _CLAIMABLE,
    )
)
_INSTANCE = select(schema.instances).where(
    schema.instances.c.sop_instance_uid == bindparam("uid")
)
_INSTANCES = (
    select(schema.instances)
    .where(
        schema.instances.c.study_instance_uid == bindparam("uid"),
        schema.instances.c.role.in_(bindparam("roles", expanding=True)),
    )
    .order_by(schema.instances.c.id)
)
_RESULTS = (
    selected(ResultRecord, schema.results)
    .where(schema.results.c.study_id == bindparam("study_id"))
    .order_by(schema.results.c.id)
)
_RESULTS_OF_ONE = _RESULTS.where(schema.results.c.revision == bindparam("revision"))
_NOTE = select(schema.notes.c.value).where(schema.notes.c.key == bindparam("key"))
_OWN_RESULT = select(schema.results.c.id).where(
    schema.results.c.sop_instance_uid == bindparam("uid")
)
_RETRIEVALS = (
    selected(RetrievalRecord, schema.retrievals)
    .where(
        schema.retrievals.c.study_instance_uid == bindparam("uid"),
        schema.retrievals.c.expires_at > bindparam("now"),
    )
    .order_by(schema.retrievals.c.id.desc())
)
_OPEN_RETRIEVAL = _RETRIEVALS.where(schema.retrievals.c.closed.is_(False)).limit(1)
