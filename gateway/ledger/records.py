"""Rows of the ledger as frozen values. Times are aware, UTC."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dicom_io.evidence import SlotName
from gateway.fairness import NO_PROJECT, PLAIN, Group, Priority
from gateway.lifecycle import Event, State


class Role(StrEnum):
    """Why an instance is here."""

    CURRENT = "current"
    """An image that a modality or router sent: opens or reopens its study."""
    RETRIEVED = "retrieved"
    """It answered a retrieval of ours; never opens a study."""
    DOCUMENT = "document"
    """A report or presentation state of others; never opens a study."""
    OWN = "own"
    """One of our results that came back; never opens a study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInstance:
    """What the intake knows of an instance whose file is durable.

    `file_name` is relative to the spool; `digest` is over the data set as
    received, without preamble and file meta.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    file_name: str
    size: int
    digest: str
    role: Role
    calling_title: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """An instance in the spool; `revision` is its study's at arrival (0: none)."""

    id: int
    revision: int
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    file_name: str
    size: int
    digest: str
    role: Role
    calling_title: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """A study and where it stands.

    `attempts` counts failures in the present state. `not_before`: no worker
    takes it earlier. `lease_*`: who works on it, and until when. `reason` says
    why it is declined, held, rejected or parked, or why the last attempt failed.
    `accession_number` is that of the image that opened it. `findings` and `flags`
    count those of its reports; None: its present revision has none yet. `due_at`: when
    a worker may take it, what is due the longest first; `emit`: its results go to the
    destinations; `campaign_id`: the campaign that had it brought here.
    """

    id: int
    study_instance_uid: str
    state: State
    revision: int
    reason: str | None
    calling_title: str
    opened_at: datetime
    last_arrival_at: datetime
    changed_at: datetime
    attempts: int
    not_before: datetime | None
    lease_owner: str | None
    lease_until: datetime | None
    accession_number: str | None = None
    findings: int | None = None
    flags: int | None = None
    due_at: datetime | None = None
    priority: Priority = Priority.ROUTINE
    project: str = NO_PROJECT
    emit: bool = True
    campaign_id: int | None = None

    @property
    def group(self) -> Group:
        """With which other studies it takes its turns."""
        return Group(priority=self.priority, project=self.project)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """As what a study is opened; `campaign_id`: the campaign that had it brought."""

    group: Group = PLAIN
    emit: bool = True
    campaign_id: int | None = None


ORDINARY = Admission()


class Document(StrEnum):
    """What a stage keeps as JSON for the next, one body a revision."""

    VIEWS = "views"
    PRIOR = "prior"
    EVIDENCE = "evidence"
    REPORTS = "reports"
    ENGINE = "engine"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRecord:
    """A result object of ours; its file is in the spool."""

    study_id: int
    revision: int
    kind: str
    task: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    file_name: str
    send: bool
    created_at: datetime


class DeliveryState(StrEnum):
    """Where a result stands on its way to one destination."""

    PENDING = "pending"
    STORED = "stored"
    """The destination answered success (or a warning that it stored)."""
    COMMITTED = "committed"
    REFUSED = "refused"
    """A permanent refusal: shown, not tried again by itself."""
    REPLACED = "replaced"
    """The destination takes no such class; another form of it is sent instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One result on its way to one destination (the outbox)."""

    id: int
    study_id: int
    revision: int
    destination: str
    sop_class_uid: str
    sop_instance_uid: str
    file_name: str
    state: DeliveryState
    attempts: int
    first_tried_at: datetime | None
    not_before: datetime | None
    detail: str | None
    transaction_uid: str | None
    committed_how: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceRecord:
    """A peer that does not answer.

    `failures` in a row, the first at `since`; it is left alone until `until`.
    `told`: the audit says so.
    """

    peer: str
    failures: int
    since: datetime
    until: datetime
    told: bool


class Way(StrEnum):
    """What a peer did, or did not do."""

    ECHO = "echo"
    """It was asked whether it is there, because a person wanted to know."""
    ASKED = "asked"
    """It was asked for something, or was sent something."""
    SENT = "sent"
    """It sent us instances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRecord:
    """When a peer last did its part in one way, and when it last did not.

    None: never since this is written down. `detail`: what it said, or what failed.
    """

    peer: str
    way: Way
    answered_at: datetime | None = None
    failed_at: datetime | None = None
    detail: str | None = None


class CommitmentState(StrEnum):
    """Where a request of another node for storage commitment stands."""

    ASKED = "asked"
    """Durable and answered; what we commit to is not decided."""
    DECIDED = "decided"
    """Each reference has its outcome, which never changes; to be reported."""
    REPORTED = "reported"
    """The node has taken the report. Final."""
    GIVEN_UP = "given-up"
    """The node took no report for as long as we tried. Final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRecord:
    """A request of another node; `attempts` counts tries in the present state."""

    id: int
    transaction_uid: str
    peer: str
    state: CommitmentState
    received_at: datetime
    attempts: int
    not_before: datetime
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentItemRecord:
    """An instance that a request names.

    `reason`: None while it is not decided, 0 where we commit to it, else a Failure
    Reason (PS3.3 C.14.1.1). `kept_here`: we commit to our own copy.
    """

    commitment_id: int
    position: int
    sop_class_uid: str
    sop_instance_uid: str
    reason: int | None
    kept_here: bool


class GroundingState(StrEnum):
    """Where a phrase stands that a person has the model look for."""

    ASKED = "asked"
    """Durable; a worker asks the model, or waits for it."""
    ANSWERED = "answered"
    """The model's answer is kept. Final."""
    REFUSED = "refused"
    """There is no answer; the reason is kept. Final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingRecord:
    """A phrase that a person has the model look for in a revision of a study.

    `not_before`: nobody asks the model earlier. `detail` says why there is no answer
    (yet); `body` is the answer as JSON, None before it. `owner` is the process that
    asks, or asked last. Never sent anywhere.
    """

    id: int
    study_id: int
    revision: int
    phrase: str
    state: GroundingState
    asked_by: str
    asked_at: datetime
    attempts: int
    not_before: datetime
    detail: str | None
    answered_at: datetime | None
    body: str | None
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRecord:
    """A retrieval: what may arrive for it is never a new study.

    closed : nothing more is awaited, though something may still come.
    """

    id: int
    study_instance_uid: str
    for_study_id: int
    peer: str
    opened_at: datetime
    expires_at: datetime
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRecord:
    """What filled an input of the model for one revision, or why nothing did."""

    study_id: int
    revision: int
    name: SlotName
    filled: bool
    source: str | None
    sop_instance_uid: str | None
    document: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An audit message as kept: `sequence` is gapless and orders the log."""

    sequence: int
    recorded_at: datetime
    event: str
    event_type: str | None
    action: str
    outcome: int
    study_instance_uid: str | None
    user: str
    detail: str | None
    message: str
    """The PS3.15 A.5 message, XML, with the identifiers of its patient sealed."""
    patient: str | None = None
    """Pseudonym of the patient; None: it is about no patient that is known."""
    person_role: str | None = None
    """In what role a person asked for it; None: no person did."""
    node: str | None = None
    """The other system that took part."""
    address: str | None = None
    """The network address of that system, or of the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRecord:
    """How far a repository has got the audit, and how it fails just now.

    `last_sequence` is the last record that it has read, 0 before the first;
    `checkpoint_size` the size of the log in the last checkpoint that it has read.
    `not_before`: nobody sends to it before; None: somebody may. `told`: the audit
    says that it fails.
    """

    name: str
    last_sequence: int = 0
    checkpoint_size: int = 0
    handed_at: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    not_before: datetime | None = None
    detail: str | None = None
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What a repository has not got yet; `oldest` is None where it has all."""

    repository: RepositoryRecord
    records: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRecord:
    """One step in the life of a study; `from_state` is None for its first."""

    revision: int
    from_state: State | None
    event: Event
    to_state: State
    at: datetime
    reason: str | None


class AuditColumn(StrEnum):
    """A column of which a search may name any of several values."""

    EVENT = "event"
    EVENT_TYPE = "event_type"
    ACTION = "action"
    OUTCOME = "outcome"
    USER = "user"
    STUDY = "study_instance_uid"
    PATIENT = "patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which audit records: all conditions hold; None asks nothing.

    `since` is included, `until` is not; `event` is the value of the EventID
    or of the event type; `after_sequence` is the last one already seen;
    `patient` is a pseudonym (`Ledger.pseudonym`), and finds what was done with that
    patient's studies too. `event_types`: any of these; `failed`: an outcome other than
    success; `by_person`: a person asked for it; `text`: stands in the detail, in any
    case. `among`: columns, and the values of which each has one; a column may stand
    there more than once, and `patient` there is the pseudonym of the record alone.
    `limit` and `after_sequence` are for reading the log in sequence.
    """

    since: datetime | None = None
    until: datetime | None = None
    study_instance_uid: str | None = None
    patient: str | None = None
    user: str | None = None
    event: str | None = None
    action: str | None = None
    outcome: int | None = None
    event_types: tuple[str, ...] = ()
    failed: bool = False
    by_person: bool = False
    node: str | None = None
    address: str | None = None
    text: str | None = None
    among: tuple[tuple[AuditColumn, Collection[str]], ...] = ()
    limit: int = 100
    after_sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlace:
    """Where a page of the log begins or ends: by time, then by sequence."""

    recorded_at: datetime
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Which part of what a filter finds.

    after : the last record of the page before; None: from the start.
    """

    newest_first: bool = True
    limit: int = 100
    after: AuditPlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a person did, without the message; for counting and for the hours."""

    recorded_at: datetime
    sequence: int
    user: str
    event: str
    event_type: str | None
    study_instance_uid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Results of a study that went to one destination more than once."""

    study_instance_uid: str
    node: str
    times: int
    succeeded: int
    first_at: datetime
    last_at: datetime
