"""Peers that do not answer are left alone for a while: a circuit breaker for each.

One silent node must cost one deadline a pause, not one for every study that waits
for it. When a pause is over one caller asks, and the others wait for what becomes
of it. What is known of a peer stands in the ledger, for every process; its first
answer closes the breaker.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from dicom_io.errors import PeerRefused, PeerTimedOut, PeerUnreachable
from gateway.audit import kinds
from gateway.ledger import SilenceRecord, Way, Writing
from gateway.pausing import pause_before
from gateway.site import Site

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 60.0
"""A peer that is back is noticed within a minute."""

NO_ANSWER = "the destination does not answer"
"""Detail of a delivery that waits for its destination; it goes at the first answer."""


def is_away(site: Site, peer: str) -> datetime | None:
    """Return until when `peer` is not to be asked; None: it may be."""
    with site.ledger.reading() as rows:
        silence = rows.silence(peer)
    return silence.until if silence and silence.until > site.clock() else None


def claim(
    site: Site, rows: Writing, peer: str, seconds: float | None = None
) -> datetime | None:
    """Take the right to ask `peer`; return until when it is not to be asked.

    None: ask. Where the peer was silent the caller is the only one who does, until
    it says what became of it, or for `seconds` at most; None: the peer's deadline.
    """
    now, silence = site.clock(), rows.silence(peer)
    if silence is None:
        return None
    if silence.until > now:
        return silence.until
    _put(rows, silence, until=now + _answer_time(site, peer, seconds))
    return None


def note_silence(site: Site, peer: str) -> datetime:
    """Leave `peer` alone, longer each time in a row; return until when."""
    wanted, now = site.settings.delivery, site.clock()
    site.contacts.failed(peer, Way.ASKED, now)

    def note(rows: Writing) -> datetime:
        known = rows.silence(peer) or _none_yet(peer, now)
        most = min(wanted.max_pause_seconds, LONGEST_SECONDS)
        pause = pause_before(known.failures, wanted.first_pause_seconds, most)
        failures = known.failures + 1
        told = known.told or failures >= wanted.failures_in_a_row
        _put(rows, known, until=now + pause, failures=failures, told=told)
        if told and not known.told:
            rows.append_audit(kinds.peer_silent(peer, failures, known.since, now))
            logger.warning("%s does not answer, %d times in a row", peer, failures)
        return now + pause

    return site.ledger.grouped(note)


def note_slow(site: Site, peer: str, seconds: float | None = None) -> datetime:
    """Leave `peer` alone while it owes somebody an answer; return until when.

    That takes `seconds` at most; None: the peer's deadline.
    """
    now = site.clock()
    until = now + _answer_time(site, peer, seconds)
    with site.ledger.writing() as rows:
        known = rows.silence(peer) or _none_yet(peer, now)
        if known.until > now:  # it is left alone already
            return known.until
        _put(rows, known, until=until)
    return until


def note_end(site: Site, peer: str) -> None:
    """Note that a peer owes no answer any more; whether it was silent is known."""
    with site.ledger.reading() as rows:
        known = rows.silence(peer)
    if known is not None and not known.failures:
        note_answer(site, peer)


def note_success(site: Site, peer: str) -> None:
    """Note that `peer` did what it was asked for; it was not silent either."""
    site.contacts.answered(peer, Way.ASKED, site.clock())
    note_answer(site, peer)


def note_answer(site: Site, peer: str) -> None:
    """Forget that `peer` was silent; what waits for it goes at once."""
    with site.ledger.reading() as rows:
        silent = rows.silence(peer) is not None
    if not silent:
        return
    now = site.clock()
    with site.ledger.writing() as rows:
        known = rows.silence(peer)
        rows.drop_silence(peer)
        rows.wake_deliveries(peer, NO_ANSWER, now)
        if known is not None and known.told:
            rows.append_audit(kinds.peer_answers(peer, known.since, now))
            logger.info("%s answers again", peer)


@contextmanager
def asking(site: Site, peer: str) -> Iterator[None]:
    """Do something with `peer`, unless it is away; remember whether it answered.

    Raises PeerUnreachable at once while it is away.
    """
    until = _claimed(site, peer)
    if until is not None:
        raise PeerUnreachable(f"{peer} is left alone until {until:%H:%M:%S} UTC")
    try:
        yield
    except (PeerUnreachable, PeerTimedOut):
        note_silence(site, peer)
        raise
    except PeerRefused:
        note_answer(site, peer)
        raise
    except BaseException:
        _give_back(site, peer)
        raise
    note_success(site, peer)


def _claimed(site: Site, peer: str) -> datetime | None:
    """As `claim`, without a transaction for a peer that was not silent."""
    with site.ledger.reading() as rows:
        if rows.silence(peer) is None:
            return None
    with site.ledger.writing() as rows:
        return claim(site, rows, peer)


def _give_back(site: Site, peer: str) -> None:
    """Let others ask: what happened tells nothing of the peer."""
    with site.ledger.reading() as rows:
        if rows.silence(peer) is None:
            return
    with site.ledger.writing() as rows:
        known = rows.silence(peer)
        if known is not None:
            _put(rows, known, until=site.clock())


def _none_yet(peer: str, now: datetime) -> SilenceRecord:
    return SilenceRecord(peer=peer, failures=0, since=now, until=now, told=False)


def _put(
    rows: Writing,
    known: SilenceRecord,
    *,
    until: datetime,
    failures: int | None = None,
    told: bool | None = None,
) -> None:
    rows.put_silence(
        SilenceRecord(
            peer=known.peer,
            failures=known.failures if failures is None else failures,
            since=known.since,
            until=until,
            told=known.told if told is None else told,
        )
    )


def _answer_time(site: Site, peer: str, seconds: float | None) -> timedelta:
    """Return how long an answer of `peer` is waited for."""
    if seconds is None:
        known = site.settings.peers.get(peer)
        seconds = LONGEST_SECONDS if known is None else known.deadline_seconds
    return timedelta(seconds=seconds)
