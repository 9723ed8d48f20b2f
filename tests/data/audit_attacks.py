"""What somebody who holds the database, or an export, may do to an audit log.

Each attack changes a copy of a log and says what a verification must find. The
attacker knows all of this code, and makes leaves, trees and counters anew as he needs
them; what he lacks is the key that was written down, or the folder of checkpoints.
"""

import random
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.audit.checkpoints import parse_continuation, sign_checkpoint
from gateway.audit.leaf import leaf_of
from gateway.audit.merkle import Nodes, Peaks, consistency_path, proof
from gateway.audit.notes import Signer
from gateway.audit.verifying import Kind
from gateway.log_keeping.sealing import find_signer, seal
from tests.data.audit_logs import AuditLog, append, hand
from tests.data.ledgers import NOW

Row = dict[str, object]

TEXTS = ("event", "event_type", "action", "study_instance_uid", "user", "detail")
COLUMNS = (*TEXTS, "message", "patient", "recorded_at", "outcome", "leaf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A log to be attacked; `earlier`: its back-ups; `other`: another server's log."""

    log: AuditLog
    earlier: Sequence[Path]
    other: AuditLog
    random: random.Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a verification must find; `record`: the first bad one, None: not told."""

    kinds: frozenset[Kind]
    record: range | None = None


Attack = Callable[[Scene], Found]


def found(*kinds: Kind, record: int | range | None = None) -> Found:
    """Return what must be found: one of the kinds."""
    where = range(record, record + 1) if isinstance(record, int) else record
    return Found(kinds=frozenset(kinds), record=where)


@contextmanager
def database(log: AuditLog) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(log.database, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def rows_of(db: sqlite3.Connection) -> list[Row]:
    return [dict(row) for row in db.execute("SELECT * FROM audit ORDER BY sequence")]


def restamped(row: Mapping[str, object]) -> Row:
    """Return a row with the leaf that it should have."""
    moment = datetime.fromisoformat(str(row["recorded_at"]))
    return {**row, "leaf": leaf_of({**row, "recorded_at": moment}).hex()}


def put_rows(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Replace the whole log."""
    db.execute("DELETE FROM audit")
    names = list(rows[0])
    marks = ", ".join(f":{name}" for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    statement = f"INSERT INTO audit ({columns}) VALUES ({marks})"  # noqa: S608
    db.executemany(statement, rows)


def renumbered(rows: Sequence[Row]) -> list[Row]:
    return [restamped({**row, "sequence": n}) for n, row in enumerate(rows, start=1)]


def set_head(db: sqlite3.Connection, size: int) -> None:
    db.execute("UPDATE audit_head SET last_sequence = ?", (size,))


def other_value(row: Row, column: str) -> object:
    match column:
        case "recorded_at":
            moment = datetime.fromisoformat(str(row[column])) + timedelta(days=1)
            return f"{moment:%Y-%m-%d %H:%M:%S.%f}"
        case "outcome":
            return int(str(row[column])) + 4
        case "leaf":
            return "0" * 64
        case "action":
            return "D" if row[column] != "D" else "E"
        case _:
            return f"{row[column] or ''}x"


def edit(scene: Scene) -> Found:
    """Change one column of one record, and nothing else."""
    with database(scene.log) as db:
        row = scene.random.choice(rows_of(db))
        column = scene.random.choice(COLUMNS)
        statement = f'UPDATE audit SET "{column}" = ? WHERE sequence = ?'  # noqa: S608
        db.execute(statement, (other_value(row, column), row["sequence"]))
    return found(Kind.CHANGED, record=int(str(row["sequence"])))


def edit_with_leaf(scene: Scene) -> Found:
    """Change a record and make its leaf anew."""
    column = scene.random.choice([each for each in COLUMNS if each != "leaf"])
    with database(scene.log) as db:
        rows = rows_of(db)
        at = scene.random.randrange(len(rows))
        rows[at] = restamped({**rows[at], column: other_value(rows[at], column)})
        put_rows(db, rows)
    return found(Kind.REWRITTEN, record=stretch(scene, at + 1))


def stretch(scene: Scene, record: int) -> range:
    """Return the first record after the last checkpoint before a record."""
    before = [size for size in sizes(scene.log) if size < record]
    return range(max(before, default=0) + 1, max(before, default=0) + 2)


def sizes(log: AuditLog) -> list[int]:
    files = sorted(log.checkpoints.rglob("*.checkpoint"))
    return [int(path.name.split(".")[0]) for path in files]


def edit_number(scene: Scene) -> Found:
    """Give a record another number, beyond the end."""
    with database(scene.log) as db:
        row = scene.random.choice(rows_of(db))
        number = int(str(row["sequence"]))
        last = len(rows_of(db))
        db.execute(
            "UPDATE audit SET sequence = ? WHERE sequence = ?", (last + 9, number)
        )
    return found(Kind.MISSING, record=number)


def delete_one(scene: Scene) -> Found:
    """Delete the first, one in the middle or the last record."""
    with database(scene.log) as db:
        last = len(rows_of(db))
        number = scene.random.choice([1, scene.random.randint(2, last - 1), last])
        db.execute("DELETE FROM audit WHERE sequence = ?", (number,))
    return found(Kind.MISSING, Kind.CUT, record=number)


def delete_and_close(scene: Scene) -> Found:
    """Delete records and close the gap: numbers, leaves and counter made anew."""
    with database(scene.log) as db:
        rows = rows_of(db)
        at = scene.random.randrange(len(rows))
        count = scene.random.randint(1, min(3, len(rows) - at))
        del rows[at : at + count]
        put_rows(db, renumbered(rows))
        set_head(db, len(rows))
    return found(Kind.REWRITTEN, Kind.CUT, record=range(1, len(rows) + 2))


def insert(scene: Scene) -> Found:
    """Put a forged record between others, and make the rest anew."""
    with database(scene.log) as db:
        rows = rows_of(db)
        at = scene.random.randrange(len(rows))
        rows.insert(at, {**rows[at], "detail": "never happened"})
        put_rows(db, renumbered(rows))
        set_head(db, len(rows))
    return found(Kind.REWRITTEN, record=stretch(scene, at + 1))


def insert_uncounted(scene: Scene) -> Found:
    """Put a forged record at the end, and leave the counter."""
    with database(scene.log) as db:
        last = rows_of(db)[-1]
        number = int(str(last["sequence"])) + 1
        forged = restamped({**last, "sequence": number, "detail": "never happened"})
        put_rows(db, [*rows_of(db), forged])
    return found(Kind.HEAD, record=number)


def swap(scene: Scene) -> Found:
    """Exchange two records but for their numbers; with new leaves or without."""
    is_restamped = scene.random.random() < 0.5
    with database(scene.log) as db:
        rows = rows_of(db)
        one, two = sorted(scene.random.sample(range(len(rows)), 2))
        numbers = rows[one]["sequence"], rows[two]["sequence"]
        rows[one], rows[two] = rows[two], rows[one]
        rows[one]["sequence"], rows[two]["sequence"] = numbers
        put_rows(db, [restamped(row) for row in rows] if is_restamped else rows)
    if is_restamped:
        return found(Kind.REWRITTEN, record=stretch(scene, one + 1))
    return found(Kind.CHANGED, record=one + 1)


def duplicate(scene: Scene) -> Found:
    """Show one record twice, instead of another."""
    is_restamped = scene.random.random() < 0.5
    with database(scene.log) as db:
        rows = rows_of(db)
        source, target = scene.random.sample(range(len(rows)), 2)
        copy = {**rows[source], "sequence": rows[target]["sequence"]}
        rows[target] = restamped(copy) if is_restamped else copy
        put_rows(db, rows)
    if is_restamped:
        return found(Kind.REWRITTEN, record=stretch(scene, target + 1))
    return found(Kind.CHANGED, record=target + 1)


def restamp_everything(scene: Scene) -> Found:
    """Change a record, and make leaves, trees and checkpoints of the ledger anew.

    Signed by a key of his own, by the stolen key of the gateway, or with the old
    signatures under the new text.
    """
    how = scene.random.choice(["own", "stolen", "old"])
    stolen = stolen_key(scene.log)
    own = Signer(stolen.name, bytes(scene.random.randbytes(32)))
    with database(scene.log) as db:
        rows = rows_of(db)
        at = scene.random.randrange(len(rows))
        rows[at] = restamped({**rows[at], "detail": "whitewashed"})
        put_rows(db, rows)
        sign_anew(
            db, rows, own if how == "own" else stolen, keep_signature=how == "old"
        )
    if how == "own":
        scene.log.key_file.write_text(own.secret_text() + "\n", "ascii")
    return found(Kind.REWRITTEN, record=stretch(scene, at + 1))


def stolen_key(log: AuditLog) -> Signer:
    with log.opened() as ledger:
        return find_signer(log.key_file, ledger)


def sign_anew(
    db: sqlite3.Connection, rows: Sequence[Row], signer: Signer, *, keep_signature: bool
) -> None:
    """Make every checkpoint of the ledger one of the rows as they are now."""
    leaves = [bytes.fromhex(str(row["leaf"])) for row in rows]
    nodes = Nodes(Peaks(), leaves)
    old = 0
    for kept in list(db.execute("SELECT * FROM audit_checkpoints ORDER BY size")):
        step = parse_continuation(kept["body"])
        size, tree = kept["size"], Peaks().extended(leaves[: kept["size"]])
        note = sign_checkpoint(signer, size, tree.root(), step.checkpoint.at).note
        if keep_signature:
            text, signatures = note.partition("\n\n")[0], step.checkpoint.note
            note = text + "\n\n" + signatures.partition("\n\n")[2]
        path = proof(consistency_path(old, size), nodes.root) if old else ()
        lines = [f"old {old}", *(b64encode(each).decode() for each in path)]
        body = "\n".join(lines) + "\n\n" + note
        peaks = "\n".join(b64encode(each).decode() for each in tree.hashes)
        db.execute(
            "UPDATE audit_checkpoints SET body = ?, peaks = ? WHERE size = ?",
            (body, peaks, size),
        )
        old = size


def roll_back(scene: Scene) -> Found:
    """Put a back-up in the place of the database."""
    backup = scene.random.choice(scene.earlier)
    shutil.copy(backup, scene.log.database)
    with database(scene.log) as db:
        size = len(rows_of(db))
    return found(Kind.CUT, record=size + 1)


def roll_back_and_go_on(scene: Scene) -> Found:
    """Put a back-up in its place, and let the gateway write and sign on it."""
    backup = scene.random.choice(scene.earlier)
    shutil.copy(backup, scene.log.database)
    with scene.log.opened() as ledger:
        with ledger.reading() as rows:
            size = rows.audit_size()
        append(ledger, scene.random.randint(1, 60), 500)
        seal(ledger, find_signer(scene.log.key_file, ledger), NOW + timedelta(days=1))
        if scene.random.random() < 0.5:
            hand(scene.log, ledger)
    return found(Kind.REWRITTEN, Kind.CUT, Kind.FORKED, record=range(size + 1, 99))


def graft_database(scene: Scene) -> Found:
    """Put another server's database in the place of this one."""
    shutil.copy(scene.other.database, scene.log.database)
    return found(Kind.FOREIGN)


def graft_everything(scene: Scene) -> Found:
    """Put another server's database, key and checkpoints in the place of these."""
    shutil.copy(scene.other.database, scene.log.database)
    shutil.copy(scene.other.key_file, scene.log.key_file)
    shutil.rmtree(scene.log.checkpoints)
    shutil.copytree(scene.other.checkpoints, scene.log.checkpoints)
    return found(Kind.FOREIGN)


def graft_records(scene: Scene) -> Found:
    """Put another server's records in the place of these, from one on."""
    with database(scene.other) as db:
        foreign = rows_of(db)
    with database(scene.log) as db:
        rows = rows_of(db)
        at = scene.random.randrange(len(rows))
        rows[at:] = foreign[at : len(rows)]
        put_rows(db, rows)
    # Where the other log is shorter, and no checkpoint lies within what it gave, the
    # first record that is missing is named.
    last = max(at + 1, len(rows) + 1)
    return found(Kind.REWRITTEN, Kind.CUT, Kind.HEAD, record=range(1, last + 1))


def cut_tail(scene: Scene) -> Found:
    """Cut off the newest records, the counter and the checkpoints of the ledger."""
    with database(scene.log) as db:
        left = scene.random.randrange(len(rows_of(db)))
        db.execute("DELETE FROM audit WHERE sequence > ?", (left,))
        db.execute("DELETE FROM audit_checkpoints WHERE size > ?", (left,))
        set_head(db, left)
    return found(Kind.CUT, record=left + 1)


def cut_head(scene: Scene) -> Found:
    """Remove the oldest records up to a checkpoint, as the gateway would in time."""
    with database(scene.log) as db:
        until = scene.random.choice(sizes(scene.log)[:-1])
        db.execute("DELETE FROM audit WHERE sequence <= ?", (until,))
        db.execute("DELETE FROM audit_checkpoints WHERE size < ?", (until,))
    return found(Kind.MISSING, record=1)


def change_counter(scene: Scene) -> Found:
    """Change the counter of the log."""
    with database(scene.log) as db:
        size = len(rows_of(db))
        set_head(db, size + scene.random.choice([-3, -1, 1, 5]))
    return found(Kind.HEAD)


def change_key(scene: Scene) -> Found:
    """Name a key of his own the successor, and go on signing with it."""
    stolen = stolen_key(scene.log)
    own = Signer(stolen.name, bytes(scene.random.randbytes(32)))
    scene.log.key_file.write_text(own.secret_text() + "\n", "ascii")
    with scene.log.opened() as ledger:
        append(ledger, scene.random.randint(1, 5), 700)
        seal(ledger, own, NOW + timedelta(days=1))
        hand(scene.log, ledger)
    return found(Kind.UNSIGNED)


def change_checkpoint(scene: Scene) -> Found:
    """Change a character of a checkpoint that was handed out."""
    path = scene.random.choice(sorted(scene.log.checkpoints.rglob("*.checkpoint")))
    text = path.read_text("utf-8")
    # From the root on: what stands before is the proof, or the name of the log.
    at = scene.random.randrange(text.index("\n\n") + 80, len(text) - 1)
    other = "A" if text[at] != "A" else "B"
    path.write_text(text[:at] + other + text[at + 1 :], "utf-8")
    return found(Kind.UNSIGNED, Kind.FOREIGN)


def tear_checkpoint(scene: Scene) -> Found:
    """Leave only the beginning of a checkpoint that was handed out."""
    path = scene.random.choice(sorted(scene.log.checkpoints.rglob("*.checkpoint")))
    text = path.read_text("utf-8")
    path.write_text(text[: scene.random.randrange(len(text))], "utf-8")
    return found(Kind.UNSIGNED)


ATTACKS: tuple[Attack, ...] = (
    edit,
    edit_with_leaf,
    edit_number,
    delete_one,
    delete_and_close,
    insert,
    insert_uncounted,
    swap,
    duplicate,
    restamp_everything,
    roll_back,
    roll_back_and_go_on,
    graft_database,
    graft_everything,
    graft_records,
    cut_tail,
    cut_head,
    change_counter,
    change_key,
    change_checkpoint,
    tear_checkpoint,
)
"""On the database, the key and the checkpoints."""
