"""Ports that are nobody's, and ports that are kept for a listener."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

NOBODYS_PORT = 1
"""Of a node that is away: who listens there needs a privilege, and none of us asks.

A number that was free a moment ago may be given to the test beside this one.
"""


@contextmanager
def reserved_port() -> Iterator[int]:
    """Hold a loopback port at which nobody listens until one of ours does.

    Whoever takes any free port does not get it; a listener may, that sets SO_REUSEADDR
    as ours and pynetdicom's do.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
