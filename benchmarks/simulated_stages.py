"""The stages of the gateway as steps of the simulation, from times that were measured.

What a study spends in a state while no other is there is what its stage needs: the
worker's claim, the work, and the commit. Each stage has the workers of its line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.kept import Kept
from benchmarks.simulated_pipeline import Step, measured
from gateway.lifecycle import State
from gateway.stages.lines import LINES, READ

WAY = (
    State.RECEIVING,
    State.COMPLETE,
    State.SELECTED,
    State.GATHERED,
    State.REPORTED,
    State.ENCODED,
)
"""The states from the end of the quiet period to stored results, in order."""
ALONE = "one by one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Seconds in each state of WAY, quiet period and engine not included.

    processor : the share of these seconds, 0 to 1, that is work of the processors.
    """

    seconds: Mapping[State, tuple[float, ...]]
    processor: float = 1.0

    def __post_init__(self) -> None:
        if lacking := [f"{state}" for state in WAY if not self.seconds.get(state)]:
            raise ValueError(f"no times were measured in: {', '.join(lacking)}")

    @property
    def whole(self) -> float:
        """Seconds in which somebody works on a study, means added up."""
        working = [each for state, each in self.seconds.items() if state != WAY[0]]
        return sum(sum(each) / len(each) for each in working)

    def steps(self, *, readers: int, gateways: int = 1) -> tuple[Step, ...]:
        """Return the steps of so many gateways over one ledger.

        readers : studies that wait for the engine at one time, all gateways together.
        """
        if readers < 1 or gateways < 1:
            raise ValueError(f"{gateways} gateways with {readers} readers do nothing")
        return tuple(self._step(state, readers, gateways) for state in WAY)

    def _step(self, state: State, readers: int, gateways: int) -> Step:
        line = next(each for each in LINES if state in each.states)
        step = Step(
            name=f"{state}",
            workers=gateways * line.workers,
            seconds=measured(self.seconds[state]),
            processor=self.processor,
        )
        if line.name == READ:
            return replace(step, workers=readers, asks=True)
        if state is WAY[0]:  # it is the wait until somebody looks
            return replace(step, workers=None, processor=0.0)
        return step


def stages_of(kept: Kept, processor: float = 1.0) -> Stages:
    """Return the stages as `benchmarks.study` or `benchmarks.simulation` kept them.

    Raises ValueError where a state has no times.
    """
    figures = {state: kept.figures.get(f"{ALONE}: {state}") for state in WAY}
    return Stages(
        seconds={
            state: tuple(max(0.0, value) / 1000 for value in figure.values)
            for state, figure in figures.items()
            if figure is not None
        },
        processor=processor,
    )
