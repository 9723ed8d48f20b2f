"""The engine that asks the model behind Ray Serve. No ray, no torch.

A question is one POST to the path of the application: an `Ask` of the wire there, and
back the replica's `Ready`, which says who answers, then `Reports` or `Failed`.
"""

import hashlib
import io
import itertools
import json
import threading
from collections.abc import Callable, Sequence
from functools import partial

from model.engine import EngineIdentity, ReplicatedEngine
from model.engines.connecting import trust
from model.engines.process import hard_limit
from model.engines.rayserve.exchange import Proxy, Question
from model.engines.rayserve.plan import GRACE_SECONDS, ServePlace
from model.engines.wire import (
    Ask,
    Failed,
    Message,
    Ready,
    Reports,
    encode,
    read_message,
)
from model.errors import BadFrame, EngineAway, EngineDied, EngineUnavailable
from model.options import Domain
from model.report import GroundedReport, ReportRequest

ALONE = "x-maira-alone"
"""Header of a question that is not to be read together with others."""

_ROUTES = "/-/routes"
_WAITS = 2
"""Deadlines that a question may take: one to wait for its turn, one to be read."""


class RayEngine(ReplicatedEngine):
    """A `ReportEngine` for several threads; replicas behind proxies answer.

    A question whose replica was lost is asked alone the next time: it may be what
    ended the replica, and those read with it are not to blame.
    """

    def __init__(self, place: ServePlace, grace_seconds: float = GRACE_SECONDS) -> None:
        self._place = place
        self._path = f"/{place.application}"
        self._grace_seconds = grace_seconds
        trusted = trust(place.authorities)
        self._proxies = tuple(Proxy(address, trusted) for address in place.proxies)
        self._turns = itertools.count()
        self._lock = threading.Lock()
        """Held for a moment, around the fields below."""
        self._authors: dict[tuple[str, str], EngineIdentity] = {}
        self._heard: Ready | None = None
        self._suspects: set[bytes] = set()

    @property
    def domain(self) -> Domain:
        """What it may read, by the settings."""
        return self._place.domain

    @property
    def heard(self) -> Ready | None:
        """Who answered last; None: nobody did yet."""
        return self._heard

    @property
    def identity(self) -> EngineIdentity:
        """Say who answered last. Raises `EngineAway` where nobody did yet."""
        if self._heard is None:
            raise EngineAway("no replica has answered yet")
        return self._heard.identity

    def author(self, report: GroundedReport) -> EngineIdentity:
        """Return who wrote a report that this engine gave."""
        said = report.provenance
        return self._authors[said.weights_digest, said.settings_digest]

    def greet(self, seconds: float) -> Ready:
        """Ask a replica who it is; it may wait so long for one that has time."""
        question = Question(
            path=self._path,
            limit=seconds,
            connect_seconds=self._place.connect_seconds,
        )
        stream = io.BytesIO(self._ask(lambda proxy: proxy.ask(question)))
        return self._welcome(_read(stream))

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        """Have a replica answer each request, in order.

        Raises `EngineAway` where nobody began with it: no proxy, no application, or
        every replica has its fill. Raises `EngineDied` where the replica or the way
        to it was lost or no answer came in time, and what the replica raised.
        """
        if not requests:
            self.demand_application(self._place.connect_seconds)
            return []
        frame = encode(Ask(requests=tuple(requests)))
        key = hashlib.sha256(frame).digest()
        question = Question(
            path=self._path,
            method="POST",
            body=frame,
            headers={ALONE: "1"} if key in self._suspects else {},
            limit=self._limit(requests),
            connect_seconds=self._place.connect_seconds,
        )
        try:
            answer = self._ask(lambda proxy: proxy.ask(question))
        except EngineDied:
            with self._lock:
                self._suspects.add(key)
            raise
        with self._lock:
            self._suspects.discard(key)
        return self._reports(answer, len(requests))

    def demand_application(self, seconds: float) -> None:
        """Raise `EngineAway` unless a proxy knows the application.

        seconds : that each proxy gets to say so. Replicas are not asked: they may be
        at work for long.
        """
        question = Question(path=_ROUTES, limit=seconds, connect_seconds=seconds)
        self._ask(partial(self._known, question))

    def _ask(self, ask: Callable[[Proxy], bytes]) -> bytes:
        """Ask one proxy after the other, each time beginning with another."""
        start = next(self._turns) % len(self._proxies)
        reasons: list[str] = []
        for proxy in (*self._proxies[start:], *self._proxies[:start]):
            try:
                return ask(proxy)
            except EngineAway as error:
                reasons.append(str(error))
        raise EngineAway("; ".join(reasons))

    def _known(self, question: Question, proxy: Proxy) -> bytes:
        """Have a proxy say which applications it knows: ours must be one."""
        try:
            routes = proxy.ask(question)
            known = json.loads(routes)
        except (EngineDied, ValueError):
            raise EngineAway(f"{proxy.address} is no proxy of Ray Serve now") from None
        if self._path not in known:
            raise EngineAway(f"{proxy.address} has no application {self._path!r}")
        return routes

    def _limit(self, requests: Sequence[ReportRequest]) -> float | None:
        limit = hard_limit(requests, 0.0)
        return None if limit is None else _WAITS * limit + self._grace_seconds

    def _reports(self, answer: bytes, count: int) -> list[tuple[GroundedReport, ...]]:
        stream = io.BytesIO(answer)
        self._welcome(_read(stream))
        match _read(stream):
            case Reports(reports=reports) if len(reports) == count:
                return list(reports)
            case Failed() as failed:
                raise failed.exception()
            case _:
                raise EngineUnavailable("the replica answered another question")

    def _welcome(self, message: Message | None) -> Ready:
        """Remember who answers, unless it reads what it must not."""
        if not isinstance(message, Ready):
            raise EngineUnavailable("the replica did not say who it is")
        identity = message.identity
        if identity.domain is not self.domain:
            raise EngineAway(
                f"the replica reads a {identity.domain}, and ray.reads says "
                f"{self.domain}: change the settings and restart the gateway"
            )
        with self._lock:
            key = identity.weights_digest, identity.settings_digest
            self._authors[key] = identity
            self._heard = message
        return message


def _read(stream: io.BytesIO) -> Message | None:
    """Return the next message of an answer."""
    try:
        return read_message(stream.read)
    except BadFrame as error:
        raise EngineAway(
            f"gateway and replicas are of different versions: {error}"
        ) from error
