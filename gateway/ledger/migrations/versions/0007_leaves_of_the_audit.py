"""The leaf of each record of the audit, and what is signed of it.

The leaf is made by the code of today: its rules never change (`gateway.audit.leaf`).
"""

import sqlalchemy as sa
from alembic import op

from gateway.audit.leaf import leaf_of

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PAGE = 2000


def upgrade() -> None:
    op.add_column(
        "audit",
        sa.Column("leaf", sa.String(64), nullable=False, server_default=""),
    )
    _fill_leaves()
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("peaks", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_audit_checkpoints"),
    )
    op.create_table(
        "audit_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_keys"),
    )


def _fill_leaves() -> None:
    """Give each record that is here its leaf, over the columns that it has now."""
    connection = op.get_bind()
    audit = sa.Table("audit", sa.MetaData(), autoload_with=connection)
    sequences = list(connection.scalars(sa.select(audit.c.sequence)))
    filled = (
        sa.update(audit)
        .where(audit.c.sequence == sa.bindparam("number"))
        .values(leaf=sa.bindparam("made"))
    )
    for first in range(0, len(sequences), PAGE):
        page = audit.c.sequence.in_(sequences[first : first + PAGE])
        rows = connection.execute(sa.select(audit).where(page)).all()
        made = [
            {"number": row.sequence, "made": leaf_of(row._asdict()).hex()}
            for row in rows
        ]
        connection.execute(filled, made)
