"""Connections that are open, and those of them that still wait for an association."""

import logging
from threading import Lock
from typing import Generic, Protocol, TypeVar

LOGGER = logging.getLogger(__name__)

WAITING_CONNECTIONS = 64
"""Connections without an association that are held beside the associations. One
more, and the oldest of them is closed: slow peers cannot shut others out."""


class Evictable(Protocol):
    """A connection that can be closed from outside."""

    def evict(self) -> None:
        """Close the connection; its own thread then ends it."""
        ...


C = TypeVar("C", bound=Evictable)


class Crowd(Generic[C]):
    """Counts the connections of a listener; used by all of its threads."""

    def __init__(self) -> None:
        self._open: set[C] = set()
        self._waiting: dict[C, None] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        """Count the connections that are open."""
        return len(self._open)

    def arrived(self, connection: C) -> None:
        """Count a connection; the one that has waited longest makes room for it."""
        with self._lock:
            self._open.add(connection)
            self._waiting[connection] = None
            crowded = len(self._waiting) > WAITING_CONNECTIONS
            oldest = next(iter(self._waiting)) if crowded else None
        if oldest is not None:
            self.admitted(oldest)
            oldest.evict()

    def admitted(self, connection: C) -> None:
        """Note that a connection has its association, or will have none."""
        with self._lock:
            self._waiting.pop(connection, None)

    def left(self, connection: C) -> None:
        """Note that a connection has ended."""
        self.admitted(connection)
        with self._lock:
            self._open.discard(connection)

    def evict_all(self) -> None:
        """Close every connection from outside."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            connection.evict()
