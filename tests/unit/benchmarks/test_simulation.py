"""What the comparison of simulation and gateway does with given times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from benchmarks.simulated_stages import WAY, Stages
from benchmarks.simulation import (
    Outcome,
    compared,
    outcome_of,
    plan_of,
    simulated,
)
from benchmarks.simulation_real import Calibration, Passed, passed_of
from gateway.ledger import MoveRecord
from gateway.lifecycle import Event, State

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
ONE_BY_ONE = Calibration(
    stages=Stages(seconds=dict.fromkeys(WAY, (0.1,)), processor=0.5),
    gateway=0.3,
    beside=0.2,
    idle=0.25,
)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def moves(*times: float) -> list[MoveRecord]:
    """Return the moves of a study that entered each state of the way at these times."""
    states = [*WAY, State.STORED]
    return [
        MoveRecord(
            revision=1,
            from_state=None,
            event=Event.IMAGE_ARRIVED,
            to_state=state,
            at=after(seconds),
            reason=None,
        )
        for state, seconds in zip(states, times, strict=True)
    ]


def passed(received: float, stored: float) -> Passed:
    return Passed(received_at=after(received), stored_at=after(stored), states={})


def test_quiet_and_delay_are_no_time_of_a_stage() -> None:
    times = [0.0, 3.2, 3.3, 3.5, 6.0, 6.4, 6.5]
    # the last image came at 1, its quiet of 2 s ended at 3; the engine took 2 s
    found = passed_of(moves(*times), after(1.0), quiet=2.0, delay=2.0)
    assert found.states == pytest.approx(
        dict(zip(WAY, [0.2, 0.1, 0.2, 0.5, 0.4, 0.1], strict=True))
    )
    assert found.to_result == pytest.approx(5.5)
    whole = sum(found.states.values()) + 2.0 + 2.0
    assert found.to_result == pytest.approx(whole)


def test_an_outcome_is_counted_from_the_first_image_to_the_last_result() -> None:
    found = outcome_of([passed(0, 4), passed(1, 3), passed(2, 5), passed(3, 10)])
    assert found == Outcome(throughput=0.4, median=3.0, p95=7.0)


def test_studies_that_meet_nobody_take_what_they_took_one_by_one() -> None:
    plan = plan_of(ONE_BY_ONE, quiet=2.0, delay=1.0, cores=2.0)
    arrived = [passed(10.0 * number, 0) for number in range(5)]
    for outcome in simulated(plan, arrived):
        assert outcome.median == pytest.approx(2.0 + 1.0 + 6 * 0.1)


def test_what_the_gateway_uses_beyond_its_stages_is_beside_them() -> None:
    plan = plan_of(replace(ONE_BY_ONE, gateway=0.9), 2.0, 1.0, 2.0)
    assert plan.beside == pytest.approx(0.2 + 0.9 - 0.5)
    assert plan.cores == pytest.approx(1.75)


def test_arrivals_that_come_faster_wait_for_the_reader() -> None:
    plan = plan_of(ONE_BY_ONE, quiet=2.0, delay=1.0, cores=2.0)
    crowd = [passed(0.01 * number, 0) for number in range(5)]
    (outcome, *_) = simulated(plan, crowd)
    # the fifth waits for four others that take 1.1 s each
    assert outcome.p95 == pytest.approx(2.0 + 5 * 1.1 + 0.5, abs=0.2)


def test_the_middle_of_the_simulations_is_held_against_the_gateway() -> None:
    real = Outcome(throughput=1.0, median=10.0, p95=20.0)
    guesses = [
        Outcome(throughput=1.0, median=median, p95=24.0) for median in (9.0, 11.0, 90.0)
    ]
    figures, targets = compared("half", real, guesses)
    assert [target.reached for target in targets] == pytest.approx([0.0, 0.1, 0.2])
    assert [target.is_met for target in targets] == [True, True, False]
    for was, said in pairwise(figures):
        if was.name.endswith("measured"):
            assert said.name == was.name.replace("measured", "simulated")
