"""A ledger of very many studies, as years of use leave it; the same for each seed."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Table, insert

from dicom_io.evidence import SlotName
from gateway.ledger import DeliveryState, Ledger
from gateway.ledger.schema import deliveries, slots, studies
from gateway.lifecycle import WORKING, State

NEWEST = datetime(2026, 11, 1, 12, tzinfo=UTC)
APART = timedelta(minutes=4)
"""From one study to the next: 360 a day, so 100,000 are nine months."""
TITLES = tuple(f"CR-ROOM-{number}" for number in range(1, 13))
_RARE_TITLE = "PORTABLE-9"
_PIECE = 2000

Row = dict[str, object]

_SHARES: dict[State, float] = {
    State.COMMITTED: 92.0,
    State.KEPT: 1.0,
    State.DECLINED: 4.0,
    State.REJECTED: 0.3,
    State.HELD: 0.5,
    State.PARKED: 0.5,
    State.WITHDRAWN: 0.1,
    State.PURGED: 1.0,
    **dict.fromkeys(WORKING, 0.08),
}


def add_many(ledger: Ledger, count: int, seed: int = 61) -> None:
    """Add `count` studies with their inputs and their results on their ways."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    for start in range(1, count + 1, _PIECE):
        numbers = range(start, min(start + _PIECE, count + 1))
        made = [_study(number, count, chance) for number in numbers]
        _add(ledger, studies, made)
        _add(ledger, slots, [row for study in made for row in _slots(study, chance)])
        _add(ledger, deliveries, [row for study in made for row in _sent(study)])


def uid_of(number: int) -> str:
    """Return the UID of a study by its number."""
    return f"1.2.826.0.1.3680043.10.543.61.{number:08d}"


def _add(ledger: Ledger, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        with ledger.writing() as writing:
            writing._connection.execute(insert(table), rows)  # noqa: SLF001 - in bulk


def _study(number: int, count: int, chance: random.Random) -> Row:
    state = chance.choices(list(_SHARES), list(_SHARES.values()))[0]
    opened = NEWEST - (count - number) * APART
    is_read = state not in {State.DECLINED, *WORKING[:4]}
    findings = chance.randrange(8) if is_read else None
    return {
        "id": number,
        "study_instance_uid": uid_of(number),
        "state": state,
        "revision": 1,
        "reason": "a reason of some length" if state is State.PARKED else None,
        "calling_title": _RARE_TITLE if number % 997 == 0 else chance.choice(TITLES),
        "accession_number": f"A{number:09d}",
        "opened_at": opened,
        "last_arrival_at": opened,
        "changed_at": opened + timedelta(seconds=chance.randrange(20, 400)),
        "attempts": 0,
        "not_before": None,
        "lease_owner": None,
        "lease_until": None,
        "findings": findings,
        "flags": None if findings is None else int(chance.random() < 0.03),
    }


def _slots(study: Row, chance: random.Random) -> Iterator[Row]:
    if study["findings"] is None:
        return
    for name in SlotName:
        yield {
            "study_id": study["id"],
            "revision": 1,
            "name": name,
            "filled": chance.random() < 0.6,
            "source": None,
            "sop_instance_uid": None,
            "document": None,
            "reason": "as it was found",
        }


def _sent(study: Row) -> Iterator[Row]:
    if study["state"] is not State.COMMITTED:
        return
    for number in range(3):
        uid = f"{study['study_instance_uid']}.9.{number}"
        yield {
            "study_id": study["id"],
            "revision": 1,
            "destination": "archive",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.33",
            "sop_instance_uid": uid,
            "file_name": f"results/{uid}",
            "state": DeliveryState.COMMITTED,
            "attempts": 1,
            "first_tried_at": study["changed_at"],
        }
