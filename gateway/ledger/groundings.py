"""Phrases that people have the model look for in a study: questions and changes."""

from datetime import datetime

from sqlalchemy import func, insert, select, update

from gateway.errors import LostRace
from gateway.ledger import schema
from gateway.ledger.records import GroundingRecord, GroundingState
from gateway.ledger.rows import Rows


class GroundingReading(Rows):
    """What is asked about phrases."""

    def grounding(self, grounding_id: int) -> GroundingRecord | None:
        """Return what was asked under this number."""
        table = schema.groundings
        found = select(table).where(table.c.id == grounding_id)
        return self._first(GroundingRecord, found)

    def groundings(self, study_id: int, revision: int) -> list[GroundingRecord]:
        """Return what was asked about a revision, the oldest first."""
        table = schema.groundings
        found = select(table).where(
            table.c.study_id == study_id, table.c.revision == revision
        )
        return self._all(GroundingRecord, found.order_by(table.c.id))

    def groundings_due(self, now: datetime, limit: int) -> list[GroundingRecord]:
        """Return what is to be asked of the model by now, the oldest first."""
        table = schema.groundings
        found = select(table).where(
            table.c.state == GroundingState.ASKED, table.c.not_before <= now
        )
        oldest_first = found.order_by(table.c.not_before, table.c.id)
        return self._all(GroundingRecord, oldest_first.limit(limit))

    def groundings_open(self, study_id: int) -> int:
        """Return how many phrases wait for their answer in a study."""
        table = schema.groundings
        found = select(func.count()).where(
            table.c.study_id == study_id, table.c.state == GroundingState.ASKED
        )
        return int(self._connection.scalar(found) or 0)


class GroundingWriting(GroundingReading):
    """What changes of them."""

    def ask_grounding(
        self, study_id: int, revision: int, phrase: str, asked_by: str, now: datetime
    ) -> GroundingRecord:
        """Keep what a person asks; a worker answers."""
        table = schema.groundings
        asked = insert(table).values(
            study_id=study_id,
            revision=revision,
            phrase=phrase,
            state=GroundingState.ASKED,
            asked_by=asked_by,
            asked_at=now,
            attempts=0,
            not_before=now,
        )
        row = self._connection.execute(asked.returning(table)).mappings().one()
        return GroundingRecord(**row)

    def claim_grounding(
        self, record: GroundingRecord, until: datetime, owner: str | None = None
    ) -> GroundingRecord | None:
        """Let nobody else ask until then; None: somebody else does.

        A claim counts as an attempt, so one that kills its worker is seen.
        owner : the process, by which `free_groundings` knows what a dead one held.
        """
        table = schema.groundings
        claimed = (
            update(table)
            .where(
                table.c.id == record.id,
                table.c.state == GroundingState.ASKED,
                table.c.not_before == record.not_before,
            )
            .values(not_before=until, attempts=table.c.attempts + 1, owner=owner)
            .returning(table)
        )
        row = self._connection.execute(claimed).mappings().first()
        return None if row is None else GroundingRecord(**row)

    def postpone_grounding(
        self, record: GroundingRecord, not_before: datetime, why: str, attempts: int
    ) -> None:
        """Have it asked again later; raises LostRace where it is no longer claimed."""
        self._set_grounding(
            record, not_before=not_before, detail=why, attempts=attempts
        )

    def free_groundings(self, now: datetime, owner: str | None = None) -> None:
        """Let be asked at once what a dead process held; None: no worker lives."""
        table = schema.groundings
        held = [table.c.state == GroundingState.ASKED, table.c.not_before > now]
        if owner is not None:
            held.append(table.c.owner == owner)
        self._connection.execute(update(table).where(*held).values(not_before=now))

    def answer_grounding(
        self, record: GroundingRecord, body: str, now: datetime
    ) -> None:
        """Keep the answer; raises LostRace where it is no longer claimed."""
        self._set_grounding(
            record,
            state=GroundingState.ANSWERED,
            answered_at=now,
            body=body,
            detail=None,
        )

    def refuse_grounding(
        self, record: GroundingRecord, why: str, now: datetime
    ) -> None:
        """Note that there is no answer; raises LostRace where it is not claimed."""
        self._set_grounding(
            record, state=GroundingState.REFUSED, answered_at=now, detail=why
        )

    def _set_grounding(self, record: GroundingRecord, **change: object) -> None:
        table = schema.groundings
        changed = (
            update(table)
            .where(
                table.c.id == record.id,
                table.c.state == GroundingState.ASKED,
                table.c.not_before == record.not_before,
            )
            .values(**change)
        )
        if self._connection.execute(changed).rowcount != 1:
            raise LostRace("somebody else has answered the phrase")
