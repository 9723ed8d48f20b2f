"""A report engine in a child process that may die, and is started again.

Nothing here loads torch. One thread starts the child, reads what it says and, when
it has ended for whatever reason, starts the next after a growing pause. A question
waits for its answer, for the child's end, or for its deadline, which ends the child.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from model.engine import EngineIdentity
from model.engines.child import OPTIONS
from model.engines.piped import Child, our_interpreter
from model.engines.wire import Alive, Ask, Failed, Message, Ready, Reports, encode
from model.errors import (
    BadFrame,
    EngineAway,
    EngineDied,
    EngineUnavailable,
    ModelError,
)
from model.options import EngineOptions
from model.report import GroundedReport, ReportRequest

logger = logging.getLogger(__name__)

_CLOSING = "the engine is being stopped"
_JOIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """When a child is given up, and when the next one is started; all seconds.

    `start` bounds loading and warming up, `silence` the time without a sign of
    life. A deadline of a request is overrun by `grace` before the child is killed.
    The pause after an end begins with `first_pause` and doubles up to `most_pause`
    until a question is answered.
    """

    start: float = 900.0
    silence: float = 120.0
    grace: float = 30.0
    first_pause: float = 1.0
    most_pause: float = 60.0


class ProcessEngine:
    """A `ReportEngine` whose model lives in a child process.

    Waits for the first child to be ready. Raises what that child could not do:
    `CheckpointError` or `EngineUnavailable`.
    """

    def __init__(self, command: Sequence[str], watch: Watch | None = None) -> None:
        self._command = tuple(command)
        self._watch = watch or Watch()
        self._turn = threading.Lock()
        """Held from a question to its answer."""
        self._lock = threading.Lock()
        """Held for a moment, around the fields below."""
        self._child: Child | None = None
        self._ready = False
        self._why = "the engine is being loaded"
        self._answer: Future[Message] | None = None
        self._ends = 0
        self._closing = threading.Event()
        self._first: Future[Ready] = Future()
        self._thread = threading.Thread(
            target=self._supervise, name="engine", daemon=True
        )
        self._thread.start()
        self._said = self._first.result()

    @property
    def identity(self) -> EngineIdentity:
        """Say who answers: the same for every child of this engine."""
        return self._said.identity

    @property
    def device(self) -> str:
        """Where the child runs: "cpu" or "cuda"."""
        return self._said.device

    @property
    def process_id(self) -> int | None:
        """The number of the child that is ready; None: there is none now."""
        with self._lock:
            return self._child.process_id if self._child and self._ready else None

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        """Have the child answer each request, in order.

        Raises what the child raises; `EngineAway` where no child is ready, and
        `EngineDied` where it ended on the way, or was ended for its deadline.
        """
        if not requests:
            self._demand_child()
            return []
        frame = encode(Ask(requests=tuple(requests)))
        with self._turn:
            message = self._ask(frame, hard_limit(requests, self._watch.grace))
        match message:
            case Reports(reports=reports) if len(reports) == len(requests):
                return list(reports)
            case Failed():
                raise message.exception()
            case _:
                raise self._abandon("it answered another question")

    def close(self) -> None:
        """End the child, also in the middle of an answer, and start no other."""
        self._closing.set()
        with self._lock:
            child, self._ready, self._why = self._child, False, _CLOSING
        if child is not None:
            child.end(_CLOSING)
        self._thread.join(_JOIN_SECONDS)

    def _ask(self, frame: bytes, limit: float | None) -> Message:
        with self._lock:
            child = self._demand_ready()
            answer = self._answer = Future()
        try:
            child.send(frame)
            return answer.result(limit)
        except TimeoutError:
            raise self._abandon(f"no answer within {limit:g} s") from None
        except KeyboardInterrupt:  # its answer must not become that of the next
            self._abandon("nobody waits for its answer")
            raise

    def _demand_child(self) -> None:
        with self._lock:
            self._demand_ready()

    def _demand_ready(self) -> Child:
        if self._child is None or not self._ready:
            raise EngineAway(self._why)
        return self._child

    def _abandon(self, reason: str) -> EngineDied:
        """End a child that cannot be used any more; return what to raise."""
        with self._lock:
            child, self._ready, self._why = self._child, False, _away(reason)
        if child is not None:
            child.end(reason)
        return EngineDied(_died(reason))

    def _supervise(self) -> None:
        """Keep a child running until told otherwise; the first must get ready."""
        while not self._closing.is_set():
            failure = self._run_child()
            self._mourn(failure)
            if not self._first.done():
                self._first.set_exception(failure)
                return
            self._closing.wait(self._pause())

    def _run_child(self) -> ModelError:
        """Start a child and stay with it; return why it ended."""
        try:
            child = Child(self._command, self._watch.silence)
        except OSError as error:
            return EngineUnavailable(f"it cannot be started: {error.strerror}")
        with self._lock:
            self._child = child
        if self._closing.is_set():  # whoever closes saw no child to end
            child.end(_CLOSING)
        return self._attend(child)

    def _attend(self, child: Child) -> ModelError:
        until = time.monotonic() + self._watch.start
        try:
            for message in child.messages():
                failure = self._take(message)
                if failure is not None:
                    child.end(str(failure))
                    child.bury()
                    return failure
                if not self._ready and time.monotonic() > until:
                    child.end(f"it was not ready within {self._watch.start:g} s")
        except (BadFrame, TimeoutError) as error:
            child.end(str(error))
        return EngineUnavailable(child.bury())

    def _take(self, message: Message) -> ModelError | None:
        """Take one message; return what makes the child useless, if it does."""
        match message:
            case Alive():
                return None
            case Ready():
                return self._welcome(message)
            case Failed() if not self._ready:
                return message.exception()
            case Reports() | Failed():
                self._deliver(message)
                return None
            case _:
                return EngineUnavailable("it said what only a gateway says")

    def _welcome(self, ready: Ready) -> ModelError | None:
        """Call the child ready, if it is the engine that it was."""
        if not self._first.done():
            self._first.set_result(ready)
        elif self._first.result() != ready:
            return EngineUnavailable(
                "the checkpoint or its settings changed: restart the gateway"
            )
        with self._lock:
            self._ready = not self._closing.is_set()
        logger.info("the engine is ready, weights %s", ready.identity.weights_digest)
        return None

    def _deliver(self, message: Message) -> None:
        with self._lock:
            answer, self._answer = self._answer, None
        self._ends = 0
        if answer is not None:
            answer.set_result(message)

    def _mourn(self, failure: ModelError) -> None:
        """Tell who waits for an answer that none will come."""
        self._ends += 1
        with self._lock:
            self._child, self._ready = None, False
            answer, self._answer = self._answer, None
            closing = self._closing.is_set()
            self._why = _CLOSING if closing else _away(str(failure))
        if not closing:
            logger.error("the engine's process is gone: %s", failure)
        if answer is not None:
            answer.set_exception(
                EngineAway(_CLOSING) if closing else EngineDied(_died(str(failure)))
            )

    def _pause(self) -> float:
        watch = self._watch
        return min(watch.most_pause, watch.first_pause * 2.0 ** min(self._ends - 1, 30))


def local_command(options: EngineOptions) -> tuple[str, ...]:
    """Return the command of a child with a `LocalEngine` of these options."""
    return our_interpreter("model.engines.child", OPTIONS.dump_json(options).decode())


def hard_limit(requests: Sequence[ReportRequest], grace: float) -> float | None:
    """Return the seconds after which no answer will come; None: no bound.

    The engine keeps to the deadlines by itself; this is for one that hangs.
    """
    longest = 0.0
    for request in requests:
        if request.deadline_seconds is None:
            return None
        longest = max(longest, request.deadline_seconds)
    return longest + grace


def _away(reason: str) -> str:
    return f"the engine is being started again: {reason}"


def _died(reason: str) -> str:
    return f"the engine ended at work on this: {reason}"
