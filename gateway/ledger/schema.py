"""Tables of the ledger. Columns are named as the fields of their records.

What the tables hold is decided here; how a ledger of an earlier version comes to
hold it is in `migrations`. Only types that SQLite and PostgreSQL share.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from dicom_io.evidence import SlotName
from dicom_io.options import OrderSource, ReportSource
from gateway.fairness import Priority
from gateway.ledger.columns import ORDERED_UID, UID, Moment, metadata, words
from gateway.ledger.records import (
    CommitmentState,
    DeliveryState,
    Document,
    GroundingState,
    Role,
    Way,
)
from gateway.lifecycle import Event, State

studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", ORDERED_UID, nullable=False, unique=True),
    Column("state", words(State), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("reason", Text),
    Column("calling_title", String(16), nullable=False),
    Column("accession_number", String(64), index=True),
    Column("opened_at", Moment, nullable=False),
    Column("last_arrival_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Moment),
    Column("lease_owner", Text),
    Column("lease_until", Moment),
    Column("findings", Integer),
    Column("flags", Integer),
    Column("due_at", Moment, nullable=False),
    Column("priority", words(Priority), nullable=False),
    Column("project", Text, nullable=False),
    Column("emit", Boolean, nullable=False),
    Column("campaign_id", Integer),
    Index(None, "state", "changed_at"),
    Index(None, "state", "priority", "project", "due_at"),
    Index(None, "changed_at"),
    Index(None, "calling_title", "changed_at"),
)

_flagged = text("flags > 0")
Index(
    "ix_studies_flagged",
    studies.c.changed_at,
    sqlite_where=_flagged,
    postgresql_where=_flagged,
)

_campaigned = studies.c.campaign_id.is_not(None)
Index(
    None,
    studies.c.campaign_id,
    studies.c.state,
    sqlite_where=_campaigned,
    postgresql_where=_campaigned,
)

work_groups = Table(
    "work_groups",
    metadata,
    Column("priority", words(Priority), primary_key=True),
    Column("project", Text, primary_key=True),
)
"""Every priority and project that a study ever had: who may have work."""

# Partial: few studies are leased at one time, and a whole index would offer itself
# to whoever looks for one that is not.
for _column in (studies.c.lease_owner, studies.c.lease_until):
    _leased = _column.is_not(None)
    Index(None, _column, sqlite_where=_leased, postgresql_where=_leased)

moves = Table(
    "moves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("from_state", words(State)),
    Column("event", words(Event), nullable=False),
    Column("to_state", words(State), nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Text),
)


def _instance_columns() -> list[Column[object]]:
    return [
        Column("id", Integer, primary_key=True),
        Column("study_instance_uid", UID, nullable=False, index=True),
        Column("series_instance_uid", UID, nullable=False),
        Column("sop_class_uid", UID, nullable=False),
        Column("transfer_syntax_uid", UID, nullable=False),
        Column("file_name", Text, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("digest", String(80), nullable=False),
        Column("role", words(Role), nullable=False),
        Column("calling_title", String(16), nullable=False),
        Column("received_at", Moment, nullable=False),
    ]


instances = Table(
    "instances",
    metadata,
    *_instance_columns(),
    Column("sop_instance_uid", UID, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
)
"""What lies in the spool: a row goes when its file is purged."""

quarantine = Table(
    "quarantine",
    metadata,
    *_instance_columns(),
    Column("sop_instance_uid", UID, nullable=False, index=True),
    Column("reason", Text, nullable=False),
)
"""Instances that contradict one that was here first."""

documents = Table(
    "documents",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("document", words(Document), primary_key=True),
    Column("body", Text, nullable=False),
)

slots = Table(
    "slots",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("name", words(SlotName), primary_key=True),
    Column("filled", Boolean, nullable=False),
    Column("source", Text),
    Column("sop_instance_uid", UID),
    Column("document", Text),
    Column("reason", Text, nullable=False),
    Index(None, "name", "filled"),
)
"""Which input of the model had what behind it, without any text that it was given."""

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", words(OrderSource), nullable=False),
    Column("document", Text, nullable=False),
    Column("accession_number", String(64), nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("received_at", Moment, nullable=False, index=True),
    UniqueConstraint("source", "document"),
)
"""Orders that were delivered to us, the latest state of each."""

outside_reports = Table(
    "outside_reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", words(ReportSource), nullable=False),
    Column("document", Text, nullable=False),
    Column("accession_number", String(64), index=True),
    Column("study_instance_uid", UID, index=True),
    Column("body", Text, nullable=False),
    Column("received_at", Moment, nullable=False, index=True),
    UniqueConstraint("source", "document"),
)
"""Reports that were delivered to us, the latest state of each."""

results = Table(
    "results",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("sop_class_uid", UID, nullable=False),
    Column("sop_instance_uid", UID, nullable=False, unique=True),
    Column("series_instance_uid", UID, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("send", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("purged", Boolean, nullable=False),
)
"""Rows stay when their files are purged: a result that comes back is known."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("destination", Text, nullable=False),
    Column("sop_class_uid", UID, nullable=False),
    Column("sop_instance_uid", UID, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("state", words(DeliveryState), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_tried_at", Moment),
    Column("not_before", Moment),
    Column("detail", Text),
    Column("transaction_uid", UID, index=True),
    Column("committed_how", Text),
    UniqueConstraint("destination", "sop_instance_uid"),
    Index(None, "state", "destination", "first_tried_at"),
)

contacts = Table(
    "contacts",
    metadata,
    Column("peer", Text, primary_key=True),
    Column("way", words(Way), primary_key=True),
    Column("answered_at", Moment),
    Column("failed_at", Moment),
    Column("detail", Text),
)
"""When a peer last did its part, and when it last did not; written now and then."""

silences = Table(
    "silences",
    metadata,
    Column("peer", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("told", Boolean, nullable=False),
)
"""Peers that do not answer just now; the row goes with the first answer."""

commitments = Table(
    "commitments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("transaction_uid", UID, nullable=False, unique=True),
    Column("peer", Text, nullable=False),
    Column("state", words(CommitmentState), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("detail", Text),
    Index(None, "state", "not_before"),
)
"""What other nodes asked us to commit to (PS3.4 Annex J)."""

commitment_items = Table(
    "commitment_items",
    metadata,
    Column("commitment_id", ForeignKey("commitments.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("sop_class_uid", UID, nullable=False),
    Column("sop_instance_uid", UID, nullable=False, index=True),
    Column("reason", Integer),
    Column("kept_here", Boolean, nullable=False),
)
"""`reason`: None until it is decided, 0 committed, else a Failure Reason."""

groundings = Table(
    "groundings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("phrase", Text, nullable=False),
    Column("state", words(GroundingState), nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("detail", Text),
    Column("answered_at", Moment),
    Column("body", Text),
    Column("owner", Text),
    Index(None, "study_id", "revision"),
    Index(None, "state", "not_before"),
)
"""Phrases that people have the model look for; never sent anywhere."""

retrievals = Table(
    "retrievals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", UID, nullable=False, index=True),
    Column("for_study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("peer", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("closed", Boolean, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("last_sequence", Integer, nullable=False),
)
"""One row, locked by each writer of the audit until its commit."""

audit = Table(
    "audit",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("recorded_at", Moment, nullable=False),
    Column("event", String(16), nullable=False),
    Column("event_type", String(64)),
    Column("action", String(1), nullable=False),
    Column("outcome", Integer, nullable=False),
    Column("study_instance_uid", UID),
    Column("user", Text, nullable=False),
    Column("detail", Text),
    Column("patient", String(64)),
    Column("message", Text, nullable=False),
    Column("person_role", String(64)),
    Column("node", Text),
    Column("address", Text),
    Index(None, "event", "recorded_at"),
    Index(None, "event_type", "recorded_at"),
    Index(None, "study_instance_uid", "recorded_at"),
    Index(None, "patient", "recorded_at"),
    Index(None, "user", "recorded_at"),
    Column("leaf", String(64), nullable=False),
)
"""`leaf`: the hash of all other columns (`gateway.audit.leaf`), hexadecimal."""

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("peaks", Text, nullable=False),
)
"""What was signed of the audit, as it is handed out; `peaks`: of the tree of that
size, from which the next one is made without reading the log again."""

audit_keys = Table(
    "audit_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("note", Text, nullable=False),
)
"""Each change of the key that signs checkpoints, signed by both keys."""

SENT = text("coalesce(event_type, '') = 'results-sent'")
"""The condition of `ix_audit_sent`, which a question must repeat word for word; a plain
comparison would lead SQLite to the index of event types, and from there to each row."""

# What few records have is found by an index of those alone.
for _name, _few, _columns in (
    (
        "ix_audit_people",
        audit.c.person_role.is_not(None),
        (
            "recorded_at",
            "user",
            "event",
            "event_type",
            "study_instance_uid",
            "person_role",
        ),
    ),
    ("ix_audit_failures", audit.c.outcome > 0, ("recorded_at", "outcome")),
    (
        "ix_audit_sent",
        SENT,
        ("study_instance_uid", "node", "recorded_at", "outcome", "event_type"),
    ),
):
    Index(
        _name,
        *(audit.c[column] for column in _columns),
        sqlite_where=_few,
        postgresql_where=_few,
    )

_SCANNED = (
    audit.c.recorded_at,
    audit.c.event,
    audit.c.event_type,
    audit.c.action,
    audit.c.outcome,
    audit.c.user,
    audit.c.person_role,
    audit.c.node,
    audit.c.address,
)
"""All that is asked of the log, without the messages: whatever the other indexes do not
answer is read from here, a tenth of the table. PostgreSQL has it without `detail`, for
an entry of its indexes is limited to a third of a page."""
Index("ix_audit_scan", *_SCANNED, audit.c.detail).ddl_if(dialect="sqlite")
Index("ix_audit_scan_short", *_SCANNED).ddl_if(dialect="postgresql")

audit_repositories = Table(
    "audit_repositories",
    metadata,
    Column("name", Text, primary_key=True),
    Column("last_sequence", Integer, nullable=False),
    Column("checkpoint_size", Integer, nullable=False),
    Column("handed_at", Moment),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Moment),
    Column("not_before", Moment),
    Column("detail", Text),
    Column("told", Boolean, nullable=False),
)
"""How far each repository of the settings has got the audit."""

patient_keys = Table(
    "patient_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pseudonym", String(64), nullable=False),
    Column("issuer", Text),
    Column("wrapped_key", Text),
    Column("identity", Text),
    Column("created_at", Moment, nullable=False),
    Column("erased_at", Moment),
)
"""What the identifiers in the audit are sealed with, a row a patient. Erasing empties
`wrapped_key` and `identity`; a patient who comes again gets a row of its own."""

_living = patient_keys.c.erased_at.is_(None)
Index(
    None,
    patient_keys.c.pseudonym,
    unique=True,
    sqlite_where=_living,
    postgresql_where=_living,
)

notes = Table(
    "notes",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Small facts of the installation, such as its device UID."""
