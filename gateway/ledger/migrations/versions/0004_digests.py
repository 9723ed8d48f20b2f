"""Digests name their kind, since there is more than one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("instances", "quarantine"):
        with op.batch_alter_table(table) as changed:
            changed.alter_column(
                "sha256",
                new_column_name="digest",
                existing_type=sa.String(64),
                existing_nullable=False,
                type_=sa.String(80),
            )
        rows = sa.table(table, sa.column("digest", sa.String))
        op.execute(sa.update(rows).values(digest=sa.literal("sha256:") + rows.c.digest))
