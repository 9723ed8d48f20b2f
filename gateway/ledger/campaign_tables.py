"""Tables of the campaigns: what is to be brought from an archive, and how far it is."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.ledger.campaign_records import CampaignState, CohortState
from gateway.ledger.columns import UID, Moment, metadata, words

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("project", Text, nullable=False),
    Column("state", words(CampaignState), nullable=False),
    Column("emit", Boolean, nullable=False),
    Column("peer", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("per_hour", Float, nullable=False),
    Column("in_flight", Integer, nullable=False),
    Column("opens", String(5), nullable=False),
    Column("closes", String(5), nullable=False),
    Column("started_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("next_at", Moment, nullable=False),
    Index(None, "state"),
)

campaign_studies = Table(
    "campaign_studies",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("study_instance_uid", UID, nullable=False),
    Column("state", words(CohortState), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Moment),
    Column("asked_at", Moment),
    Column("detail", Text),
    UniqueConstraint("campaign_id", "study_instance_uid"),
    Index(None, "campaign_id", "state", "position"),
    Index(None, "study_instance_uid", "asked_at"),
)
