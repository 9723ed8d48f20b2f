"""An index of the results that were sent, for who asks which were sent twice."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sent = sa.text("coalesce(event_type, '') = 'results-sent'")
    op.create_index(
        "ix_audit_sent",
        "audit",
        ["study_instance_uid", "node", "recorded_at", "outcome", "event_type"],
        sqlite_where=sent,
        postgresql_where=sent,
    )
