"""One question to one proxy of Ray Serve, over a connection of its own.

A connection that was kept could end at the moment in which it is used again, and then
nobody would know whether the question arrived.
"""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from model.engines.connecting import connect
from model.errors import EngineAway, EngineDied


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is sent.

    limit : seconds without an answer; None: no bound.
    connect_seconds : in which a proxy must take the connection.
    """

    path: str
    connect_seconds: float
    method: str = "GET"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: float | None = None


class Proxy:
    """A proxy by its address, as "https://gpu1:8000"."""

    def __init__(self, address: str, trusted: ssl.SSLContext) -> None:
        self.address = address
        self._trusted = trusted

    def ask(self, question: Question) -> bytes:
        """Return the answer.

        Raises `EngineAway` where nobody began with it: no connection, no such
        application, or Serve sent it back because every replica has its fill.
        Raises `EngineDied` where the replica, the proxy or the way was lost on the
        way, or no answer came.
        """
        connection = connect(self.address, question.connect_seconds, self._trusted)
        try:
            self._send(connection, question)
            reply = connection.getresponse()
            body = reply.read()
        except TimeoutError:
            raise EngineDied(f"no answer within {question.limit:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise EngineDied(
                f"the connection to {self.address} was lost at work on this"
            ) from error
        finally:
            connection.close()
        if reply.status == http.client.OK:
            return body
        raise self._refusal(reply.status, question.path)

    def _send(self, connection: http.client.HTTPConnection, question: Question) -> None:
        """Send it whole; a replica begins with none of which a part is missing."""
        connection.sock.settimeout(question.limit)
        try:
            connection.request(
                question.method,
                question.path,
                body=question.body or None,
                headers=dict(question.headers),
            )
        except OSError as error:
            raise EngineAway(f"{self.address} did not take the question") from error

    def _refusal(self, status: int, path: str) -> EngineAway | EngineDied:
        match status:
            case http.client.NOT_FOUND:
                return EngineAway(f"{self.address} has no application {path!r}")
            case http.client.SERVICE_UNAVAILABLE:
                return EngineAway(
                    f"{self.address}: every replica has its fill, or there is none"
                )
            case _:
                return EngineDied(f"the replica was lost at work on this ({status})")
