"""The first ledger: studies, instances, results, deliveries, audit.

A version never changes once it is released, so nothing is imported from the
schema of today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_studies()
    _create_instances()
    _create_results()
    _create_deliveries()
    _create_audit()


def _create_studies() -> None:
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer, nullable=False),
        _uid("study_instance_uid"),
        _word("state"),
        _number("revision"),
        sa.Column("reason", sa.Text),
        sa.Column("calling_title", sa.String(16), nullable=False),
        _moment("opened_at"),
        _moment("last_arrival_at"),
        _moment("changed_at"),
        _number("attempts"),
        _moment("not_before", nullable=True),
        sa.Column("lease_owner", sa.Text),
        _moment("lease_until", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("study_instance_uid", name="uq_studies_study_instance_uid"),
    )
    _index("studies", "state", "changed_at")
    _index("studies", "changed_at")
    op.create_table(
        "moves",
        sa.Column("id", sa.Integer, nullable=False),
        _number("study_id"),
        _number("revision"),
        sa.Column("from_state", sa.String(32)),
        _word("event"),
        _word("to_state"),
        _moment("at"),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_moves"),
        _of_study("moves"),
    )
    _index("moves", "study_id")


def _create_instances() -> None:
    for table in ("instances", "quarantine"):
        own: list[sa.schema.SchemaItem] = (
            [
                _number("revision"),
                sa.UniqueConstraint(
                    "sop_instance_uid", name="uq_instances_sop_instance_uid"
                ),
            ]
            if table == "instances"
            else [_text("reason")]
        )
        op.create_table(
            table,
            sa.Column("id", sa.Integer, nullable=False),
            _uid("study_instance_uid"),
            _uid("series_instance_uid"),
            _uid("sop_class_uid"),
            _uid("sop_instance_uid"),
            _uid("transfer_syntax_uid"),
            _text("file_name"),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("sha256", sa.String(64), nullable=False),
            _word("role"),
            sa.Column("calling_title", sa.String(16), nullable=False),
            _moment("received_at"),
            *own,
            sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        )
        _index(table, "study_instance_uid")
    _index("quarantine", "sop_instance_uid")


def _create_results() -> None:
    op.create_table(
        "documents",
        _number("study_id"),
        _number("revision"),
        _word("document"),
        _text("body"),
        sa.PrimaryKeyConstraint(
            "study_id", "revision", "document", name="pk_documents"
        ),
        _of_study("documents"),
    )
    op.create_table(
        "results",
        sa.Column("id", sa.Integer, nullable=False),
        _number("study_id"),
        _number("revision"),
        _text("kind"),
        _text("task"),
        _uid("sop_class_uid"),
        _uid("sop_instance_uid"),
        _uid("series_instance_uid"),
        _text("file_name"),
        sa.Column("send", sa.Boolean, nullable=False),
        _moment("created_at"),
        sa.Column("purged", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_results"),
        sa.UniqueConstraint("sop_instance_uid", name="uq_results_sop_instance_uid"),
        _of_study("results"),
    )
    _index("results", "study_id")


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer, nullable=False),
        _number("study_id"),
        _number("revision"),
        _text("destination"),
        _uid("sop_class_uid"),
        _uid("sop_instance_uid"),
        _text("file_name"),
        _word("state"),
        _number("attempts"),
        _moment("first_tried_at", nullable=True),
        _moment("not_before", nullable=True),
        sa.Column("detail", sa.Text),
        sa.Column("transaction_uid", sa.String(64)),
        sa.Column("committed_how", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint(
            "destination",
            "sop_instance_uid",
            name="uq_deliveries_destination_sop_instance_uid",
        ),
        _of_study("deliveries"),
    )
    _index("deliveries", "study_id")
    _index("deliveries", "transaction_uid")
    op.create_table(
        "retrievals",
        sa.Column("id", sa.Integer, nullable=False),
        _uid("study_instance_uid"),
        _number("for_study_id"),
        _text("peer"),
        _moment("opened_at"),
        _moment("expires_at"),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_retrievals"),
        _of_study("retrievals", "for_study_id"),
    )
    _index("retrievals", "study_instance_uid")
    _index("retrievals", "for_study_id")


def _create_audit() -> None:
    op.create_table(
        "audit",
        _number("sequence"),
        _moment("recorded_at"),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("event_type", sa.String(64)),
        sa.Column("action", sa.String(1), nullable=False),
        _number("outcome"),
        sa.Column("study_instance_uid", sa.String(64)),
        _text("user"),
        sa.Column("detail", sa.Text),
        _text("message"),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )
    for column in ("recorded_at", "event", "study_instance_uid"):
        _index("audit", column)
    head = op.create_table(
        "audit_head",
        _number("only"),
        _number("last_sequence"),
        sa.PrimaryKeyConstraint("only", name="pk_audit_head"),
    )
    op.bulk_insert(head, [{"only": 1, "last_sequence": 0}])
    op.create_table(
        "notes",
        sa.Column("key", sa.String(64), nullable=False),
        _text("value"),
        sa.PrimaryKeyConstraint("key", name="pk_notes"),
    )


def _uid(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=False)


def _word(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(32), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, autoincrement=False, nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _of_study(table: str, column: str = "study_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["studies.id"], name=f"fk_{table}_{column}"
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
