"""Connections that are open, and those of them that have no association.

Those without one are held within a number. One more, and the oldest of the address
that has most of them is closed: who knocks without end shuts out only himself.
"""

from collections import Counter
from ipaddress import ip_address, ip_network
from threading import Lock
from typing import Generic, Protocol, TypeVar

WAITING_CONNECTIONS = 64
"""Connections without an association that are held beside the associations."""

_NEIGHBOURS = 64
"""Bits of an IPv6 address that tell one network of a site from another (RFC 4291
2.5.4); one machine has all the addresses below them."""


class Evictable(Protocol):
    """A connection that can be closed from outside."""

    @property
    def origin(self) -> str:
        """Where it comes from, as `origin_of` says it."""
        ...

    def evict(self) -> None:
        """Close the connection; its own thread then ends it."""
        ...


C = TypeVar("C", bound=Evictable)


def origin_of(address: str) -> str:
    """Return what counts as one origin: an IPv4 address, or an IPv6 network."""
    where = ip_address(address.partition("%")[0])
    mapped = getattr(where, "ipv4_mapped", None)
    if where.version == 4 or mapped is not None:
        return str(mapped or where)
    return str(ip_network((where, _NEIGHBOURS), strict=False))


class Crowd(Generic[C]):
    """Counts the connections of a listener; used by all of its threads."""

    def __init__(self) -> None:
        self._open: set[C] = set()
        self._waiting: dict[C, None] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        """Count the connections that are open."""
        return len(self._open)

    def count(self, origin: str) -> int:
        """Count the open connections of one origin."""
        with self._lock:
            return sum(each.origin == origin for each in self._open)

    def arrived(self, connection: C) -> None:
        """Count a connection that has no association yet; another may have to go."""
        with self._lock:
            self._open.add(connection)
        self.waits(connection)

    def waits(self, connection: C) -> None:
        """Note that an open connection has no association, or none any more."""
        with self._lock:
            if connection not in self._open:
                return
            self._waiting[connection] = None
            crowded = len(self._waiting) > WAITING_CONNECTIONS
        if crowded:
            self.evict_one()

    def admitted(self, connection: C) -> None:
        """Note that a connection has its association."""
        with self._lock:
            self._waiting.pop(connection, None)

    def left(self, connection: C) -> None:
        """Note that a connection has ended."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._open.discard(connection)

    def evict_one(self) -> None:
        """Close the oldest waiting connection of the origin that has most of them."""
        with self._lock:
            counts = Counter(each.origin for each in self._waiting)
            most = max(counts.values(), default=0)
            oldest = next((c for c in self._waiting if counts[c.origin] == most), None)
            if oldest is not None:
                del self._waiting[oldest]
        if oldest is not None:
            oldest.evict()

    def evict_all(self) -> None:
        """Close every connection from outside."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            connection.evict()
