"""The role of a worker: it takes studies on, and looks for people's phrases.

Which studies have work is asked of the ledger, so a worker sees what any listener, any
other worker and any page has left for it; what a turn of this process leaves for the
next one is taken up without asking.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

from pydantic import TypeAdapter

from gateway.errors import LedgerFailure
from gateway.lifecycle import State
from gateway.running.rounds import Rounds
from gateway.site import Site
from gateway.stages import grounding, pipeline
from gateway.stages.lines import lines_of
from gateway.stages.turn import Turns, take_turn
from gateway.watching.health import Beats, Finding, engine_finding
from model.engine import EngineIdentity
from model.errors import EngineAway

logger = logging.getLogger(__name__)

STOP_SECONDS = 20.0
"""What the work under way gets at a stop; then its studies are given back."""

_LOOK_SECONDS = 0.2
_BY_ITSELF_SECONDS = 5.0
"""A worker that nobody rouses looks for work all the same."""

_IDENTITY = TypeAdapter(EngineIdentity)


class Working:
    """The workers of one process.

    name : of the process. stopping : set when it stops. hurry : tells that nobody
    wants to wait.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        stopping: threading.Event,
        hurry: Callable[[], bool],
    ) -> None:
        self._site, self._name = site, name
        self._stopping, self._hurry = stopping, hurry
        self._lines = lines_of(site.settings)
        self.beats = Beats(site.settings.work.longest_turn_seconds)
        self.turns = Turns(self._due, name)
        self._rouse: Callable[[str, float], None] = _nobody
        self._stop_by = float("inf")

    def add_jobs(self, rounds: Rounds) -> None:
        """Add a job for each worker, and one that looks for what they may do."""
        self._rouse = lambda name, seconds: rounds.rouse(name, seconds=seconds)
        for line in self._lines:
            for name in line.worker_names:
                self.beats.add(name)
                job = partial(self._drain, name, line.states)
                rounds.every(_BY_ITSELF_SECONDS, name, job)
        rounds.every(_LOOK_SECONDS, "look", self._look)
        # A person waits for it at the screen.
        rounds.every(0.5, "ground", self._ground)

    def begin_stop(self) -> None:
        """Begin nothing more."""
        self._stop_by = time.monotonic() + STOP_SECONDS

    def end_work(self) -> bool:
        """Let the turns under way end; return whether one was given back untouched."""
        if self.turns.end_by(self._is_over):
            return False
        logger.warning("work under way is left, and will be done at the next start")
        with suppress(LedgerFailure):
            self.turns.give_back(self._site)
        return True

    def live(self) -> tuple[Finding, ...]:
        """Say whether the workers move."""
        return (self.beats.finding(),)

    def ready(self) -> tuple[Finding, ...]:
        """Say whether somebody is there to read."""
        return (engine_finding(self._site.engine),)

    def engine(self) -> str | None:
        """Return who reads here, as JSON, for who has no engine; None: nobody yet."""
        try:
            identity = self._site.engine.identity
        except EngineAway:  # behind Ray Serve or vLLM, and nobody has answered
            return None
        return _IDENTITY.dump_json(identity).decode()

    def _is_over(self) -> bool:
        return self._hurry() or time.monotonic() > self._stop_by

    def _look(self) -> None:
        with self._site.ledger.reading() as rows:
            states = rows.states_due(self._site.clock())
        for state in states:
            self._rouse_line(state, 0.0)

    def _due(self, state: State, at: datetime) -> None:
        """Have the line of a state look for work at that time, and not only later."""
        self._rouse_line(state, (at - self._site.clock()).total_seconds())

    def _rouse_line(self, state: State, seconds: float) -> None:
        """Rouse one worker; who leaves a study waiting rouses the next (`Turns`)."""
        for line in self._lines:
            if state in line.states:
                self._rouse(self.beats.first_idle(line.worker_names), seconds)

    def _ground(self) -> None:
        # A turn: a stop waits for it as long as for any other, and no longer.
        if not self._stopping.is_set():
            with self.turns.owner(self._site.clock()):
                grounding.work(self._site, self._name)

    def _drain(self, name: str, states: tuple[State, ...]) -> None:
        with self.beats.at_work(name) as moved:
            while not self._stopping.is_set() and take_turn(
                self._site, pipeline.STAGES, states, self.turns
            ):
                moved()


def _nobody(_name: str, _seconds: float) -> None:
    """Rouse nobody: the workers have not started."""
