"""What holds and what does not: listener, workers, ledger, disk and engine.

Each finding is looked at when somebody asks, and says what it is that fails. What may
take long is asked on a thread of its own: an answer that does not come in time is an
answer too.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.spool import Spool
from model.engine import ReportEngine
from model.engines.collecting import CollectingEngine
from model.engines.process import ProcessEngine
from model.engines.rayserve.asking import RayEngine
from model.engines.vllmserve.asking import VllmEngine
from model.errors import EngineAway

ANSWER_SECONDS = 2.0
"""How long a question about the ledger may take before it counts as unanswered."""

_PROXY_SECONDS = 0.5
"""How long each proxy of Ray Serve gets to say that it knows the application."""

_SERVER_SECONDS = 1.0
"""How long each server of vLLM gets to say who it is."""

_IDLE_SECONDS = 30.0
"""A worker that nobody rouses looks for work every five seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that must hold; `detail` says how it stands."""

    name: str
    ok: bool
    detail: str


class Beats:
    """When each worker was last seen to move; used by all of them.

    now : returns seconds and never goes back. longest_turn : seconds that one turn
    may take.
    """

    def __init__(
        self, longest_turn: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._longest_turn, self._now = longest_turn, now
        self._seen: dict[str, float] = {}
        self._working: set[str] = set()
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        """Expect a worker from now on."""
        with self._lock:
            self._seen[name] = self._now()

    @contextmanager
    def at_work(self, name: str) -> Iterator[Callable[[], None]]:
        """Hold while a worker works; yields what it calls between two turns."""
        self.add(name)
        with self._lock:
            self._working.add(name)
        try:
            yield lambda: self.add(name)
        finally:
            self.add(name)
            with self._lock:
                self._working.discard(name)

    def first_idle(self, names: Sequence[str]) -> str:
        """Return the first worker that is not at work; the first one where all are."""
        with self._lock:
            return next((n for n in names if n not in self._working), names[0])

    def finding(self) -> Finding:
        """Say who does not move: in the same turn for too long, or never woken."""
        with self._lock:
            now = self._now()
            late = [
                f"{name} for {now - seen:.0f} s"
                for name, seen in sorted(self._seen.items())
                if now - seen > self._most(name)
            ]
            count = len(self._seen)
        detail = f"no movement of {', '.join(late)}" if late else f"{count} move"
        return Finding(name="workers", ok=not late, detail=detail)

    def _most(self, name: str) -> float:
        return self._longest_turn if name in self._working else _IDLE_SECONDS


class Question:
    """Something that may take long to answer, asked once at a time.

    ask : returns how it stands; a GatewayError says why it does not.
    """

    def __init__(self, name: str, ask: Callable[[], str]) -> None:
        self._name, self._ask = name, ask
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"health-{name}")
        self._answer: Future[str] | None = None
        self._lock = threading.Lock()

    def finding(self, seconds: float = ANSWER_SECONDS) -> Finding:
        """Ask, or wait for the answer to who asked before."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = self._pool.submit(self._ask)
            answer = self._answer
        try:
            return Finding(name=self._name, ok=True, detail=answer.result(seconds))
        except Late:
            detail = f"no answer within {seconds:g} s"
        except GatewayError as error:
            detail = str(error)
        return Finding(name=self._name, ok=False, detail=detail)

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def disk_finding(spool: Spool) -> Finding:
    """Say whether an instance would be begun."""
    try:
        free, reserve = spool.free_bytes(), spool.reserve_bytes
    except GatewayError as error:
        return Finding(name="disk", ok=False, detail=str(error))
    detail = f"{free >> 20} MiB free, reserve {reserve >> 20} MiB"
    return Finding(name="disk", ok=free >= reserve, detail=detail)


def engine_finding(engine: ReportEngine) -> Finding:
    """Say whether somebody is there to read."""
    match engine:
        case CollectingEngine():
            return engine_finding(engine.inner)
        case ProcessEngine():
            number = engine.process_id
            detail = f"process {number}" if number else "its process is being started"
            return Finding(name="engine", ok=number is not None, detail=detail)
        case RayEngine():
            return _answering(
                lambda: engine.demand_application(_PROXY_SECONDS), "behind Ray Serve"
            )
        case VllmEngine():
            return _answering(
                lambda: engine.demand_server(_SERVER_SECONDS), "behind vLLM"
            )
        case _:
            return Finding(name="engine", ok=True, detail="in this process")


def _answering(ask: Callable[[], object], where: str) -> Finding:
    """Say whether an engine that is elsewhere answers; `ask` raises where not."""
    try:
        ask()
    except EngineAway as error:
        return Finding(name="engine", ok=False, detail=str(error))
    return Finding(name="engine", ok=True, detail=where)


def listener_finding(*, is_accepting: bool) -> Finding:
    """Say whether the DICOM port takes connections."""
    detail = "accepts" if is_accepting else "the thread that accepts does not move"
    return Finding(name="listener", ok=is_accepting, detail=detail)
