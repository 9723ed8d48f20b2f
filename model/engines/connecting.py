"""Connections to who serves the model elsewhere, and what they are trusted by."""

import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from model.errors import EngineAway, EngineUnavailable


def trust(authorities: Path | None) -> ssl.SSLContext:
    """Return what https is checked with.

    authorities : a file of certificates (PEM); None: the system's. Raises
    `EngineUnavailable` where it holds none.
    """
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise EngineUnavailable(f"{authorities} holds no certificates") from error


def connect(
    address: str, seconds: float, trusted: ssl.SSLContext
) -> http.client.HTTPConnection:
    """Connect to an address, as "https://gpu1:8000". Raises `EngineAway`."""
    place = urlsplit(address)
    host, port = place.hostname or "", place.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=seconds, context=trusted)
        if place.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=seconds)
    )
    try:
        connection.connect()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise EngineAway(f"{address} cannot be reached: {why}") from error
    return connection
