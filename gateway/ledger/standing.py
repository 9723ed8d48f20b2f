"""How the gateway stands: its queues, what became of studies, when peers answered.

Nothing here reads a table that grows from one end to the other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from gateway.fairness import Priority
from gateway.ledger import schema
from gateway.ledger.records import ContactRecord, DeliveryState, StudyRecord
from gateway.ledger.study_listing import StudyListing
from gateway.lifecycle import Event, State

_STUDIES = schema.studies


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Studies in one state: how many, and since when the longest has been there.

    `count` is at most `study_listing.MOST_COUNTED`. `since`: None where there is none.
    """

    state: State
    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Studies of one priority in one state: how many, and since when the oldest."""

    priority: Priority
    state: State
    count: int
    since: datetime


class StandingReading(StudyListing):
    """What the pages ask beside the list itself."""

    def queues(self, states: Collection[State]) -> list[Queue]:
        """Return how many studies are in each of `states`, and since when."""
        return [
            Queue(
                state=state,
                count=self.count_studies((state,)),
                since=self._connection.scalar(
                    select(func.min(_STUDIES.c.changed_at)).where(
                        _STUDIES.c.state == state
                    )
                ),
            )
            for state in states
        ]

    def waiting(self, states: Collection[State]) -> list[Waiting]:
        """Return how many studies of each priority are in each of `states`."""
        keys = (_STUDIES.c.priority, _STUDIES.c.state)
        found = (
            select(
                *keys,
                func.count().label("count"),
                func.min(_STUDIES.c.changed_at).label("since"),
            )
            .where(_STUDIES.c.state.in_(states))
            .group_by(*keys)
            .order_by(*keys)
        )
        return self._all(Waiting, found)

    def slots_filled(
        self, studies: Sequence[StudyRecord]
    ) -> dict[int, tuple[int, int]]:
        """Return how many inputs of each study were filled, of how many."""
        table = schema.slots
        revision = {study.id: study.revision for study in studies}
        found = select(table.c.study_id, table.c.revision, table.c.filled).where(
            table.c.study_id.in_(revision)
        )
        counted: dict[int, tuple[int, int]] = {}
        for study_id, of, filled in self._connection.execute(found):
            if revision[study_id] == of:
                have, all_of_them = counted.get(study_id, (0, 0))
                counted[study_id] = (have + bool(filled), all_of_them + 1)
        return counted

    def delivery_standing(
        self, studies: Sequence[StudyRecord]
    ) -> dict[int, dict[str, dict[DeliveryState, int]]]:
        """Return for each study and destination how many results are in each state."""
        table = schema.deliveries
        revision = {study.id: study.revision for study in studies}
        keys = (table.c.study_id, table.c.revision, table.c.destination, table.c.state)
        found = (
            select(*keys, func.count())
            .where(table.c.study_id.in_(revision))
            .group_by(*keys)
            .order_by(table.c.destination)
        )
        standing: dict[int, dict[str, dict[DeliveryState, int]]] = {}
        for study_id, of, name, state, count in self._connection.execute(found):
            if revision[study_id] == of:
                of_study = standing.setdefault(study_id, {})
                of_study.setdefault(name, {})[state] = int(count)
        return standing

    def deliveries_waiting(
        self, destination: str, state: DeliveryState, most: int
    ) -> tuple[int, datetime | None]:
        """Count deliveries up to `most`; return since when the oldest is tried.

        Of the present revisions: what an older one left undone waits for nobody.
        """
        table, studies = schema.deliveries, schema.studies
        held = (
            select(table.c.first_tried_at)
            .join(studies, studies.c.id == table.c.study_id)
            .where(
                table.c.state == state,
                table.c.destination == destination,
                table.c.revision == studies.c.revision,
            )
            .order_by(table.c.first_tried_at)
            .limit(most)
            .subquery()
        )
        counted = select(func.count(), func.min(held.c.first_tried_at))
        count, since = self._connection.execute(counted).one()
        return int(count), since

    def contacts(self) -> list[ContactRecord]:
        """Return when each peer last did its part."""
        table = schema.contacts
        return self._all(
            ContactRecord, select(table).order_by(table.c.peer, table.c.way)
        )

    def last_move(self) -> int:
        """Return the number of the last step that any study took; 0: none did."""
        return int(self._connection.scalar(select(func.max(schema.moves.c.id))) or 0)

    def moves_after(self, number: int, to: int) -> dict[Event, int]:
        """Count what happened to studies from after one number to another."""
        table = schema.moves
        found = (
            select(table.c.event, func.count())
            .where(table.c.id > number, table.c.id <= to)
            .group_by(table.c.event)
        )
        return dict(self._connection.execute(found).all())
