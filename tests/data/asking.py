"""Many who ask an engine at once, as the pipeline does: they wait and ask again."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.stages.turn import MOST_DEATHS
from model.engine import EngineIdentity, author_of
from model.engines.rayserve.asking import RayEngine
from model.errors import EngineAway, EngineDied, ModelError
from model.report import GroundedReport, ReportRequest

_PAUSE_SECONDS = 0.1


@dataclass
class Askers:
    """Threads that ask the same questions again and again until they are told to end.

    `answers` has for each number asked what was said, each time it was said.
    """

    engine: RayEngine
    questions: Sequence[ReportRequest]
    threads: int = 2
    answers: list[tuple[int, GroundedReport, EngineIdentity]] = field(
        default_factory=list
    )
    begun: int = 0
    deaths: Counter[int] = field(default_factory=Counter)
    away: int = 0
    wrong: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _end: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Askers":
        self._running = [
            threading.Thread(target=self._ask_on, name=f"asker-{number}")
            for number in range(self.threads)
        ]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._running:
            thread.join()

    def wait_for(
        self,
        seconds: float,
        reached: "Callable[[list[tuple[int, GroundedReport, EngineIdentity]]], bool]",
    ) -> None:
        """Wait until what was answered from now on is enough."""
        start, until = len(self.answers), time.monotonic() + seconds
        while not reached(self.answers[start:]):
            assert time.monotonic() < until, f"not within {seconds} s: {self.told()}"
            assert self.wrong == []
            time.sleep(0.05)

    def told(self) -> str:
        """Say what became of what was asked."""
        return (
            f"{self.begun} asked, {len(self.answers)} answers, "
            f"{sum(self.deaths.values())} deaths, {self.away} times away"
        )

    def _ask_on(self) -> None:
        while not self._end.is_set():
            with self._lock:
                number = self.begun
                self.begun += 1
            self._ask(number)
            time.sleep(_PAUSE_SECONDS)

    def _ask(self, number: int) -> None:
        """Ask until there is an answer, as often as a study would be."""
        request = self.questions[number % len(self.questions)]
        while True:
            try:
                self.engine.generate([])
                ((said,),) = self.engine.generate([request])
            except EngineAway:
                self.away += 1
            except EngineDied as error:
                self.deaths[number] += 1
                if self.deaths[number] == MOST_DEATHS:
                    self.wrong.append(f"{number} would be parked: {error}")
                    return
            except ModelError as error:
                self.wrong.append(f"{number}: {type(error).__name__}: {error}")
                return
            else:
                with self._lock:
                    self.answers.append((number, said, author_of(self.engine, said)))
                return
            time.sleep(_PAUSE_SECONDS)
