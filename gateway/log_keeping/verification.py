"""Verify the audit log of a ledger against checkpoints in it and elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gateway.audit.checkpoints import KeyChange, Trust, log_of
from gateway.audit.leaf import leaf_of
from gateway.audit.merkle import Peaks
from gateway.audit.notes import PublicKey
from gateway.audit.verifying import Handed, Leaf, Log, Verdict, verify
from gateway.errors import UnreadableNote
from gateway.ledger import Ledger, Reading
from gateway.ledger.checkpoints import AuditRow, KeptCheckpoint
from gateway.log_keeping.sealing import parse_leaf

SUFFIX = ".checkpoint"


def verify_ledger(
    ledger: Ledger, public: PublicKey, folders: Sequence[Path]
) -> Verdict:
    """Verify the whole log, in one snapshot of the ledger.

    public : the first key of the log, or the one that it has now. folders : where
    checkpoints were handed to. Raises UnreadableNote where the ledger's list of keys
    was tampered with.
    """
    with ledger.reading() as rows:
        return verify_rows(rows, public, list(handed_in(folders)))


def verify_rows(rows: Reading, public: PublicKey, outside: Sequence[Handed]) -> Verdict:
    """Verify the log in an open snapshot."""
    kept = rows.checkpoints()
    inside = [Handed(place=f"ledger, {k.size} records", text=k.body) for k in kept]
    trust = trust_in(public, rows.key_changes())
    log = Log(
        log_id=log_of(public.name),
        leaves=_leaves(rows.audit_rows()),
        head=rows.audit_size(),
        removed=removed_of(rows.first_sequence(), kept),
    )
    return verify(log, [*inside, *outside], trust)


def trust_in(public: PublicKey, changes: Sequence[KeyChange]) -> Trust:
    """Trust the key that is given and what follows it, or what led to it.

    Where it is the newest key, the list of changes must lead to it from the first.
    """
    first = changes[0].old if changes else public
    whole = Trust.following(first, changes)
    is_newest = bool(changes) and changes[-1].new == public
    return whole if is_newest else Trust.following(public, changes)


def removed_of(first: int | None, kept: Sequence[KeptCheckpoint]) -> Peaks:
    """Return the tree of the records before the first that is kept.

    Where no checkpoint holds it, the tree is empty: the missing records are told.
    """
    for each in kept:
        if first is not None and each.size == first - 1:
            try:
                return each.tree()
            except UnreadableNote:
                break
    return Peaks()


def handed_in(folders: Iterable[Path]) -> Iterator[Handed]:
    """Yield every checkpoint of some folders, the oldest first.

    A file that a crash left unfinished is passed over where the whole text lies
    beside it.
    """
    for folder in folders:
        texts = {
            path: path.read_text("utf-8", errors="replace")
            for path in sorted(folder.rglob(f"*{SUFFIX}"))
        }
        for path, text in texts.items():
            if not any(t != text and t.startswith(text) for t in _beside(path, texts)):
                yield Handed(place=str(path), text=text)


def _beside(path: Path, texts: dict[Path, str]) -> Iterator[str]:
    size = path.name.split(".")[0].split("-")[0]
    for number in range(10):
        other = path.with_name(name_of(int(size), number)) if size.isdigit() else path
        if other in texts:
            yield texts[other]


def name_of(size: int, number: int = 0) -> str:
    """Return the name of a checkpoint's file; `number`: where the name is taken."""
    return f"{size:012d}{f'-{number}' if number else ''}{SUFFIX}"


def _leaves(rows: Iterable[AuditRow]) -> Iterator[Leaf]:
    for row in rows:
        yield Leaf(
            sequence=int(str(row["sequence"])),
            made=leaf_of(row),
            kept=parse_leaf(row["leaf"]),
        )
