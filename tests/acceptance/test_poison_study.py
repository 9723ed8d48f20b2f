"""Studies that kill, exhaust or hang the engine do not stop the line behind them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.load import Table
from dicom_io.scu.peer import echo
from dicom_io.scu.send import store_instances
from gateway.ledger import AuditFilter, StudyRecord
from gateway.lifecycle import State
from model.engines.process import ProcessEngine, Watch
from tests.data.engine_child import child_command
from tests.data.films import film_dataset, write_film
from tests.data.sites import (
    MODALITY,
    Running,
    running_gateway,
    site_settings,
    wait_until,
)
from tests.data.stages import Bench, bench_at

pytestmark = pytest.mark.slow

BEHIND = 50
POISONS = {
    "segv": "killed by SIGSEGV",
    "killed": "killed by SIGKILL, probably because memory ran out",
    "memory": "out of memory on cuda for 4000 tokens",
    "hang": "no answer within 5 s",
}
"""What the scripted engine does with a study of that indication -> why it is parked."""

WATCH = Watch(grace=2.0, first_pause=0.01, most_pause=0.05)
DEADLINE: Table = {"engine": {"deadline_seconds": 3.0}}
RULES: Table = {
    **DEADLINE,
    "work": {"max_attempts": 3, "first_pause_seconds": 10.0},
}


def film_of(folder: Path, study: str, indication: str | None = None) -> Path:
    words = {} if indication is None else {"ReasonForStudy": indication}
    ds = film_dataset(
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.1",
        SOPInstanceUID=f"{study}.1.1",
        **words,
    )
    return write_film(folder / f"{study}.dcm", ds)


def poison_uid(how: str) -> str:
    return f"1.2.66.{list(POISONS).index(how)}"


@contextmanager
def scripted() -> Iterator[ProcessEngine]:
    engine = ProcessEngine(child_command(), WATCH)
    try:
        yield engine
    finally:
        engine.close()


def read_due(bench: Bench, engine: ProcessEngine) -> int:
    """Read every study that is due; return how many turns that took."""
    turns = 0
    while True:
        wait_until(lambda: engine.process_id, 60, lambda: engine._why)
        if not bench.turn(State.GATHERED):
            return turns
        turns += 1


def counts(bench: Bench) -> dict[State, int]:
    with bench.site.ledger.reading() as rows:
        return {state: count for state, count in rows.counts().items() if count}


def test_each_poison_is_parked_after_three_attempts_and_fifty_pass_it(
    tmp_path: Path,
) -> None:
    with bench_at(tmp_path, RULES) as opened, scripted() as engine:
        bench = opened.at(engine=engine)
        for how in POISONS:
            bench.send(film_of(tmp_path, poison_uid(how), how))
        bench.send(bench.film(PixelData=bytes(10)))  # its decoding fails
        bench.clock.add(seconds=1)
        for number in range(BEHIND):
            bench.send(film_of(tmp_path, f"1.2.77.{number}"))
        bench.clock.add(seconds=60)
        assert bench.complete() == len(POISONS) + 1 + BEHIND
        for state in (State.COMPLETE, State.SELECTED):
            while bench.turn(state):
                pass
        assert read_due(bench, engine) == len(POISONS) + 1 + BEHIND
        # No time has passed since the poisons failed first: all others are through.
        passed = {State.REPORTED: BEHIND, State.DECLINED: 1}
        assert counts(bench) == {State.GATHERED: len(POISONS), **passed}
        for waiting in (len(POISONS), 0):
            bench.clock.add(seconds=1000)
            assert read_due(bench, engine) == len(POISONS)
            assert counts(bench).get(State.GATHERED, 0) == waiting
        assert counts(bench) == {State.PARKED: len(POISONS), **passed}
        for how, why in POISONS.items():
            assert why in (bench.study(poison_uid(how)).reason or "")
            assert parkings(bench, poison_uid(how)) == 1
        assert (bench.study().reason or "").startswith("unreadable-pixels")


def parkings(bench: Bench, study: str) -> int:
    with bench.site.ledger.reading() as rows:
        records = rows.audit(AuditFilter(study_instance_uid=study, limit=1000))
    return [record.event_type for record in records].count("study-parked")


@contextmanager
def echoing(gateway: Running) -> Iterator[list[str]]:
    """Ask the listener again and again whether it is there; yields what failed."""
    failed: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                echo(MODALITY, gateway.remote)
            except Exception as error:  # noqa: BLE001 - told by the test
                failed.append(str(error))
            stop.wait(0.2)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield failed
    finally:
        stop.set()
        asking.join()


def test_the_listener_and_the_line_go_on_while_the_engine_dies_and_hangs(
    tmp_path: Path,
) -> None:
    settings = site_settings(tmp_path / "data", DEADLINE)
    behind = [f"1.2.77.{number}" for number in range(4)]
    poisons = ("segv", "hang")
    with (
        scripted() as engine,
        running_gateway(settings, engine) as gateway,
        echoing(gateway) as failed,
    ):
        films = [film_of(tmp_path, poison_uid(how), how) for how in poisons]
        films += [film_of(tmp_path, study) for study in behind]
        outcomes = store_instances(MODALITY, gateway.remote, films)
        assert all(outcome.verdict.is_stored for outcome in outcomes)
        parked: list[StudyRecord] = [
            gateway.wait_for(poison_uid(how), State.PARKED, seconds=120)
            for how in poisons
        ]
        for study in behind:
            gateway.wait_for(study, State.KEPT, seconds=120)
    assert failed == []
    for how, ended in zip(poisons, parked, strict=True):
        assert POISONS[how] in (ended.reason or "")
