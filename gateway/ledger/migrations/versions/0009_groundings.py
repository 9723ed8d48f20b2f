"""Phrases that people have the model look for in a study."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "groundings",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("study_id", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("phrase", sa.Text, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("body", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_groundings"),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name="fk_groundings_study_id"
        ),
    )
    op.create_index(
        "ix_groundings_study_id_revision", "groundings", ["study_id", "revision"]
    )
    op.create_index(
        "ix_groundings_state_not_before", "groundings", ["state", "not_before"]
    )
