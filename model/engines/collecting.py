"""Requests of several workers, collected for a moment and answered together.

Worth it where an engine answers many prompts in little more time than one: on a
GPU. On a CPU a batch costs more than it saves.
"""

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from model.engine import EngineIdentity, ReportEngine
from model.engines.inputs import FREE_TEXTS, IMAGES
from model.engines.wire import Ask, encode
from model.errors import EngineAway, EngineUnavailable, ModelError
from model.report import GroundedReport, ReportRequest

TOKENS_AN_IMAGE = 1369
"""Patches of one image (RAD-DINO-MAIRA-2)."""
TOKENS_A_QUESTION = 600
"""The fixed text of a prompt and what is generated after it, at most about."""
CHARACTERS_A_TOKEN = 3
"""At least, in reports in English."""

Outcome = tuple[GroundedReport, ...] | ModelError
"""The answer to one request, or what it is refused for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """How requests are collected.

    seconds : how long the first request of a batch waits for others.
    tokens : of a batch at most, as `estimate_tokens` counts; one request is
        always taken.
    """

    seconds: float = 0.005
    tokens: int = 16_384


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Requests that will be asked together; open to more until they are."""

    requests: list[ReportRequest] = field(default_factory=list)
    tokens: int = 0
    full: threading.Event = field(default_factory=threading.Event)
    outcomes: Future[list[Outcome]] | None = None


class CollectingEngine:
    """A `ReportEngine` that asks another one for several studies at once.

    Batches are asked one after the other; while one is under way the next fills.
    Where a batch fails, each of its requests is asked alone, so one cannot fail
    the others; where the engine failed with it, they stay alone until answered.
    `close` it after the engine below it, which ends what is under way.
    """

    def __init__(
        self, inner: ReportEngine, collection: Collection | None = None
    ) -> None:
        self._inner = inner
        self._collection = collection or Collection()
        self._lock = threading.Lock()
        self._open: _Batch | None = None
        self._line = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch")
        self._suspects: set[bytes] = set()

    @property
    def identity(self) -> EngineIdentity:
        """Say who answers."""
        return self._inner.identity

    @property
    def inner(self) -> ReportEngine:
        """The engine that answers."""
        return self._inner

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        """Answer each request, in order, together with those of other callers.

        Raises what the inner engine raises for the first that fails.
        """
        if not requests:
            return self._inner.generate([])
        places = [self._join(request) for request in requests]
        return [_answer(outcomes.result()[place]) for outcomes, place in places]

    def close(self) -> None:
        """Take no more requests and wait for the batch that is under way."""
        self._line.shutdown(wait=True)

    def _join(self, request: ReportRequest) -> tuple[Future[list[Outcome]], int]:
        """Put a request into a batch; return its outcomes to be, and the place."""
        tokens, alone = estimate_tokens(request), self._is_suspect(request)
        with self._lock:
            batch, most = self._open, self._collection.tokens
            if batch is None or alone or batch.tokens + tokens > most:
                batch = self._begin(closed=alone)
            batch.requests.append(request)
            batch.tokens += tokens
            if batch.tokens >= most:
                batch.full.set()
            assert batch.outcomes is not None  # noqa: S101 - set where it begins
            return batch.outcomes, len(batch.requests) - 1

    def _begin(self, *, closed: bool) -> _Batch:
        """Queue a new batch, under the lock; the one before takes no more."""
        batch = _Batch()
        if closed:
            batch.full.set()
        else:
            if self._open is not None:
                self._open.full.set()
            self._open = batch
        try:
            batch.outcomes = self._line.submit(self._ask, batch)
        except RuntimeError as error:  # its way to say that it was shut down
            raise EngineAway("the engine is being stopped") from error
        return batch

    def _ask(self, batch: _Batch) -> list[Outcome]:
        """Wait for company, then ask; runs on the one thread of the line."""
        batch.full.wait(self._collection.seconds)
        with self._lock:
            if self._open is batch:
                self._open = None
        if len(batch.requests) > 1:
            try:
                return list(self._inner.generate(batch.requests))
            except EngineAway:
                pass  # it began with none of them
            except EngineUnavailable:
                self._suspects.update(map(_key, batch.requests))
            except ModelError:
                pass  # asked alone, each is told its own
        return [self._ask_alone(request) for request in batch.requests]

    def _ask_alone(self, request: ReportRequest) -> Outcome:
        outcome: Outcome
        try:
            (outcome,) = self._inner.generate([request])
        except EngineUnavailable as error:
            return error
        except ModelError as error:
            outcome = error
        if self._suspects:
            self._suspects.discard(_key(request))
        return outcome

    def _is_suspect(self, request: ReportRequest) -> bool:
        """Whether the request was in a batch that took the engine down."""
        return bool(self._suspects) and _key(request) in self._suspects


def estimate_tokens(request: ReportRequest) -> int:
    """Return about how many tokens a request occupies: an upper bound, cheaply."""
    inputs = request.inputs
    images = sum(getattr(inputs, name) is not None for name in IMAGES)
    letters = sum(len(getattr(inputs, name) or "") for name in FREE_TEXTS)
    prompt = TOKENS_AN_IMAGE * images + letters // CHARACTERS_A_TOKEN
    return len(request.questions) * (prompt + TOKENS_A_QUESTION)


def _key(request: ReportRequest) -> bytes:
    return hashlib.sha256(encode(Ask(requests=(request,)))).digest()


def _answer(outcome: Outcome) -> tuple[GroundedReport, ...]:
    if isinstance(outcome, ModelError):
        raise outcome
    return outcome
