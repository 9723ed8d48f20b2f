"""Peers that are left alone, and requests of others for storage commitment."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_silences()
    _create_commitments()
    _create_commitment_items()
    op.execute("DELETE FROM notes WHERE key LIKE 'away:%'")


def _create_silences() -> None:
    op.create_table(
        "silences",
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("peer", name="pk_silences"),
    )


def _create_commitments() -> None:
    op.create_table(
        "commitments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("transaction_uid", sa.String(64), nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_commitments"),
        sa.UniqueConstraint("transaction_uid", name="uq_commitments_transaction_uid"),
    )
    op.create_index(
        "ix_commitments_state_not_before", "commitments", ["state", "not_before"]
    )


def _create_commitment_items() -> None:
    op.create_table(
        "commitment_items",
        sa.Column("commitment_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("sop_class_uid", sa.String(64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(64), nullable=False),
        sa.Column("reason", sa.Integer),
        sa.Column("kept_here", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint(
            "commitment_id", "position", name="pk_commitment_items"
        ),
        sa.ForeignKeyConstraint(
            ["commitment_id"],
            ["commitments.id"],
            name="fk_commitment_items_commitment_id",
        ),
    )
    op.create_index(
        "ix_commitment_items_sop_instance_uid",
        "commitment_items",
        ["sop_instance_uid"],
    )
