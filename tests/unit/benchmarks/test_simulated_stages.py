import pytest

from benchmarks.kept import Kept
from benchmarks.rounds import Figure
from benchmarks.simulated_stages import WAY, Stages, stages_of
from gateway.lifecycle import State
from gateway.stages.lines import LINES


def kept(*states: State, value: float = 20.0) -> Kept:
    figures = [
        Figure(name=f"one by one: {state}", unit="ms", values=(value, 3 * value))
        for state in states
    ]
    return Kept(
        command="",
        when="",
        note="",
        figures={figure.name: figure for figure in figures},
        targets=(),
    )


def test_milliseconds_of_a_state_become_seconds_of_its_stage() -> None:
    stages = stages_of(kept(*WAY), processor=0.5)
    assert stages.seconds[State.SELECTED] == (0.02, 0.06)
    assert stages.whole == pytest.approx(5 * 0.04)  # in the first it waits


def test_each_stage_has_the_workers_of_its_line_on_each_gateway() -> None:
    steps = {s.name: s for s in stages_of(kept(*WAY)).steps(readers=5, gateways=3)}
    lines = {state: line for line in LINES for state in line.states}
    for state in WAY:
        if state not in (State.GATHERED, State.RECEIVING):
            assert steps[state].workers == 3 * lines[state].workers
    assert steps[State.GATHERED].workers == 5
    assert [step.name for step in steps.values() if step.asks] == [State.GATHERED]


def test_the_wait_until_somebody_looks_is_no_work() -> None:
    first, *others = stages_of(kept(*WAY), processor=0.7).steps(readers=1)
    assert (first.workers, first.processor) == (None, 0.0)
    assert {step.processor for step in others} == {0.7}


def test_a_state_without_times_is_named() -> None:
    with pytest.raises(ValueError, match="in: encoded"):
        stages_of(kept(*WAY[:-1]))


def test_nobody_who_reads_is_refused() -> None:
    stages = Stages(seconds=dict.fromkeys(WAY, (0.1,)))
    with pytest.raises(ValueError, match="0 readers"):
        stages.steps(readers=0)
    with pytest.raises(ValueError, match="0 gateways"):
        stages.steps(readers=1, gateways=0)


def test_a_delay_that_jittered_below_nothing_is_nothing() -> None:
    assert stages_of(kept(*WAY, value=-1.0)).whole == 0
