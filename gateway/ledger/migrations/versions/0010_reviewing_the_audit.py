"""By what reviewers search the log: who asked in what role, where, and indexes.

Records that are there already get no value in the new columns: the tree of the log
covers them as they are.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BY_TIME = ("event", "event_type", "study_instance_uid", "patient", "user")
_SCANNED = (
    "recorded_at",
    "event",
    "event_type",
    "action",
    "outcome",
    "user",
    "person_role",
    "node",
    "address",
)


def upgrade() -> None:
    op.add_column("audit", sa.Column("person_role", sa.String(64)))
    op.add_column("audit", sa.Column("node", sa.Text))
    op.add_column("audit", sa.Column("address", sa.Text))
    for column in ("recorded_at", "event", "study_instance_uid", "patient"):
        op.drop_index(f"ix_audit_{column}", "audit")
    for column in _BY_TIME:
        op.create_index(
            f"ix_audit_{column}_recorded_at", "audit", [column, "recorded_at"]
        )
    _create_partial(
        "ix_audit_people",
        [
            "recorded_at",
            "user",
            "event",
            "event_type",
            "study_instance_uid",
            "person_role",
        ],
        "person_role IS NOT NULL",
    )
    _create_partial("ix_audit_failures", ["recorded_at", "outcome"], "outcome > 0")
    # An entry of an index of PostgreSQL holds at most 2,704 bytes.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    scanned = [*_SCANNED, "detail"] if is_sqlite else [*_SCANNED]
    op.create_index("ix_audit_scan", "audit", scanned)
    _create_saved_filters()
    _create_reviews()


def _create_partial(name: str, columns: list[str], condition: str) -> None:
    few = sa.text(condition)
    op.create_index(name, "audit", columns, sqlite_where=few, postgresql_where=few)


def _create_saved_filters() -> None:
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_filters"),
        sa.UniqueConstraint("owner", "name", name="uq_saved_filters_owner_name"),
    )


def _create_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_sequence", sa.Integer, nullable=False),
        sa.Column("records", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("reviewer", sa.Text, nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
    )
    op.create_index("ix_reviews_reviewed_at", "reviews", ["reviewed_at"])
