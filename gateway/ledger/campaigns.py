"""Campaigns: what is asked about them, and what changes of them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from sqlalchemy import Table, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import LostRace
from gateway.fairness import Group, Priority
from gateway.ledger import schema
from gateway.ledger.campaign_records import (
    CampaignCounts,
    CampaignRecord,
    CampaignState,
    CohortRecord,
    CohortState,
    NewCampaign,
)
from gateway.ledger.campaign_tables import campaign_studies, campaigns
from gateway.ledger.records import Admission
from gateway.ledger.rows import Rows
from gateway.lifecycle import WORKING, State

ASKED_WINDOW = timedelta(hours=1)
"""How long what an archive sends of a study is taken for the campaign's."""

S = TypeVar("S", bound=StrEnum)

_PIECE = 1000
_OPEN = (CohortState.WAITING, CohortState.ASKED)


class CampaignReading(Rows):
    """What is asked about campaigns."""

    def campaign(self, name: str) -> CampaignRecord | None:
        """Return the campaign with this name."""
        return self._first(CampaignRecord, select(campaigns).filter_by(name=name))

    def campaigns(
        self, states: Collection[CampaignState] | None = None
    ) -> list[CampaignRecord]:
        """Return campaigns in any of `states` (None: in all), the oldest first."""
        found = select(campaigns).order_by(campaigns.c.id)
        if states is not None:
            found = found.where(campaigns.c.state.in_(states))
        return self._all(CampaignRecord, found)

    def campaign_counts(self, campaign_id: int) -> CampaignCounts:
        """Count the studies of a campaign by where they are; reads all of them."""
        return CampaignCounts(
            cohort=self._by_state(campaign_studies, campaign_id),
            studies=self._by_state(schema.studies, campaign_id),
        )

    def campaign_cohort(
        self,
        campaign_id: int,
        states: Collection[CohortState],
        limit: int,
    ) -> list[CohortRecord]:
        """Return studies of a campaign in any of `states`, in their order."""
        table = campaign_studies
        found = select(table).where(
            table.c.campaign_id == campaign_id, table.c.state.in_(states)
        )
        return self._all(CohortRecord, found.order_by(table.c.position).limit(limit))

    def campaign_in_flight(self, campaign_id: int, most: int) -> int:
        """Count the studies of a campaign that are asked for or at work, to `most`."""
        runs = [
            select(campaign_studies.c.position).where(
                campaign_studies.c.campaign_id == campaign_id,
                campaign_studies.c.state == CohortState.ASKED,
            ),
            select(schema.studies.c.id).where(
                schema.studies.c.campaign_id == campaign_id,
                schema.studies.c.state.in_(WORKING),
            ),
        ]
        found = (run.limit(most).subquery() for run in runs)
        counts = (select(func.count()).select_from(each) for each in found)
        return sum(int(self._connection.scalar(each) or 0) for each in counts)

    def campaign_is_over(self, campaign_id: int) -> bool:
        """Whether nothing of a campaign is to be asked for or at work."""
        table = campaign_studies
        unasked = select(table.c.position).where(
            table.c.campaign_id == campaign_id, table.c.state.in_(_OPEN)
        )
        if self._connection.execute(unasked.limit(1)).first() is not None:
            return False
        return not self.campaign_in_flight(campaign_id, 1)

    def _by_state(self, table: Table, campaign_id: int) -> dict[S, int]:
        state = table.c.state
        counted = (
            select(state, func.count())
            .where(table.c.campaign_id == campaign_id)
            .group_by(state)
        )
        return dict(self._connection.execute(counted).all())

    def others_wait(self, states: Collection[State]) -> bool:
        """Whether a study that is no back-fill is in one of `states`."""
        values = {"states": [*states]}
        return self._connection.execute(_OTHERS, values).first() is not None

    def asked_by_campaign(
        self, study_instance_uid: str, now: datetime
    ) -> tuple[str, Admission] | None:
        """Return whom a campaign asks for a study just now, and as what it comes."""
        values = {"uid": study_instance_uid, "since": now - ASKED_WINDOW}
        row = self._connection.execute(_ASKED, values).mappings().first()
        if row is None:
            return None
        group = Group(priority=Priority.BACK_FILL, project=row["project"])
        return row["peer"], Admission(
            group=group, emit=row["emit"], campaign_id=row["id"]
        )


class CampaignWriting(CampaignReading):
    """What changes of them."""

    def add_campaign(
        self, new: NewCampaign, uids: Iterable[str], by: str, now: datetime
    ) -> CampaignRecord:
        """Keep a campaign and its studies, each named once.

        Raises LostRace where the name is taken.
        """
        throttle = asdict(new.throttle)
        plain = {k: v for k, v in asdict(new).items() if k != "throttle"}
        added = insert(campaigns).values(
            state=CampaignState.RUNNING,
            started_by=by,
            created_at=now,
            changed_at=now,
            next_at=now,
            **plain,
            **throttle,
        )
        try:
            with self._refusable():
                row = self._connection.execute(added.returning(campaigns))
                campaign = CampaignRecord(**row.mappings().one())
        except IntegrityError as error:
            raise LostRace(f"there is a campaign {new.name!r}") from error
        for piece in _pieces(uids):
            rows = [
                {
                    "campaign_id": campaign.id,
                    "position": position,
                    "study_instance_uid": uid,
                    "state": CohortState.WAITING,
                    "attempts": 0,
                }
                for position, uid in piece
            ]
            self._connection.execute(insert(campaign_studies), rows)
        return campaign

    def set_campaign(
        self,
        campaign: CampaignRecord,
        state: CampaignState,
        now: datetime,
    ) -> CampaignRecord:
        """Bring a campaign into a state; raises LostRace where it left its own."""
        changed = (
            update(campaigns)
            .where(campaigns.c.id == campaign.id, campaigns.c.state == campaign.state)
            .values(state=state, changed_at=now)
            .returning(campaigns)
        )
        row = self._connection.execute(changed).mappings().first()
        if row is None:
            raise LostRace(f"campaign {campaign.name!r} is no longer {campaign.state}")
        return CampaignRecord(**row)

    def claim_cohort(
        self,
        campaign: CampaignRecord,
        now: datetime,
        *,
        until: datetime,
        next_at: datetime,
    ) -> CohortRecord | None:
        """Take the next study to be asked for; None: there is none, or not now.

        Nobody else takes one before `next_at`, nor this one before `until`. A claim
        that ran out counts as a failed attempt of its study.
        """
        paced = (
            update(campaigns)
            .where(
                campaigns.c.id == campaign.id,
                campaigns.c.state == CampaignState.RUNNING,
                campaigns.c.next_at <= now,
            )
            .values(next_at=next_at)
        )
        if self._connection.execute(paced).rowcount != 1:
            return None
        self._free_cohort(campaign.id, now)
        table = campaign_studies
        first = (
            select(table.c.position)
            .where(
                table.c.campaign_id == campaign.id,
                table.c.state == CohortState.WAITING,
                func.coalesce(table.c.not_before, now) <= now,
            )
            .order_by(table.c.position)
            .limit(1)
        )
        claimed = (
            update(table)
            .where(
                table.c.campaign_id == campaign.id,
                table.c.position == first.scalar_subquery(),
            )
            .values(state=CohortState.ASKED, not_before=until, asked_at=now)
            .returning(table)
        )
        row = self._connection.execute(claimed).mappings().first()
        return None if row is None else CohortRecord(**row)

    def settle_cohort(
        self, record: CohortRecord, state: CohortState, detail: str | None
    ) -> None:
        """Note what became of a claimed study; raises LostRace where it is lost."""
        self._set_cohort(record, state=state, detail=detail, not_before=None)

    def postpone_cohort(
        self, record: CohortRecord, not_before: datetime, detail: str, attempts: int
    ) -> None:
        """Have a claimed study asked for again; raises LostRace where it is lost."""
        self._set_cohort(
            record,
            state=CohortState.WAITING,
            not_before=not_before,
            detail=detail,
            attempts=attempts,
        )

    def delay_campaign(self, campaign_id: int, until: datetime) -> None:
        """Ask for nothing of a campaign before then."""
        self._connection.execute(
            update(campaigns)
            .where(campaigns.c.id == campaign_id, campaigns.c.next_at < until)
            .values(next_at=until)
        )

    def hasten_campaign(self, campaign_id: int, now: datetime) -> None:
        """Let the next study be asked for at once: the last one cost nothing."""
        self._connection.execute(
            update(campaigns).where(campaigns.c.id == campaign_id).values(next_at=now)
        )

    def free_cohorts(self) -> None:
        """Let what was asked for be asked for again: the caller knows nobody does."""
        for campaign in self.campaigns([CampaignState.RUNNING, CampaignState.PAUSED]):
            self._free_cohort(campaign.id, None)

    def _free_cohort(self, campaign_id: int, before: datetime | None) -> None:
        table = campaign_studies
        freed = update(table).where(
            table.c.campaign_id == campaign_id, table.c.state == CohortState.ASKED
        )
        if before is not None:
            freed = freed.where(table.c.not_before <= before)
        self._connection.execute(
            freed.values(
                state=CohortState.WAITING,
                not_before=None,
                attempts=table.c.attempts + 1,
            )
        )

    def _set_cohort(self, record: CohortRecord, **change: object) -> None:
        table = campaign_studies
        changed = (
            update(table)
            .where(
                table.c.campaign_id == record.campaign_id,
                table.c.position == record.position,
                table.c.state == record.state,
                table.c.asked_at == record.asked_at,
            )
            .values(**change)
        )
        if self._connection.execute(changed).rowcount != 1:
            raise LostRace("somebody else has asked for the study")


def _pieces(uids: Iterable[str]) -> Iterator[Sequence[tuple[int, str]]]:
    numbered = enumerate(uids)
    while piece := tuple(islice(numbered, _PIECE)):
        yield piece


_OTHERS = (
    select(schema.studies.c.id)
    .where(
        schema.studies.c.state.in_(bindparam("states", expanding=True)),
        schema.studies.c.priority.in_([Priority.URGENT, Priority.ROUTINE]),
    )
    .limit(1)
)
_ASKED = (
    select(campaigns.c.id, campaigns.c.peer, campaigns.c.project, campaigns.c.emit)
    .join(campaign_studies, campaign_studies.c.campaign_id == campaigns.c.id)
    .where(
        campaign_studies.c.study_instance_uid == bindparam("uid"),
        campaign_studies.c.asked_at.is_not(None),
        campaign_studies.c.state.in_([CohortState.ASKED, CohortState.TAKEN]),
        campaign_studies.c.asked_at > bindparam("since"),
    )
    .order_by(campaign_studies.c.asked_at.desc())
    .limit(1)
)
