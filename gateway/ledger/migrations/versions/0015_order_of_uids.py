"""PostgreSQL: UIDs in the order of their characters; an index has its own name."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return  # SQLite compares characters by itself
    op.execute("ALTER INDEX ix_audit_scan RENAME TO ix_audit_scan_short")
    op.alter_column(
        "studies",
        "study_instance_uid",
        existing_type=sa.String(64),
        existing_nullable=False,
        type_=sa.String(64, collation="C"),
    )
