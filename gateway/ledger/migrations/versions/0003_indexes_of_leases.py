"""The studies that are leased are found without reading all that ever were."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("lease_owner", "lease_until"):
        leased = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_studies_{column}",
            "studies",
            [column],
            sqlite_where=leased,
            postgresql_where=leased,
        )
