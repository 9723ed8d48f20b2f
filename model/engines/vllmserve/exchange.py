"""What crosses to a server of vLLM and back, over a connection for each question.

A connection that was kept could end at the moment in which it is used again, and then
nobody would know whether the question arrived. Closing one ends the work for it.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from copy import copy
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from model.engines.connecting import connect
from model.errors import EngineAway, EngineDied, ModelError, RefusedRequest

_COMPLETIONS = "/v1/chat/completions"
_DATA = b"data: "
_DONE = b"[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One name that a server knows; the most tokens of prompt and answer, if said."""

    id: str
    max_model_len: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """All names that a server knows."""

    data: tuple[Model, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Which vLLM it is."""

    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The ids of a text."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Text that came."""

    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What came of an answer: text, its ids, and why it ended, where it did."""

    delta: Delta = Delta()
    token_ids: tuple[int, ...] | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One event of an answer; the first has the ids of the prompt."""

    choices: tuple[Choice, ...] = ()
    prompt_token_ids: tuple[int, ...] | None = None
    error: dict[str, object] | None = field(default=None, repr=False)


_MODELS = TypeAdapter(Models)
_VERSION = TypeAdapter(Version)
_TOKENS = TypeAdapter(Tokens)
_CHUNK = TypeAdapter(Chunk)
_Said = TypeVar("_Said")


class Server:
    """A server by its address, as "https://gpu1:8000".

    seconds : in which it must take a connection, and answer what takes no work; key :
    that it asks for, "" for none.
    """

    def __init__(
        self, address: str, seconds: float, trusted: ssl.SSLContext, key: str
    ) -> None:
        self.address = address
        self._seconds = seconds
        self._trusted = trusted
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def within(self, seconds: float) -> "Server":
        """Return the same server, which is given so long."""
        found = copy(self)
        found._seconds = seconds  # noqa: SLF001 - a copy of this
        return found

    def models(self) -> tuple[Model, ...]:
        """Return what it serves. Raises `EngineAway`."""
        return self._say(_MODELS, self._quick("GET", "/v1/models")).data

    def version(self) -> str:
        """Return its version of vLLM. Raises `EngineAway`."""
        return self._say(_VERSION, self._quick("GET", "/version")).version

    def tokens(self, body: bytes) -> tuple[int, ...]:
        """Return the ids of a text. Raises `EngineAway`."""
        return self._say(_TOKENS, self._quick("POST", "/tokenize", body)).tokens

    def chunks(self, body: bytes, until: float | None) -> Generator[Chunk, None, None]:
        """Ask for an answer and yield it as it comes.

        until : deadline by `time.monotonic`, at which it raises TimeoutError; None: as
        long as it takes. Raises `EngineAway` where nobody began with it,
        `RefusedRequest` where it can never be answered, and `EngineDied` where the
        server or the way to it was lost.
        """
        connection = connect(self.address, self._seconds, self._trusted)
        held = connection.sock  # an answer that ends with its connection takes it away
        with closing(connection):
            reply = self._begun(connection, body, until)
            with closing(reply):
                yield from self._events(reply, held, until)

    def _begun(
        self, connection: http.client.HTTPConnection, body: bytes, until: float | None
    ) -> http.client.HTTPResponse:
        """Send the question whole; a server begins with none that has a part missing.

        Returns the beginning of its answer.
        """
        connection.sock.settimeout(_left(until))
        try:
            connection.request("POST", _COMPLETIONS, body, self._headers)
        except TimeoutError:
            raise
        except OSError as error:
            raise EngineAway(f"{self.address} did not take the question") from error
        try:
            connection.sock.settimeout(_left(until))
            reply = connection.getresponse()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise self._lost() from error
        if reply.status != http.client.OK:
            reply.close()
            raise self._refusal(reply.status)
        return reply

    def _events(
        self,
        reply: http.client.HTTPResponse,
        held: socket.socket,
        until: float | None,
    ) -> Iterator[Chunk]:
        """Yield what comes up to [DONE]; another end is a loss."""
        while True:
            held.settimeout(_left(until))
            try:
                line = reply.readline()
            except TimeoutError:
                raise
            except (OSError, http.client.HTTPException) as error:
                raise self._lost() from error
            if not line.endswith(b"\n"):
                raise self._lost()
            said = line.removeprefix(_DATA).strip()
            if said == _DONE:
                return
            if line.startswith(_DATA):
                yield self._chunk(said)

    def _chunk(self, said: bytes) -> Chunk:
        chunk = self._say(_CHUNK, said)
        if chunk.error is not None:
            # Its message may quote the question.
            raise EngineDied(f"{self.address} failed at work on this")
        return chunk

    def _quick(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Ask what takes no work. Raises `EngineAway` where there is no answer."""
        with closing(connect(self.address, self._seconds, self._trusted)) as connection:
            try:
                connection.request(method, path, body or None, self._headers)
                reply = connection.getresponse()
                said = reply.read()
            except (OSError, http.client.HTTPException) as error:
                raise EngineAway(f"{self.address} does not answer {path}") from error
        if reply.status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
            raise self._refusal(reply.status)
        if reply.status != http.client.OK:
            raise EngineAway(f"{self.address} answers {path} with {reply.status}")
        return said

    def _say(self, kind: "TypeAdapter[_Said]", text: bytes) -> _Said:
        """Read what it said; what it should not say is not repeated."""
        try:
            return kind.validate_json(text)
        except ValidationError:
            raise EngineAway(f"{self.address} does not answer as vLLM does") from None

    def _lost(self) -> EngineDied:
        return EngineDied(f"the connection to {self.address} was lost at work on this")

    def _refusal(self, status: int) -> ModelError:
        """Return what a status means; the server's words may quote the question."""
        match status:
            case http.client.BAD_REQUEST | http.client.UNPROCESSABLE_ENTITY:
                return RefusedRequest(
                    f"{self.address} refuses the question ({status}): most often "
                    "prompt and answer are longer than its --max-model-len"
                )
            case http.client.UNAUTHORIZED | http.client.FORBIDDEN:
                return EngineAway(f"{self.address} wants another key ({status})")
            case http.client.NOT_FOUND:
                return EngineAway(f"{self.address} serves another model now")
            case http.client.TOO_MANY_REQUESTS | http.client.SERVICE_UNAVAILABLE:
                return EngineAway(f"{self.address} has its fill ({status})")
            case _:
                return EngineDied(f"{self.address} failed at work on this ({status})")


def _left(until: float | None) -> float | None:
    """Return the seconds to the deadline. Raises TimeoutError where none are left."""
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
