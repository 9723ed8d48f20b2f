"""What the list of studies shows and searches, and when peers last did their part."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_PIECE = 500
_STUDIES = sa.table(
    "studies",
    sa.column("id", sa.Integer),
    sa.column("revision", sa.Integer),
    sa.column("accession_number", sa.String),
    sa.column("findings", sa.Integer),
    sa.column("flags", sa.Integer),
)
_DOCUMENTS = sa.table(
    "documents",
    sa.column("study_id", sa.Integer),
    sa.column("revision", sa.Integer),
    sa.column("document", sa.String),
    sa.column("body", sa.Text),
)


def upgrade() -> None:
    for name, kind in (
        ("accession_number", sa.String(64)),
        ("findings", sa.Integer),
        ("flags", sa.Integer),
    ):
        op.add_column("studies", sa.Column(name, kind))
    _fill()
    _create_indexes()
    op.create_table(
        "contacts",
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("way", sa.String(32), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("failed_at", sa.DateTime(timezone=True)),
        sa.Column("detail", sa.Text),
        sa.PrimaryKeyConstraint("peer", "way", name="pk_contacts"),
    )


def _create_indexes() -> None:
    op.create_index("ix_studies_accession_number", "studies", ["accession_number"])
    op.create_index(
        "ix_studies_calling_title_changed_at",
        "studies",
        ["calling_title", "changed_at"],
    )
    flagged = sa.text("flags > 0")
    op.create_index(
        "ix_studies_flagged",
        "studies",
        ["changed_at"],
        sqlite_where=flagged,
        postgresql_where=flagged,
    )
    op.create_index(
        "ix_deliveries_state_destination_first_tried_at",
        "deliveries",
        ["state", "destination", "first_tried_at"],
    )


def _fill() -> None:
    """Count the reports of present revisions, a piece of the studies at a time."""
    connection, last = op.get_bind(), 0
    while True:
        ids = list(
            connection.scalars(
                sa.select(_STUDIES.c.id)
                .where(_STUDIES.c.id > last)
                .order_by(_STUDIES.c.id)
                .limit(_PIECE)
            )
        )
        if not ids:
            return
        _fill_piece(connection, ids)
        last = ids[-1]


def _fill_piece(connection: sa.Connection, ids: list[int]) -> None:
    found = (
        sa.select(_STUDIES.c.id, _DOCUMENTS.c.document, _DOCUMENTS.c.body)
        .join(
            _DOCUMENTS,
            sa.and_(
                _DOCUMENTS.c.study_id == _STUDIES.c.id,
                _DOCUMENTS.c.revision == _STUDIES.c.revision,
            ),
        )
        .where(_STUDIES.c.id.in_(ids), _DOCUMENTS.c.document.in_(["views", "reports"]))
    )
    for number, document, body in list(connection.execute(found)):
        values = _counts(body) if document == "reports" else _accession(body)
        if values:
            connection.execute(
                sa.update(_STUDIES).where(_STUDIES.c.id == number).values(values)
            )


def _counts(body: str) -> dict[str, int]:
    """Count as `stages.reporting.counted` does; nothing for what is no report."""
    try:
        reports = json.loads(body)
        told = [each for each in reports if each["task"] != "phrase-grounding"]
        findings = max((len(each["phrases"]) for each in told), default=0)
        flags = sum(len(each["flags"]) for each in reports)
    except (ValueError, TypeError, KeyError):
        return {}
    return {"findings": findings, "flags": flags}


def _accession(body: str) -> dict[str, str]:
    """Return the Accession Number of the frontal that was chosen."""
    try:
        views = json.loads(body)
        found = (views["frontal"] or views["lateral"])["accession_number"]
    except (ValueError, TypeError, KeyError):
        return {}
    return {"accession_number": found[:64]} if isinstance(found, str) else {}
