"""Count at the end: what was acknowledged, what is stored, what the archive has.

Read with sqlite3, pydicom and the hashes alone, none of it by the code under test.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from blake3 import blake3

from dicom_io.archive import Archive
from tests.data.archives import own_objects
from tests.faults.scene import Item, data_of

RESULT_SET = 3
"""Findings SR, narrative SR and GSPS."""

_SAID = {
    "quiet-period-ended": "study-complete",
    "report-written": "report-written",
    "results-encoded": "results-created",
    "files-purged": "110105",
}
"""Event of a move -> what its audit record is called; others are `study-moved`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts, and the names of what is wrong; `faults` must be empty."""

    acknowledged: int
    stored: int
    studies: int
    results: int
    copies: int
    """Durable files that no row names: a kill came before the row. The sender was
    not told, sent again, and each is a copy of an instance that is recorded."""
    faults: tuple[str, ...]

    def __add__(self, other: "Tally") -> "Tally":
        sums = {
            f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)
        }
        return Tally(**sums)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


NOTHING = Tally(acknowledged=0, stored=0, studies=0, results=0, copies=0, faults=())


def states(ledger: Path) -> Counter[str]:
    """Count the studies of a ledger by their state."""
    if not ledger.exists():
        return Counter()
    return Counter(
        dict(_rows(ledger, "SELECT state, count(*) FROM studies GROUP BY 1"))
    )


def count(
    folder: Path, archive: Archive, sent: Sequence[Item], acknowledged: Iterable[str]
) -> Tally:
    """Compare what a clean stop left with what was sent and acknowledged (UIDs).

    folder : the storage folder of the gateway.
    """
    told = set(acknowledged)
    ledger, spool = folder / "ledger.sqlite", folder / "spool"
    faults = [
        *_lost(ledger, spool, sent, told),
        *_invented(ledger, sent),
        *_results(ledger, spool, archive, sent),
        *_unaudited(ledger),
        *_unfinished(spool),
    ]
    orphans = _orphans(ledger, spool)
    digests = {item.sha256 for item in sent}
    digests |= {
        sha256(data_of(h.path.read_bytes())).hexdigest() for h in archive.instances()
    }
    faults += [
        f"orphan {name} is a copy of nothing"
        for name in orphans
        if sha256(data_of((spool / name).read_bytes())).hexdigest() not in digests
    ]
    return Tally(
        acknowledged=len(told),
        stored=len(_rows(ledger, "SELECT id FROM instances")),
        studies=sum(states(ledger).values()),
        results=len(own_objects(archive)),
        copies=len(orphans),
        faults=tuple(faults),
    )


def _rows(ledger: Path, query: str) -> list[Any]:
    """Return rows; what is in them is SQLite's to say."""
    with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as opened:
        return opened.execute(query).fetchall()


def _lost(
    ledger: Path, spool: Path, sent: Sequence[Item], told: set[str]
) -> Iterator[str]:
    """Name what was acknowledged and is not recorded and on disk as it was sent."""
    query = "SELECT sop_instance_uid, digest, file_name FROM instances"
    held = {uid: (digest, name) for uid, digest, name in _rows(ledger, query)}
    for item in sent:
        if item.instance_uid not in told:
            continue
        if item.instance_uid not in held:
            yield f"lost {item.instance_uid}"
            continue
        digest, name = held[item.instance_uid]
        path = spool / name
        is_as_sent = path.exists() and data_of(path.read_bytes()) == item.data
        if digest != f"blake3:{blake3(item.data).hexdigest()}" or not is_as_sent:
            yield f"changed {item.instance_uid}"


def _invented(ledger: Path, sent: Sequence[Item]) -> Iterator[str]:
    """Name what is recorded as sent and was not."""
    known = {item.instance_uid for item in sent}
    query = "SELECT sop_instance_uid FROM instances WHERE role <> 'retrieved'"
    for (uid,) in _rows(ledger, query):
        if uid not in known:
            yield f"invented {uid}"
    for (uid,) in _rows(ledger, "SELECT sop_instance_uid FROM quarantine"):
        yield f"quarantined {uid}"


def _results(
    ledger: Path, spool: Path, archive: Archive, sent: Sequence[Item]
) -> Iterator[str]:
    """Name the studies that have anything but one set of results in the archive."""
    films = {item.study_uid for item in sent if item.is_film}
    found = own_objects(archive)
    per_study: dict[str, list[str]] = {uid: [] for uid in films}
    for ds in found:
        per_study.setdefault(str(ds.StudyInstanceUID), []).append(str(ds.SOPClassUID))
    for uid, classes in per_study.items():
        if uid not in films:
            yield f"{uid} has results and no film"
        elif len(classes) != RESULT_SET or len(set(classes)) != RESULT_SET:
            yield f"{uid} has {len(classes)} results of {len(set(classes))} classes"
    query = "SELECT sop_instance_uid, file_name FROM results WHERE purged = 0"
    made = dict(_rows(ledger, query))
    for held in archive.instances():
        name = made.pop(held.sop_instance_uid, None)
        if name is not None and data_of(held.path.read_bytes()) != data_of(
            (spool / name).read_bytes()
        ):
            yield f"{held.sop_instance_uid} is not what was sent"
    yield from (f"{uid} is not in the archive" for uid in made)


def _unaudited(ledger: Path) -> Iterator[str]:
    """Name moves without an audit record, and records without a move (G12)."""
    moved = Counter(
        (uid, _SAID.get(event, f"study-moved {event}"))
        for uid, event in _rows(
            ledger,
            "SELECT study_instance_uid, event FROM moves JOIN studies"
            " ON studies.id = study_id WHERE event <> 'image-arrived'",
        )
    )
    said = Counter(
        (uid, f"{kind} {detail.partition(':')[0]}" if kind == "study-moved" else kind)
        for uid, kind, detail in _rows(
            ledger,
            "SELECT study_instance_uid, coalesce(event_type, event), detail FROM audit"
            " WHERE event_type IN ('study-complete', 'study-moved', 'report-written',"
            " 'results-created', 'study-parked', 'study-declined')"
            " OR event = '110105' AND study_instance_uid IS NOT NULL",
        )
    )
    for (uid, what), number in ((moved - said) + (said - moved)).items():
        yield f"{uid}: {number} of {what} are not both a move and an audit record"
    yield from _uncounted(ledger)


def _uncounted(ledger: Path) -> Iterator[str]:
    """Name instances that are not audited once, and gaps of the audit's sequence."""
    received = Counter(
        detail.rpartition(" ")[2]
        for (detail,) in _rows(
            ledger,
            "SELECT detail FROM audit WHERE event = '110104' AND event_type IS NULL"
            " AND detail LIKE '% instance %'",
        )
    )
    is_purged = bool(_rows(ledger, "SELECT id FROM studies WHERE state = 'purged'"))
    held = Counter(
        uid for (uid,) in _rows(ledger, "SELECT sop_instance_uid FROM instances")
    )
    wrong = (held - received) + (Counter() if is_purged else received - held)
    yield from (f"{uid} is recorded and audited unequally" for uid in wrong)
    yield from (f"{uid} was audited {n} times" for uid, n in received.items() if n > 1)
    ((first, last, number),) = _rows(
        ledger,
        "SELECT coalesce(min(sequence), 1), coalesce(max(sequence), 0), count(*)"
        " FROM audit",
    )
    if (first, last) != (1, number):
        yield f"the audit has {number} records from {first} to {last}"


def _unfinished(spool: Path) -> Iterator[str]:
    for path in (spool / "incoming").iterdir():
        yield f"temporary file {path.name}"


def _orphans(ledger: Path, spool: Path) -> list[str]:
    named = {
        name
        for (name,) in _rows(
            ledger,
            "SELECT file_name FROM instances UNION SELECT file_name FROM results"
            " UNION SELECT file_name FROM quarantine",
        )
    }
    held = (
        path.relative_to(spool).as_posix()
        for shelf in ("instances", "results")
        for path in (spool / shelf).rglob("*")
        if path.is_file()
    )
    return sorted(name for name in held if name not in named)
