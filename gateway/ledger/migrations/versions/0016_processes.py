"""The processes at work, leases of recurring jobs, and samples of the last hours.

`running` said of the one process whether it had stopped as asked; now each has a row.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("engine", sa.Text),
        sa.Column("findings", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_processes"),
    )
    op.create_table(
        "jobs",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_jobs"),
    )
    op.create_table(
        "samples",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("received", "reported", "ended", "parked")
        ),
        sa.Column("working", sa.Integer, nullable=False),
        sa.Column("waiting", sa.Integer, nullable=False),
        sa.Column("disk_free", sa.BigInteger, nullable=False),
        sa.Column("memory_free", sa.BigInteger, nullable=False),
        sa.Column("last_move", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_samples"),
    )
    op.add_column("groundings", sa.Column("owner", sa.Text))
    op.execute("DELETE FROM notes WHERE key = 'running'")
