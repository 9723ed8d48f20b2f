"""Priorities and projects of studies, and campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_LONG_AGO = "1970-01-01 00:00:00.000000"


def upgrade() -> None:
    _extend_studies()
    op.create_table(
        "work_groups",
        sa.Column("priority", sa.String(32), nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("priority", "project", name="pk_work_groups"),
    )
    op.execute("INSERT INTO work_groups SELECT DISTINCT priority, project FROM studies")
    _create_campaigns()
    _create_campaign_studies()


def _extend_studies() -> None:
    for column in (
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=_LONG_AGO,
        ),
        sa.Column("priority", sa.String(32), nullable=False, server_default="routine"),
        sa.Column("project", sa.Text, nullable=False, server_default=""),
        sa.Column("emit", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("campaign_id", sa.Integer),
    ):
        op.add_column("studies", column)
    op.execute("UPDATE studies SET due_at = coalesce(not_before, changed_at)")
    op.create_index(
        "ix_studies_state_priority_project_due_at",
        "studies",
        ["state", "priority", "project", "due_at"],
    )
    campaigned = sa.text("campaign_id IS NOT NULL")
    op.create_index(
        "ix_studies_campaign_id_state",
        "studies",
        ["campaign_id", "state"],
        sqlite_where=campaigned,
        postgresql_where=campaigned,
    )


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("emit", sa.Boolean, nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("per_hour", sa.Float, nullable=False),
        sa.Column("in_flight", sa.Integer, nullable=False),
        sa.Column("opens", sa.String(5), nullable=False),
        sa.Column("closes", sa.String(5), nullable=False),
        sa.Column("started_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        sa.UniqueConstraint("name", name="uq_campaigns_name"),
    )
    op.create_index("ix_campaigns_state", "campaigns", ["state"])


def _create_campaign_studies() -> None:
    op.create_table(
        "campaign_studies",
        sa.Column("campaign_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True)),
        sa.Column("asked_at", sa.DateTime(timezone=True)),
        sa.Column("detail", sa.Text),
        sa.PrimaryKeyConstraint("campaign_id", "position", name="pk_campaign_studies"),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name="fk_campaign_studies_campaign_id",
        ),
        sa.UniqueConstraint(
            "campaign_id",
            "study_instance_uid",
            name="uq_campaign_studies_campaign_id_study_instance_uid",
        ),
    )
    op.create_index(
        "ix_campaign_studies_campaign_id_state_position",
        "campaign_studies",
        ["campaign_id", "state", "position"],
    )
    op.create_index(
        "ix_campaign_studies_study_instance_uid_asked_at",
        "campaign_studies",
        ["study_instance_uid", "asked_at"],
    )
