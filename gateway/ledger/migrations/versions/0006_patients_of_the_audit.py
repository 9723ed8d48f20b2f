"""Whom an audit record is about, and the keys that its identifiers are sealed with."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("patient", sa.String(64)))
    op.create_index("ix_audit_patient", "audit", ["patient"])
    _create_patient_keys()


def _create_patient_keys() -> None:
    op.create_table(
        "patient_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("pseudonym", sa.String(64), nullable=False),
        sa.Column("issuer", sa.Text),
        sa.Column("wrapped_key", sa.Text),
        sa.Column("identity", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_patient_keys"),
    )
    living = sa.text("erased_at IS NULL")
    op.create_index(
        "ix_patient_keys_pseudonym",
        "patient_keys",
        ["pseudonym"],
        unique=True,
        sqlite_where=living,
        postgresql_where=living,
    )
