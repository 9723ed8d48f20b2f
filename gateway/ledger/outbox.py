"""Questions about other nodes: what is on its way to them, and who is silent."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, func, select

from gateway.ledger import schema
from gateway.ledger.records import (
    CommitmentItemRecord,
    CommitmentRecord,
    CommitmentState,
    DeliveryRecord,
    DeliveryState,
    SilenceRecord,
)
from gateway.ledger.rows import Rows


class OutboxReading(Rows):
    """What is asked about deliveries, silent peers and commitments of ours."""

    def deliveries(
        self, study_id: int, revision: int, destination: str | None = None
    ) -> list[DeliveryRecord]:
        """Return where the results of a revision stand on their ways."""
        named = {"study_id": study_id, "revision": revision}
        if destination is None:
            return self._all(DeliveryRecord, _DELIVERIES, **named)
        return self._all(DeliveryRecord, _TO_ONE, destination=destination, **named)

    def deliveries_of_transaction(self, transaction_uid: str) -> list[DeliveryRecord]:
        """Return what a storage commitment request named (PS3.4 J.3.2)."""
        table = schema.deliveries
        found = select(table).where(table.c.transaction_uid == transaction_uid)
        return self._all(DeliveryRecord, found.order_by(table.c.id))

    def deliveries_in(
        self, states: Collection[DeliveryState]
    ) -> list[tuple[str, DeliveryRecord]]:
        """Return deliveries in `states` of the present revisions, the oldest first.

        Each with its Study Instance UID: what an older revision left undone is not
        tried any more.
        """
        table, studies = schema.deliveries, schema.studies
        found = (
            select(studies.c.study_instance_uid, table)
            .join(studies, studies.c.id == table.c.study_id)
            .where(table.c.state.in_(states), table.c.revision == studies.c.revision)
            .order_by(table.c.id)
        )
        rows = (dict(row) for row in self._connection.execute(found).mappings())
        return [(row.pop("study_instance_uid"), DeliveryRecord(**row)) for row in rows]

    def delivery_counts(self) -> dict[tuple[str, DeliveryState], int]:
        """Return how many deliveries each destination has in each state."""
        table = schema.deliveries
        found = select(table.c.destination, table.c.state, func.count()).group_by(
            table.c.destination, table.c.state
        )
        rows = self._connection.execute(found)
        return {(name, state): int(count) for name, state, count in rows}

    def silence(self, peer: str) -> SilenceRecord | None:
        """Return what is known of a peer that does not answer; None: it may."""
        return self._one(SilenceRecord, _SILENCE, peer=peer)

    def silences(self) -> list[SilenceRecord]:
        """Return every peer that does not answer just now."""
        table = schema.silences
        return self._all(SilenceRecord, select(table).order_by(table.c.peer))

    def commitment(self, transaction_uid: str) -> CommitmentRecord | None:
        """Return a request for storage commitment by its transaction."""
        table = schema.commitments
        found = select(table).where(table.c.transaction_uid == transaction_uid)
        return self._first(CommitmentRecord, found)

    def commitment_items(self, commitment_id: int) -> list[CommitmentItemRecord]:
        """Return the instances that a request names, in its order."""
        table = schema.commitment_items
        found = select(table).where(table.c.commitment_id == commitment_id)
        return self._all(CommitmentItemRecord, found.order_by(table.c.position))

    def commitments_due(self, now: datetime, limit: int) -> list[CommitmentRecord]:
        """Return requests that are to be decided or reported by now, oldest first."""
        table = schema.commitments
        found = select(table).where(
            table.c.state.in_([CommitmentState.ASKED, CommitmentState.DECIDED]),
            table.c.not_before <= now,
        )
        oldest_first = found.order_by(table.c.not_before, table.c.id)
        return self._all(CommitmentRecord, oldest_first.limit(limit))

    def commitments_open(self) -> int:
        """Return how many requests are not decided or not reported."""
        table = schema.commitments
        found = select(func.count()).where(
            table.c.state.in_([CommitmentState.ASKED, CommitmentState.DECIDED])
        )
        return int(self._connection.scalar(found) or 0)


# Asked several times for each study: put together once.
_DELIVERIES = (
    select(schema.deliveries)
    .where(
        schema.deliveries.c.study_id == bindparam("study_id"),
        schema.deliveries.c.revision == bindparam("revision"),
    )
    .order_by(schema.deliveries.c.id)
)
_TO_ONE = _DELIVERIES.where(schema.deliveries.c.destination == bindparam("destination"))
_SILENCE = select(schema.silences).where(schema.silences.c.peer == bindparam("peer"))
