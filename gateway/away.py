"""Peers that do not answer are left alone for a while.

One silent node must cost one deadline a pause, not one for every study that waits
for it. What is known of a peer stands in the ledger, for every process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from dicom_io.errors import PeerTimedOut, PeerUnreachable
from gateway.ledger import Reading
from gateway.site import Site
from gateway.turn import pause_before

_KEY = "away:"

LONGEST_SECONDS = 60.0
"""A peer that is back is noticed within a minute."""


def away_until(rows: Reading, peer: str) -> tuple[datetime, int] | None:
    """Return until when `peer` is left alone, and its failures in a row."""
    known = rows.recall(_KEY + peer)
    if not known:
        return None
    until, failures = known.split(" ")
    return datetime.fromisoformat(until), int(failures)


def is_away(site: Site, peer: str) -> datetime | None:
    """Return until when `peer` is not to be asked; None: it may be."""
    with site.ledger.reading() as rows:
        away = away_until(rows, peer)
    return away[0] if away and away[0] > site.clock() else None


def note_silence(site: Site, peer: str) -> datetime:
    """Leave `peer` alone, longer each time in a row; return until when."""
    wanted, now = site.settings.delivery, site.clock()
    with site.ledger.writing() as rows:
        away = away_until(rows, peer)
        failures = away[1] if away else 0
        most = min(wanted.max_pause_seconds, LONGEST_SECONDS)
        pause = pause_before(failures, wanted.first_pause_seconds, most)
        rows.remember(_KEY + peer, f"{(now + pause).isoformat()} {failures + 1}")
    return now + pause


def note_answer(site: Site, peer: str) -> None:
    """Forget that `peer` was silent."""
    with site.ledger.reading() as rows:
        silent = away_until(rows, peer) is not None
    if silent:
        with site.ledger.writing() as rows:
            rows.remember(_KEY + peer, "")


@contextmanager
def asking(site: Site, peer: str) -> Iterator[None]:
    """Do something with `peer`, unless it is away; remember whether it answered.

    Raises PeerUnreachable at once while it is away.
    """
    until = is_away(site, peer)
    if until is not None:
        raise PeerUnreachable(f"{peer} is left alone until {until:%H:%M:%S} UTC")
    try:
        yield
    except (PeerUnreachable, PeerTimedOut):
        note_silence(site, peer)
        raise
    note_answer(site, peer)
