"""The inputs of a reading, and orders and reports that were delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_slots()
    _create_orders()
    _create_outside_reports()


def _create_slots() -> None:
    op.create_table(
        "slots",
        sa.Column("study_id", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("filled", sa.Boolean, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("sop_instance_uid", sa.String(64)),
        sa.Column("document", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("study_id", "revision", "name", name="pk_slots"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_slots_study_id"),
    )
    op.create_index("ix_slots_name_filled", "slots", ["name", "filled"])


def _create_orders() -> None:
    op.create_table(
        "orders",
        *_message(),
        sa.Column("accession_number", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.UniqueConstraint("source", "document", name="uq_orders_source_document"),
    )
    _index("orders", "accession_number")
    _index("orders", "received_at")


def _create_outside_reports() -> None:
    op.create_table(
        "outside_reports",
        *_message(),
        sa.Column("accession_number", sa.String(64)),
        sa.Column("study_instance_uid", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_outside_reports"),
        sa.UniqueConstraint(
            "source", "document", name="uq_outside_reports_source_document"
        ),
    )
    _index("outside_reports", "accession_number")
    _index("outside_reports", "study_instance_uid")
    _index("outside_reports", "received_at")


def _message() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    ]


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column])
