"""One copy of the model in a cluster of Ray: its batches, its health. The home of ray.

Serve starts it in a process of its own and asks it on its event loop; the model works
in one thread beside, so that questions about its health are answered meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from ray import serve

from model.engines.child import load_engine
from model.engines.collecting import Outcome, estimate_tokens
from model.engines.process import hard_limit
from model.engines.rayserve.asking import ALONE
from model.engines.rayserve.plan import GRACE_SECONDS, Batching
from model.engines.wire import Ask, Failed, Message, Reports, decode, encode
from model.errors import BadFrame, CheckpointError, EngineAway, EngineDied, ModelError
from model.options import EngineOptions
from model.report import GroundedReport, ReportRequest

logger = logging.getLogger(__name__)

_ONE_BY_ONE = 1
"""Tokens of a batch on a CPU, where a batch costs more than it saves."""


class HttpRequest(Protocol):
    """What we use of the request that Serve hands in."""

    method: str
    headers: Mapping[str, str]

    async def body(self) -> bytes:
        """Return the whole body."""
        ...


class Replica:
    """A `LocalEngine` behind Serve.

    Raises `CheckpointError` where the checkpoint on its node is not the one that was
    deployed.
    """

    def __init__(
        self, options: EngineOptions, weights_digest: str, batching: Batching
    ) -> None:
        self._engine, self._ready = load_engine(options)
        found = self._ready.identity.weights_digest
        if found != weights_digest:
            raise CheckpointError(
                f"{options.checkpoint} on this node has the digest {found}, "
                f"deployed is {weights_digest}"
            )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._most = batching.tokens if self._ready.device == "cuda" else _ONE_BY_ONE
        together = serve.batch(
            max_batch_size=self._most,
            batch_wait_timeout_s=batching.seconds,
            batch_size_fn=self._size,
        )
        self._together = together(self._read)
        self._until: float | None = None
        self._broken: str | None = None

    async def __call__(self, request: HttpRequest) -> bytes:
        """Say who this is, then answer what was asked, if anything was."""
        ready = encode(self._ready)
        if request.method == "GET":
            return ready
        return ready + encode(await self._answer(request))

    def check_health(self) -> None:
        """Raise where another copy must take the place of this one."""
        if self._broken is not None:
            raise RuntimeError(self._broken)
        if self._until is not None and time.monotonic() > self._until:
            raise RuntimeError("a reading hangs")

    async def _answer(self, request: HttpRequest) -> Message:
        try:
            ask = decode(await request.body())
        except BadFrame as error:
            return Failed.of(EngineAway(f"another version asks: {error}"))
        if not isinstance(ask, Ask):
            return Failed.of(EngineAway("another version asks: that was no question"))
        alone = request.headers.get(ALONE) is not None
        read = self._alone if alone else self._together
        outcomes: list[Outcome] = await asyncio.gather(*map(read, ask.requests))
        reports = []
        for outcome in outcomes:
            if isinstance(outcome, ModelError):
                return Failed.of(outcome)
            reports.append(outcome)
        return Reports(reports=tuple(reports))

    async def _alone(self, request: ReportRequest) -> Outcome:
        (outcome,) = await self._read([request])
        return outcome

    async def _read(self, requests: list[ReportRequest]) -> list[Outcome]:
        """Have the model's thread answer what came together."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._outcomes, requests)

    def _outcomes(self, requests: Sequence[ReportRequest]) -> list[Outcome]:
        """Answer all at once; where that fails, each alone, and is told its own."""
        if len(requests) > 1:
            try:
                return list(self._generate(requests))
            except ModelError:
                pass
        return [self._outcome(request) for request in requests]

    def _outcome(self, request: ReportRequest) -> Outcome:
        try:
            (outcome,) = self._generate([request])
        except ModelError as error:
            return error
        return outcome

    def _generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        limit = hard_limit(requests, GRACE_SECONDS)
        self._until = None if limit is None else time.monotonic() + limit
        try:
            return self._engine.generate(requests)
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - recorded; it ends this replica
            # Its message may quote a patient's text; what it left behind is unknown.
            self._broken = f"the model failed: {type(error).__name__}"
            logger.error("%s", self._broken)  # noqa: TRY400
            raise EngineDied(self._broken) from None
        finally:
            self._until = None

    def _size(self, requests: list[ReportRequest]) -> int:
        """Return the tokens of a batch; one request always fits."""
        tokens = sum(map(estimate_tokens, requests))
        return min(tokens, self._most) if len(requests) == 1 else tokens
