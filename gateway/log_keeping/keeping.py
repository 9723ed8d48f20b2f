"""What a gateway at work does for its audit log: sign, hand out, compare, shorten."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

from gateway.audit import kinds
from gateway.audit.checkpoints import (
    Continuation,
    log_of,
    parse_continuation,
)
from gateway.audit.merkle import Peaks
from gateway.audit.notes import Signer
from gateway.errors import NotReady, NotSigned, UnreadableNote
from gateway.failpoints import pass_failpoint
from gateway.ledger import Ledger, Reading
from gateway.log_keeping.handing import FOLDER, hand_out, places_of
from gateway.log_keeping.sealing import find_signer, parse_leaf, prune, seal
from gateway.log_keeping.verification import trust_in
from gateway.site import Site

logger = logging.getLogger(__name__)

STRETCHES = 1000
"""Checkpoints that are looked at in one round for what is to be removed."""

ALARM = "audit-alarm"
"""What was last found wrong, so that it is recorded once."""


def keep(site: Site) -> None:
    """Sign what is new in the log, and hand it out; one round of a job."""
    _sign(site)
    hand_out(site.ledger, places_of(site.settings), site.clock)


def keep_last(site: Site) -> None:
    """Sign the log as a stop leaves it; a program of the site gets it at the start."""
    _sign(site)
    folders = [each for each in places_of(site.settings) if each.name == FOLDER]
    hand_out(site.ledger, folders, site.clock)


def _sign(site: Site) -> None:
    try:
        signer = find_signer(site.settings.audit_key_path, site.ledger)
        sealed = seal(site.ledger, signer, site.clock())
        if sealed is not None:
            pass_failpoint("seal:signed")
        if sealed is not None and sealed.changed:
            first, count = sealed.changed[0], len(sealed.changed)
            _alarm(site, f"{count} records were changed, the first is {first}")
        days = site.settings.audit.retention_days
        shorten(site.ledger, signer, site.clock(), days)
    except (NotSigned, UnreadableNote) as error:
        _alarm(site, str(error))


def shorten(ledger: Ledger, signer: Signer, now: datetime, days: float) -> int:
    """Remove the records that are older than `days`; return how many.

    Only whole stretches that a checkpoint ends, for its time vouches for their age, and
    only what every repository has got.
    """
    before = now - timedelta(days=days)
    with ledger.reading() as rows:
        if _due(rows, before) is None:
            return 0
    with ledger.writing() as rows:
        # Asked again: a repository may have been named meanwhile.
        due = _due(rows, before)
        if due is None:
            return 0
        rows.append_audit(kinds.audit_pruned(*due, round(days), now))
        _, count = prune(rows, signer, now, due[1])
    logger.info("removed %d records of the audit after their retention", count)
    return count


def _due(rows: Reading, before: datetime) -> tuple[int, int] | None:
    """Return the first and last record that are to go; None: none is.

    They end with the newest checkpoint, but the last, from before a time, that covers
    nothing that a repository lacks.
    """
    first, last, due = rows.first_sequence(), rows.last_checkpoint(), 0
    if first is None or last is None:
        return None
    handed = rows.handed_to_all()
    for each in rows.checkpoints(limit=STRETCHES, until=handed):
        if each.size >= last.size:
            break
        if each.continuation().checkpoint.at >= before:
            break
        due = each.size
    return None if due < first else (first, due)


def compare_with_handed(site: Site) -> str | None:
    """Compare the log with what was handed to the folder; return what is wrong.

    It is recorded and logged; raises NotReady where the settings refuse such a start.
    """
    folder = site.settings.audit.checkpoint_folder
    if not folder:
        return None
    try:
        signer = find_signer(site.settings.audit_key_path, site.ledger)
    except NotSigned as error:
        return _told(site, str(error))
    with site.ledger.reading() as rows:
        wrong = _difference(rows, Path(folder), signer)
    return None if wrong is None else _told(site, wrong)


def _told(site: Site, wrong: str) -> str:
    if site.settings.audit.refuse_rolled_back:
        raise NotReady(f"{wrong}; audit.refuse_rolled_back is set")
    _alarm(site, wrong)
    return wrong


def _alarm(site: Site, wrong: str) -> None:
    """Say what is wrong: in the log each time, in the audit when it is new."""
    logger.error("AUDIT LOG: %s", wrong)
    with site.ledger.writing() as rows:
        if rows.recall(ALARM) == wrong:
            return
        rows.remember(ALARM, wrong)
        rows.append_audit(kinds.verification_failed(wrong, site.clock()))


def _difference(rows: Reading, folder: Path, signer: Signer) -> str | None:
    """Return how the log differs from the newest checkpoint of a folder."""
    last = rows.last_checkpoint()
    if last is not None:
        own = last.continuation().checkpoint
        if own.log_id != log_of(signer.name):
            return "the ledger holds the audit of another installation"
    newest = _newest(rows, folder / log_of(signer.name), signer)
    if newest is None:
        return None
    point = newest.checkpoint
    if point.size <= rows.audit_size() and _root(rows, point.size) == point.root:
        return None
    # The same words as the log grows, so that it is recorded once.
    return (
        f"the {point.size} records signed at {point.at:%Y-%m-%d %H:%M:%S} UTC are not "
        "those of the ledger: it is an earlier copy, or records were changed or cut off"
    )


def _newest(rows: Reading, folder: Path, signer: Signer) -> Continuation | None:
    """Return the checkpoint of the most records that a key of ours has signed."""
    trust = trust_in(signer.public, rows.key_changes())
    for path in sorted(folder.glob("*.checkpoint"), reverse=True):
        try:
            found = parse_continuation(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, UnreadableNote):
            continue  # unfinished when the power went; `audit verify` names it
        if trust.has_signed(found.checkpoint):
            return found
    return None


def _root(rows: Reading, size: int) -> bytes | None:
    """Return the root of the first records, from the nearest tree that is kept."""
    near = rows.last_checkpoint(until=size)
    tree = Peaks() if near is None else near.tree()
    leaves = [parse_leaf(text) for text in rows.audit_leaves(tree.size, size)]
    if tree.size + len(leaves) != size or None in leaves:
        return None
    return tree.extended(leaf for leaf in leaves if leaf is not None).root()
