"""Sign what the audit log has come to: the key, and a checkpoint of each state.

What is signed is looked at first. Where a new record is not what its leaf says, the
tree still takes the leaf, so that the fault stays provable; where records are missing,
nothing is signed over the gap.
"""

import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.audit import kinds
from gateway.audit.checkpoints import (
    Checkpoint,
    Continuation,
    KeyChange,
    log_name,
    log_of,
    sign_checkpoint,
    sign_key_change,
)
from gateway.audit.leaf import leaf_of
from gateway.audit.merkle import Nodes, Peaks, consistency_path, proof
from gateway.audit.notes import Signer, parse_signer
from gateway.errors import NotSigned, UnreadableNote
from gateway.ledger import Ledger, Reading, Writing
from gateway.ledger.checkpoints import AuditRow, KeptCheckpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What came of signing; `changed`: records that are not what their leaf says."""

    checkpoint: Checkpoint
    changed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grown:
    """The tree at a size, before it is signed; `last` is None for the first one."""

    last: KeptCheckpoint | None
    tree: Peaks
    leaves: Sequence[bytes]
    changed: tuple[int, ...]


def find_signer(path: Path, ledger: Ledger) -> Signer:
    """Return the key of the log, made at the first start.

    Raises NotSigned where the key of a log that was signed before is gone or cannot
    be read: a new one would let the old log be replaced.
    """
    _end_change(path, ledger)
    found = _read_signer(path)
    if found is not None:
        return found
    with ledger.reading() as rows:
        if rows.last_checkpoint() is not None:
            raise NotSigned(
                f"the key of the audit, {path}, is gone: restore it from your copy, "
                "then start the gateway again"
            )
    write_signer(path, Signer.made(log_name(secrets.token_hex(16))))
    return find_signer(path, ledger)


def _read_signer(path: Path) -> Signer | None:
    try:
        return parse_signer(path.read_text("ascii"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, UnreadableNote) as error:
        kind = error if isinstance(error, UnreadableNote) else type(error).__name__
        raise NotSigned(f"the key of the audit, {path}, cannot be read: {kind}") from (
            None
        )


def _end_change(path: Path, ledger: Ledger) -> None:
    """Put the key in place that the ledger names already, after a crash."""
    draft = _next(path)
    new = _read_signer(draft)
    if new is None:
        return
    with ledger.reading() as rows:
        changes = rows.key_changes()
    if changes and changes[-1].new == new.public:
        draft.replace(path)
    else:
        draft.unlink()
    sync_folder(path.parent)


def _next(path: Path) -> Path:
    """Return where a key lies that is to follow."""
    return path.with_name(f"{path.name}.next")


def write_signer(path: Path, signer: Signer) -> None:
    """Keep a key for this user alone, durably; one that is there stays.

    Raises NotSigned where the file cannot be written.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(signer.secret_text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its key counts
            path.hardlink_to(draft)
        draft.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise NotSigned(
            f"no key of the audit can be made at {path}: {error.strerror}"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seal(ledger: Ledger, signer: Signer, now: datetime) -> Seal | None:
    """Sign all records that are there; None: there is none, or none is new.

    Raises NotSigned where records are missing, or where what was signed last is not
    what the ledger says, or not of this log.
    """
    with ledger.reading() as rows:
        grown = _grown(rows, signer)
    if not grown.leaves:
        return None
    with ledger.writing() as rows:
        if rows.last_checkpoint() != grown.last:
            return None  # another process has signed meanwhile
        return _sign(rows, signer, grown, now)


def newest(ledger: Ledger, signer: Signer, now: datetime) -> Checkpoint:
    """Return a checkpoint of all records that are there now; raises NotSigned."""
    seal(ledger, signer, now)
    with ledger.reading() as rows:
        last = rows.last_checkpoint()
    if last is None:
        raise NotSigned("the audit holds no record")
    return last.continuation().checkpoint


def prune(
    rows: Writing, signer: Signer, now: datetime, until: int
) -> tuple[Checkpoint, int]:
    """Remove the records up to a checkpoint, and sign that they were removed.

    All in the caller's transaction, whose own record of it is already appended.
    Returns the checkpoint that says so, and how many records went.
    """
    grown = _grown(rows, signer)
    signed = _sign(rows, signer, grown, now, first=until + 1)
    return signed.checkpoint, rows.forget_audit(until)


def change_key(ledger: Ledger, path: Path, by: str, now: datetime) -> KeyChange:
    """Let a new key follow, in the ledger and then in the file; return the statement.

    What the old key has signed so far stays valid. A crash between the two is made
    good by `find_signer`.
    """
    signer = find_signer(path, ledger)
    new = Signer.made(signer.name)
    draft = _next(path)
    draft.unlink(missing_ok=True)
    write_signer(draft, new)
    with ledger.writing() as rows:
        change = sign_key_change(signer, new, rows.audit_size(), now)
        rows.add_key_change(change)
        rows.append_audit(kinds.key_changed(by, str(new.public), now))
    draft.replace(path)
    sync_folder(path.parent)
    return change


def _grown(rows: Reading, signer: Signer) -> _Grown:
    last = rows.last_checkpoint()
    tree = Peaks() if last is None else _tree_of(last, signer)
    leaves, changed = _leaves(rows.audit_rows(tree.size), tree.size)
    if tree.size + len(leaves) != rows.audit_size():
        raise NotSigned(
            f"the audit ends with record {tree.size + len(leaves)} and has had "
            f"{rows.audit_size()}: see `audit verify`"
        )
    return _Grown(last=last, tree=tree, leaves=leaves, changed=changed)


def _tree_of(last: KeptCheckpoint, signer: Signer) -> Peaks:
    try:
        tree, signed = last.tree(), last.continuation().checkpoint
        own = log_of(signer.name)
    except UnreadableNote as error:
        raise NotSigned(f"the newest checkpoint of the ledger: {error}") from error
    if signed.log_id != own:
        raise NotSigned(
            f"the ledger holds the audit of another installation, {signed.log_id}: "
            "see `audit verify`"
        )
    if (tree.size, tree.root()) != (signed.size, signed.root):
        raise NotSigned("the tree of the audit was changed: see `audit verify`")
    return tree


def _leaves(
    rows: Iterable[AuditRow], after: int
) -> tuple[list[bytes], tuple[int, ...]]:
    """Return the leaves that are kept, and the records that are not theirs."""
    leaves, changed = [], []
    for expected, row in enumerate(rows, start=after + 1):
        if row["sequence"] != expected:
            raise NotSigned(f"record {expected} of the audit is missing")
        made = leaf_of(row)
        kept = parse_leaf(row["leaf"])
        if kept != made:
            changed.append(expected)
        leaves.append(kept or made)
    return leaves, tuple(changed)


def parse_leaf(text: object) -> bytes | None:
    """Return the hash of a column `leaf`; None: it holds none."""
    try:
        leaf = bytes.fromhex(str(text))
    except ValueError:
        return None
    return leaf if leaf.hex() == text and len(leaf) == 32 else None


def _sign(
    rows: Writing, signer: Signer, grown: _Grown, now: datetime, first: int = 1
) -> Seal:
    old, tree = grown.tree, grown.tree.extended(grown.leaves)
    path = consistency_path(old.size, tree.size) if old.size else []
    kept = 1 if grown.last is None else grown.last.continuation().checkpoint.first
    signed = sign_checkpoint(
        signer, tree.size, tree.root(), now, first=max(first, kept)
    )
    step = Continuation(
        old_size=old.size,
        proof=proof(path, Nodes(old, grown.leaves).root),
        checkpoint=signed,
    )
    rows.add_checkpoint(step, tree)
    return Seal(checkpoint=signed, changed=grown.changed)
