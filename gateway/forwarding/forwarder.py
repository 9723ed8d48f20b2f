"""Hand the audit on to one repository: in order, none lost, from where it stopped.

The log itself is the store. The ledger keeps, for each repository, the last record
that it has read (`transports` says how that is known); whatever comes between sending
and that note, the batch is sent again, with the same numbers. No transaction is open
while anything is sent.
"""

import logging
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.audit import kinds
from gateway.audit.message import AuditEntry
from gateway.errors import (
    HandoverStopped,
    LostRace,
    RepositoryFailure,
    UnreadableNote,
)
from gateway.forwarding.syslog import (
    AUDIT_MSGID,
    CHECKPOINT_MSGID,
    Item,
    Origin,
    message_of,
)
from gateway.forwarding.transports import Address, Transport, deliver
from gateway.ledger import Ledger, Reading, RepositoryRecord
from gateway.ledger.checkpoints import KeptCheckpoint
from gateway.pausing import pause_before

logger = logging.getLogger(__name__)

BATCH = 200
"""Records of one connection, at most; half as many after each failure in a row."""

_MARGIN_SECONDS = 10.0
"""What a batch may take beyond its deadline, before another process takes over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Seconds before a failed batch is sent again: doubling, with jitter.

    failures_in_a_row : after so many the audit says that the repository fails.
    """

    first: float
    most: float
    failures_in_a_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to one repository.

    in_clear : it is told who the patients are; else what is sealed stays sealed.
    max_datagram_bytes : a longer message does not go by UDP.
    """

    name: str
    address: Address
    origin: Origin
    pauses: Pauses
    in_clear: bool = False
    max_datagram_bytes: int = 8192

    def fits(self, message: bytes) -> bool:
        """Whether a message goes this way."""
        is_datagram = self.address.transport is Transport.UDP
        return not is_datagram or len(message) <= self.max_datagram_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What one connection carries, and how far the repository is then.

    skipped : sequence and bytes of records that are too long for a datagram.
    """

    messages: Sequence[bytes]
    after: RepositoryRecord
    skipped: Sequence[tuple[int, int]] = ()


def drain(
    route: Route,
    ledger: Ledger,
    clock: Callable[[], datetime],
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Send batch after batch, until there is none or it is over."""
    while not is_over() and forward(route, ledger, clock, is_over):
        pass


def forward(
    route: Route,
    ledger: Ledger,
    clock: Callable[[], datetime],
    is_over: Callable[[], bool] = lambda: False,
) -> bool:
    """Send the next batch; return whether there was one and it was read.

    False too while the repository is left alone, or somebody else sends to it.
    """
    now = clock()
    with ledger.reading() as rows:
        known = rows.repository(route.name)
        if known is None or (known.not_before and known.not_before > now):
            return False
        batch = _next_batch(route, rows, known)
    if batch is None:
        return False
    busy = timedelta(seconds=route.address.seconds + _MARGIN_SECONDS)
    with ledger.writing() as rows:
        if not rows.claim_repository(known, now + busy):
            return False
    try:
        deliver(route.address, batch.messages, is_over)
    except HandoverStopped:
        _changed(ledger, known, known, ())
        return False
    except RepositoryFailure as error:
        _note_failure(route, ledger, known, clock(), str(error))
        return False
    return _note_read(route, ledger, known, batch, clock())


def _how_many(known: RepositoryRecord) -> int:
    """Return how many records are sent at one time, 1 at least."""
    return max(1, BATCH >> known.failures)


def _next_batch(route: Route, rows: Reading, known: RepositoryRecord) -> _Batch | None:
    """Return what to send: records, each checkpoint behind the last that it covers."""
    records = rows.audit_after(known.last_sequence, _how_many(known))
    last = records[-1].sequence if records else known.last_sequence
    heads = rows.checkpoints(known.checkpoint_size, BATCH, until=last)
    if not records and not heads:
        return None
    items = [
        Item(
            sequence=record.sequence,
            at=record.recorded_at,
            text=rows.revealed(record.message) if route.in_clear else record.message,
        )
        for record in records
    ]
    items += _items_of(heads)
    # A stable sort: of a record and a checkpoint of one number the record is first.
    items.sort(key=lambda item: item.sequence)
    made = [(item, message_of(item, route.origin)) for item in items]
    return _Batch(
        messages=[message for _, message in made if route.fits(message)],
        after=replace(
            known,
            last_sequence=last,
            checkpoint_size=heads[-1].size if heads else known.checkpoint_size,
        ),
        skipped=[
            (item.sequence, len(message))
            for item, message in made
            # Not of a checkpoint: the record of it would lead to the next one.
            if item.message_id == AUDIT_MSGID and not route.fits(message)
        ],
    )


def _items_of(heads: Sequence[KeptCheckpoint]) -> Iterator[Item]:
    """Yield what is sent of checkpoints; one that was changed proves nothing."""
    for head in heads:
        try:
            signed = head.continuation().checkpoint
        except UnreadableNote:
            continue  # `audit verify` names it
        # Base64: receivers put other characters in place of the ends of lines.
        text = b64encode(head.body.encode()).decode("ascii")
        yield Item(
            sequence=head.size,
            at=signed.at,
            text=text,
            message_id=CHECKPOINT_MSGID,
        )


def _note_read(
    route: Route,
    ledger: Ledger,
    known: RepositoryRecord,
    batch: _Batch,
    now: datetime,
) -> bool:
    """Note how far the repository is; return False where somebody else was first."""
    new = replace(
        batch.after,
        handed_at=now,
        failures=0,
        failing_since=None,
        not_before=None,
        detail=None,
        told=False,
    )
    said = [
        kinds.forwarding_skipped(route.name, sequence, size, now)
        for sequence, size in batch.skipped
    ]
    if not known.told:
        return _changed(ledger, known, new, said)
    logger.info("the audit repository %s takes messages again", route.name)
    waiting = _waiting(ledger, new)
    resumed = kinds.forwarding_resumed(route.name, waiting, now)
    return _changed(ledger, known, new, [*said, resumed])


def _note_failure(
    route: Route, ledger: Ledger, known: RepositoryRecord, now: datetime, why: str
) -> None:
    """Leave the repository alone for a while, longer each time in a row."""
    pauses = route.pauses
    pause = pause_before(known.failures, pauses.first, pauses.most)
    failures = known.failures + 1
    new = replace(
        known,
        failures=failures,
        failing_since=known.failing_since or now,
        not_before=now + pause,
        detail=why,
        told=known.told or failures >= pauses.failures_in_a_row,
    )
    said: list[AuditEntry] = []
    if new.told and not known.told:
        waiting = _waiting(ledger, known)
        said.append(kinds.forwarding_failed(route.name, why, waiting, now))
        logger.warning("the audit repository %s fails: %s", route.name, why)
    _changed(ledger, known, new, said)


def _waiting(ledger: Ledger, repository: RepositoryRecord) -> int:
    with ledger.reading() as rows:
        return rows.last_audit_sequence() - repository.last_sequence


def _changed(
    ledger: Ledger,
    known: RepositoryRecord,
    new: RepositoryRecord,
    said: Sequence[AuditEntry],
) -> bool:
    try:
        with ledger.writing() as rows:
            rows.change_repository(known, new)
            for entry in said:
                rows.append_audit(entry)
    except LostRace:
        return False
    return True
