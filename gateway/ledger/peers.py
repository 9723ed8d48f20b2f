"""Changes about other nodes: who is silent, and what they asked us to commit to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from gateway.errors import LostRace
from gateway.ledger import schema
from gateway.ledger.reading import Reading
from gateway.ledger.records import (
    CommitmentRecord,
    CommitmentState,
    ContactRecord,
    DeliveryState,
    SilenceRecord,
)

_UNDER_WAY = "under way in process "
"""How the detail of a delivery that is held begins."""
_FINAL = (CommitmentState.REPORTED, CommitmentState.GIVEN_UP)


class PeerWriting(Reading):
    """What changes of silent peers, deliveries under way, and commitments."""

    def put_silence(self, silence: SilenceRecord) -> None:
        """Keep that a peer is silent, instead of what was known."""
        self.drop_silence(silence.peer)
        self._connection.execute(insert(schema.silences).values(asdict(silence)))

    def put_contact(self, contact: ContactRecord) -> None:
        """Keep when a peer last did its part; what it does not say stays as it was."""
        table = schema.contacts
        key = {"peer": contact.peer, "way": contact.way}
        known = self._first(ContactRecord, select(table).filter_by(**key))
        said = {name: value for name, value in asdict(contact).items() if value}
        self._connection.execute(delete(table).filter_by(**key))
        before = {} if known is None else asdict(known)
        self._connection.execute(insert(table).values({**before, **said}))

    def drop_silence(self, peer: str) -> None:
        """Forget that a peer was silent."""
        table = schema.silences
        self._connection.execute(delete(table).where(table.c.peer == peer))

    def hold_delivery(
        self, delivery_id: int, attempts: int, until: datetime, process: str
    ) -> None:
        """Let nobody else try a delivery that `process` still has under way.

        Nothing happens where its try has ended meanwhile, which was number
        `attempts`.
        """
        table = schema.deliveries
        self._connection.execute(
            update(table)
            .where(
                table.c.id == delivery_id,
                table.c.state == DeliveryState.PENDING,
                table.c.attempts == attempts,
            )
            .values(not_before=until, detail=f"{_UNDER_WAY}{process}")
        )

    def free_deliveries(self, now: datetime, process: str | None = None) -> None:
        """Let be sent at once what a dead process had under way; None: no worker lives.

        Some of it may have arrived: a destination takes the same instance again. The
        answer that it owes to the dead is waited for no longer.
        """
        detail, table = schema.deliveries.c.detail, schema.silences
        whose = (
            detail.startswith(_UNDER_WAY)
            if process is None
            else detail == f"{_UNDER_WAY}{process}"
        )
        owing = self._wake_deliveries(now, whose)
        self._connection.execute(
            delete(table).where(table.c.peer.in_(owing), table.c.failures == 0)
        )

    def wake_deliveries(self, destination: str, detail: str, now: datetime) -> None:
        """Let what waits with this `detail` for a destination be sent at once."""
        table = schema.deliveries
        is_one = and_(table.c.destination == destination, table.c.detail == detail)
        self._wake_deliveries(now, is_one)

    def _wake_deliveries(self, now: datetime, is_one: ColumnElement[bool]) -> set[str]:
        """Let deliveries be sent at once, and return the destinations."""
        table, studies = schema.deliveries, schema.studies
        woken = (
            update(table)
            .where(
                table.c.state == DeliveryState.PENDING,
                table.c.not_before > now,
                is_one,
            )
            .values(not_before=now)
            .returning(table.c.study_id, table.c.destination)
        )
        found = self._connection.execute(woken).all()
        waiting = {study_id for study_id, _ in found}
        self._connection.execute(
            update(studies)
            .where(studies.c.id.in_(waiting), studies.c.not_before > now)
            .values(not_before=now, due_at=now)
        )
        return {destination for _, destination in found}

    def add_commitment(
        self,
        transaction_uid: str,
        peer: str,
        references: Sequence[tuple[str, str]],
        now: datetime,
    ) -> CommitmentRecord:
        """Keep a request; `references` are SOP Class and SOP Instance UIDs.

        Raises LostRace where the transaction is known.
        """
        if self.commitment(transaction_uid) is not None:
            raise LostRace(f"transaction {transaction_uid} is known")
        table = schema.commitments
        added = insert(table).values(
            transaction_uid=transaction_uid,
            peer=peer,
            state=CommitmentState.ASKED,
            received_at=now,
            attempts=0,
            not_before=now,
        )
        row = self._connection.execute(added.returning(table)).mappings().one()
        record = CommitmentRecord(**row)
        items = [
            {
                "commitment_id": record.id,
                "position": position,
                "sop_class_uid": class_uid,
                "sop_instance_uid": instance_uid,
                "kept_here": False,
            }
            for position, (class_uid, instance_uid) in enumerate(references)
        ]
        self._connection.execute(insert(schema.commitment_items), items)
        return record

    def claim_commitment(self, record: CommitmentRecord, until: datetime) -> bool:
        """Let nobody else work on a request until then; False: somebody else does."""
        table = schema.commitments
        claimed = (
            update(table)
            .where(
                table.c.id == record.id,
                table.c.state == record.state,
                table.c.not_before == record.not_before,
            )
            .values(not_before=until)
        )
        return self._connection.execute(claimed).rowcount == 1

    def decide_items(
        self, commitment_id: int, reasons: Mapping[int, int], *, kept_here: bool
    ) -> None:
        """Keep what we commit to, by position: 0, or a Failure Reason."""
        table = schema.commitment_items
        for position, reason in reasons.items():
            self._connection.execute(
                update(table)
                .where(
                    table.c.commitment_id == commitment_id,
                    table.c.position == position,
                    table.c.reason.is_(None),
                )
                .values(reason=reason, kept_here=kept_here and reason == 0)
            )

    def set_commitment(
        self,
        commitment_id: int,
        state: CommitmentState,
        not_before: datetime,
        *,
        attempts: int = 0,
        detail: str | None = None,
    ) -> None:
        """Note where a request stands, and when it is to be looked at again."""
        table = schema.commitments
        self._connection.execute(
            update(table)
            .where(table.c.id == commitment_id)
            .values(
                state=state, not_before=not_before, attempts=attempts, detail=detail
            )
        )

    def forget_commitments(self, before: datetime) -> int:
        """Forget what is over since before then; return how many requests.

        One that we commit to by our own copy stays as long as the copy.
        """
        table, items = schema.commitments, schema.commitment_items
        kept = select(items.c.commitment_id).where(items.c.kept_here.is_(True))
        over = select(table.c.id).where(
            table.c.state.in_(_FINAL),
            table.c.not_before < before,
            table.c.id.not_in(kept),
        )
        gone = list(self._connection.scalars(over))
        self._connection.execute(delete(items).where(items.c.commitment_id.in_(gone)))
        self._connection.execute(delete(table).where(table.c.id.in_(gone)))
        return len(gone)
