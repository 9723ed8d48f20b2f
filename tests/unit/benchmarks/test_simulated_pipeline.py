"""The simulation against the theory of queues, and what it must never do."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arrivals import evenly, poisson
from benchmarks.simulated_pipeline import (
    Engine,
    Passage,
    Plan,
    Run,
    Step,
    exponential,
    fixed,
    measured,
    simulate,
)

COUNT = 12_000
SEED = 8
AT_ONCE = Engine(replicas=1, seconds=lambda _n: 0.0)


def arrivals(per_second: float, count: int = COUNT) -> list[float]:
    return poisson(per_second, count, np.random.default_rng(SEED))


def queue(step: Step, engine: Engine = AT_ONCE, cores: float = 1.0) -> Plan:
    return Plan(steps=(step,), engine=engine, cores=cores)


def mean_wait(run: Run, step: str) -> float:
    return float(np.mean([each.waited[step] for each in run.passages]))


def whole() -> Plan:
    """A pipeline that has everything a plan can have."""
    return Plan(
        steps=(
            Step(name="look", workers=2, seconds=measured([0.1, 0.3]), processor=0.9),
            Step(name="read", workers=3, seconds=fixed(0.05), asks=True),
            Step(name="send", workers=None, seconds=exponential(0.2), processor=0.5),
        ),
        engine=Engine(replicas=2, batch=2, seconds=lambda n: 0.3 + 0.1 * n),
        cores=1.5,
        quiet_seconds=2.0,
        receiving=fixed(0.4),
        beside=0.1,
    )


def test_one_memoryless_worker_lets_wait_as_long_as_the_theory_says() -> None:
    # M/M/1: Wq = rho / (mu - lambda); lambda = 0.6, mu = 1: 0.6 / 0.4 = 1.5 s
    plan = queue(Step(name="x", workers=1, seconds=exponential(1.0)))
    run = simulate(plan, arrivals(0.6), SEED)
    assert mean_wait(run, "x") == pytest.approx(1.5, rel=0.06)


def test_an_engine_of_fixed_delay_lets_wait_half_as_long() -> None:
    # M/D/1: Wq = rho / (2 (mu - lambda)); lambda = 0.6, mu = 1: 0.75 s, and 1 s to read
    read = Step(name="read", workers=None, seconds=fixed(0.0), asks=True)
    run = simulate(
        queue(read, Engine(replicas=1, seconds=lambda _n: 1.0)), arrivals(0.6), SEED
    )
    taken = float(np.mean([each.took["read"] for each in run.passages]))
    assert taken == pytest.approx(1.75, rel=0.04)
    assert run.engine_busy == pytest.approx(0.6, rel=0.03)


def test_two_workers_let_wait_as_erlang_says() -> None:
    # M/M/2, lambda = 1.2, mu = 1, a = 1.2, rho = 0.6. Erlang C:
    # (a²/2 / (1 - rho)) / (1 + a + a²/2 / (1 - rho)) = 1.8 / 4 = 0.45;
    # Wq = C / (2 mu - lambda) = 0.45 / 0.8 = 0.5625 s
    plan = queue(Step(name="x", workers=2, seconds=exponential(1.0)))
    run = simulate(plan, arrivals(1.2), SEED)
    assert mean_wait(run, "x") == pytest.approx(0.5625, rel=0.06)


def test_a_shared_processor_slows_all_as_the_theory_says() -> None:
    # M/G/1 with processor sharing: T = s / (1 - rho) whatever the distribution of the
    # work; here fixed work of 0.5 s at 1 a second: 0.5 / 0.5 = 1 s
    step = Step(name="x", workers=None, seconds=fixed(0.5), processor=1.0)
    run = simulate(queue(step), arrivals(1.0), SEED)
    taken = float(np.mean([each.took["x"] for each in run.passages]))
    assert taken == pytest.approx(1.0, rel=0.05)
    assert run.busy == pytest.approx(0.5, rel=0.03)


def test_as_many_are_there_as_littles_law_says() -> None:
    # L = lambda W holds for each run that begins and ends empty (Little 1961); L is
    # counted over time, W over studies.
    moments = arrivals(1.0, 3000)
    run = simulate(whole(), moments, SEED)
    inside = [each.ended_at - each.arrived_at for each in run.passages]
    per_second = len(moments) / run.ended_at
    assert run.present == pytest.approx(per_second * float(np.mean(inside)))


def test_each_study_passes_each_step_once_and_no_time_is_lost() -> None:
    plan = whole()
    run = simulate(plan, arrivals(1.0, 500), SEED)
    names = [step.name for step in plan.steps]
    assert len(run.passages) == 500
    for each in run.passages:
        assert list(each.waited) == list(each.took) == names
        spent = sum(each.waited.values()) + sum(each.took.values())
        assert each.received_at == pytest.approx(each.arrived_at + 0.4)
        assert each.to_result == pytest.approx(plan.quiet_seconds + spent)


def test_processors_work_as_long_as_the_studies_need() -> None:
    step = Step(name="x", workers=None, seconds=fixed(0.25), processor=0.4)
    plan = replace(queue(step, cores=2.0), beside=0.3)
    run = simulate(plan, evenly(2.0, 100), SEED)
    # 100 studies of 0.25 x 0.4 + 0.3 s each; what is beside the last may not be done
    assert run.busy * run.ended_at * 2 == pytest.approx(40.0, rel=0.01)


def test_the_engine_takes_what_waits_up_to_a_batch() -> None:
    taken: list[int] = []

    def seconds(count: int) -> float:
        taken.append(count)
        return 1.0

    read = Step(name="read", workers=None, seconds=fixed(0.0), asks=True)
    engine = Engine(replicas=1, batch=3, seconds=seconds)
    # one is begun alone; of the four that come meanwhile three are read together
    simulate(queue(read, engine), [0.0, 0.1, 0.2, 0.3, 0.4], SEED)
    assert taken == [1, 3, 1]


def test_too_few_readers_starve_a_batch() -> None:
    taken: list[int] = []

    def seconds(count: int) -> float:
        taken.append(count)
        return 1.0

    read = Step(name="read", workers=2, seconds=fixed(0.0), asks=True)
    simulate(queue(read, Engine(replicas=1, batch=8, seconds=seconds)), [0.0] * 9, SEED)
    assert max(taken) <= 2


def test_a_seed_repeats_a_run_and_another_does_not() -> None:
    moments = arrivals(1.0, 200)
    runs = [simulate(whole(), moments, seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_what_a_study_needs_is_the_same_under_another_plan() -> None:
    # Nobody waits for anything here, so a study takes what was drawn for it.
    step = Step(name="x", workers=None, seconds=exponential(1.0))
    one = simulate(queue(step), evenly(0.1, 50), SEED)
    other = simulate(queue(replace(step, workers=50)), evenly(5.0, 50), SEED)
    assert [each.took["x"] for each in one.passages] == pytest.approx(
        [each.took["x"] for each in other.passages]
    )


def test_throughput_and_percentiles_are_those_of_the_passages() -> None:
    passages = tuple(
        Passage(arrived_at=n, received_at=n, ended_at=n + taken)
        for n, taken in enumerate([4.0, 1.0, 3.0, 2.0])
    )
    run = Run(passages=passages, ended_at=8.0, present=0, busy=0, engine_busy=0)
    assert (run.percentile(0.5), run.percentile(0.95)) == (2.0, 4.0)
    assert run.throughput == pytest.approx(0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Step(name="x", workers=0, seconds=fixed(1.0)),
        lambda: Step(name="x", workers=1, seconds=fixed(1.0), processor=1.1),
        lambda: Engine(replicas=0, seconds=lambda _n: 1.0),
        lambda: Engine(replicas=1, batch=0, seconds=lambda _n: 1.0),
        lambda: Plan(steps=(), engine=AT_ONCE, cores=1.0),
        lambda: replace(whole(), quiet_seconds=-1.0),
        lambda: replace(whole(), beside=-1.0),
        lambda: simulate(replace(whole(), cores=0.0), [1.0], SEED),
        lambda: simulate(whole(), [], SEED),
        lambda: simulate(whole(), [2.0, 1.0], SEED),
        lambda: simulate(whole(), [-1.0], SEED),
        lambda: measured([]),
        lambda: measured([1.0, -0.1]),
        lambda: exponential(0.0),
    ],
    ids=[f"wrong-{n}" for n in range(14)],
)
def test_a_plan_that_cannot_be_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=r"\w"):
        wrong()
