"""Deliveries as shown to a person, and refused ones sent again.

Speaks of studies by their UIDs; `away` and `delivery` decide what becomes of them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from gateway.audit import kinds
from gateway.errors import NoSuchStudy
from gateway.ledger import (
    DeliveryRecord,
    DeliveryState,
    Ledger,
    Reading,
    SilenceRecord,
    StudyRecord,
    Writing,
)
from gateway.lifecycle import Event, State
from gateway.people import Decider

UNDER_WAY = (DeliveryState.PENDING, DeliveryState.STORED, DeliveryState.REFUSED)
"""What is not over: it waits for its destination, its proof, or a person."""

PARKED = (DeliveryState.REFUSED,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDelivery:
    """One result on its way; `detail` is what was answered last."""

    study_instance_uid: str
    destination: str
    sop_instance_uid: str
    state: DeliveryState
    attempts: int
    first_tried_at: datetime | None
    not_before: datetime | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDestination:
    """How a destination does: its breaker, and what it has and lacks.

    `failures` in a row, since `silent_since`; nobody asks it before
    `left_alone_until`. None: it answered the last time that it was asked.
    """

    name: str
    state: str
    failures: int
    silent_since: datetime | None
    left_alone_until: datetime | None
    pending: int
    stored: int
    committed: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which deliveries are meant; None: any."""

    destination: str | None = None
    study_instance_uid: str | None = None

    def means(self, study_instance_uid: str, row: DeliveryRecord) -> bool:
        """Whether a delivery is meant."""
        return self.destination in (None, row.destination) and (
            self.study_instance_uid in (None, study_instance_uid)
        )


def shown_deliveries(
    rows: Reading, wanted: Wanted, states: Collection[DeliveryState] = UNDER_WAY
) -> list[ShownDelivery]:
    """List deliveries of the present revisions, the oldest first."""
    return [
        ShownDelivery(
            study_instance_uid=uid,
            destination=row.destination,
            sop_instance_uid=row.sop_instance_uid,
            state=row.state,
            attempts=row.attempts,
            first_tried_at=row.first_tried_at,
            not_before=row.not_before,
            detail=row.detail,
        )
        for uid, row in rows.deliveries_in(states)
        if wanted.means(uid, row)
    ]


def shown_destinations(
    rows: Reading, names: Sequence[str], failures_in_a_row: int
) -> list[ShownDestination]:
    """Say how each destination of the settings does."""
    counts = rows.delivery_counts()
    silences = {silence.peer: silence for silence in rows.silences()}
    return [
        _destination(name, counts, silences.get(name), failures_in_a_row)
        for name in names
    ]


def _destination(
    name: str,
    counts: dict[tuple[str, DeliveryState], int],
    silence: SilenceRecord | None,
    failures_in_a_row: int,
) -> ShownDestination:
    def count(state: DeliveryState) -> int:
        return counts.get((name, state), 0)

    return ShownDestination(
        name=name,
        state=standing_of(silence, failures_in_a_row),
        failures=0 if silence is None else silence.failures,
        silent_since=None if silence is None else silence.since,
        left_alone_until=None if silence is None else silence.until,
        pending=count(DeliveryState.PENDING),
        stored=count(DeliveryState.STORED),
        committed=count(DeliveryState.COMMITTED),
        refused=count(DeliveryState.REFUSED),
    )


def standing_of(silence: SilenceRecord | None, failures_in_a_row: int) -> str:
    """Return how a peer does in one word: answers, slow, failed or silent."""
    if silence is None:
        return "answers"
    if not silence.failures:
        return "slow"
    return "silent" if silence.failures >= failures_in_a_row else "failed"


def resend(
    ledger: Ledger, wanted: Wanted, by: Decider, now: datetime
) -> list[StudyRecord]:
    """Put refused results back into the outbox; return their studies.

    Each study in a transaction with its audit record; one that moved meanwhile is
    as it is then. Raises NoSuchStudy for an unknown UID.
    """
    with ledger.reading() as rows:
        uid = wanted.study_instance_uid
        if uid is not None and rows.study(uid) is None:
            raise NoSuchStudy(f"no study {uid[:64]!r}")
        found = [u for u, row in rows.deliveries_in(PARKED) if wanted.means(u, row)]
    moved = (_resend_one(ledger, each, wanted, by, now) for each in _each_once(found))
    return [study for study in moved if study is not None]


def _each_once(uids: Iterable[str]) -> list[str]:
    return [uid for uid, _ in groupby(sorted(uids))]


def _resend_one(
    ledger: Ledger, uid: str, wanted: Wanted, by: Decider, now: datetime
) -> StudyRecord | None:
    with ledger.writing() as rows:
        study = rows.study(uid)
        if study is None:
            return None
        outbox = rows.deliveries(study.id, study.revision)
        refused = [
            row for row in outbox if row.state in PARKED and wanted.means(uid, row)
        ]
        if not refused:
            return None
        reopen(rows, refused, now)
        names = [row.destination for row in refused]
        entry = kinds.results_resent(uid, names, len(refused), by, now)
        rows.append_audit(entry)
        return _set_going(rows, study, by, now)


def _set_going(
    rows: Writing, study: StudyRecord, by: Decider, now: datetime
) -> StudyRecord:
    """Let a worker take the study at once; one that is parked is sent again."""
    if study.state is State.PARKED:
        reason = f"sent again by {by}: {by.why}"
        return rows.move(study, Event.SENDING_RETRIED, now, reason=reason)
    rows.wake(study.id, now)
    return rows.study_by_id(study.id)


def reopen(rows: Writing, refused: Iterable[DeliveryRecord], now: datetime) -> None:
    """Put what was refused back into the outbox: a person asked for another try."""
    for row in refused:
        rows.update_delivery(
            row.id,
            state=DeliveryState.PENDING,
            now=now,
            detail="tried again on request",
            attempts=0,
            not_before=None,
            transaction_uid=None,
        )
