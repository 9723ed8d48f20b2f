"""Associations for questions that stay open a short while for the next question.

The questions about one study follow each other within seconds; each association costs
a connection, perhaps TLS, and a negotiation. One a peer is kept, which the peer may end
whenever it likes.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from pynetdicom.association import Association

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.scu.association import Proposal, associated

Key: TypeAlias = tuple[str, str, str, int]

_MESSAGE_IDS = 1 << 16
"""A Message ID is a US (PS3.7 E.1)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """An open association; its requests are numbered over all of its users."""

    association: Association
    closing: ExitStack
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def next_message_id(self) -> int:
        """Return a Message ID (0000,0110) that no earlier request had."""
        return next(self.numbers) % _MESSAGE_IDS


class IdleAssociations:
    """At most one idle association a peer. Safe for many threads."""

    def __init__(self) -> None:
        self._idle: dict[Key, tuple[Opened, threading.Timer]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def borrow(
        self, local: LocalAE, remote: RemoteAE, proposal: Proposal
    ) -> Iterator[Opened]:
        """Open an association with `remote`, or take the one that is open.

        All borrowers of one peer must propose the same. It is kept for
        `remote.keep_open_seconds` after a block that ends well. Raises as
        `associated`.
        """
        key = (local.title, remote.name, remote.host, remote.port)
        opened = self._take(key) or _open(local, remote, proposal)
        try:
            yield opened
        except BaseException:
            opened.closing.__exit__(*sys.exc_info())
            raise
        self._keep(key, opened, remote.keep_open_seconds)

    def close(self) -> None:
        """Release all that are idle."""
        with self._lock:
            keys = list(self._idle)
        for key in keys:
            self._release(key)

    def _take(self, key: Key) -> Opened | None:
        opened = self._pop(key)
        if opened is None or opened.association.is_established:
            return opened
        opened.closing.close()
        return None

    def _pop(self, key: Key) -> Opened | None:
        with self._lock:
            opened, timer = self._idle.pop(key, (None, None))
        if timer is not None:
            timer.cancel()
        return opened

    def _keep(self, key: Key, opened: Opened, seconds: float) -> None:
        timer = threading.Timer(seconds, self._expire, [key, opened])
        timer.daemon = True
        with self._lock:
            wanted = seconds > 0 and opened.association.is_established
            kept = wanted and key not in self._idle
            if kept:
                self._idle[key] = (opened, timer)
                timer.start()
        if not kept:
            opened.closing.close()

    def _expire(self, key: Key, opened: Opened) -> None:
        with self._lock:
            is_idle = self._idle.get(key, (None, None))[0] is opened
            if is_idle:
                del self._idle[key]
        if is_idle:
            opened.closing.close()

    def _release(self, key: Key) -> None:
        opened = self._pop(key)
        if opened is not None:
            opened.closing.close()


IDLE = IdleAssociations()
"""Those of this process."""


def _open(local: LocalAE, remote: RemoteAE, proposal: Proposal) -> Opened:
    closing = ExitStack()
    association = closing.enter_context(associated(local, remote, proposal))
    return Opened(association=association, closing=closing)
