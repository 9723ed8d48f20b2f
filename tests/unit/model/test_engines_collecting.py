"""Collecting: who comes in time is asked together, and fails alone."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.engine import EngineIdentity
from model.engines.collecting import (
    CollectingEngine,
    Collection,
    estimate_tokens,
)
from model.errors import (
    EngineAway,
    EngineDied,
    EngineUnavailable,
    ModelError,
    RefusedRequest,
)
from model.report import GroundedReport, ReportInputs, ReportRequest, Task
from tests.data.engines import CannedEngine
from tests.data.sites import wait_until

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)
PATIENT = Collection(seconds=30.0, tokens=3 * 1969)
"""Waits until three frontals with one task are there."""
# Names of two letters: not a token more, so the budget holds three of them.
FAILURES: dict[str, type[ModelError]] = {
    "r!": RefusedRequest,
    "m!": EngineUnavailable,
    "k!": EngineDied,
    "w!": EngineAway,
}


def request(what: str = "", **more: object) -> ReportRequest:
    inputs = ReportInputs(current_frontal=IMAGE, technique=what, **more)  # type: ignore[arg-type]
    return ReportRequest(inputs=inputs, tasks=(Task.FINDINGS,))


@dataclass
class Watched:
    """Answers with the request's technique; fails for those it names."""

    canned: CannedEngine = field(default_factory=CannedEngine)
    asked: list[list[str]] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    most_at_once: int = 0
    _inside: int = 0

    @property
    def identity(self) -> EngineIdentity:
        return self.canned.identity

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        self._inside += 1
        self.most_at_once = max(self.most_at_once, self._inside)
        names = [one.inputs.technique or "" for one in requests]
        self.asked.append(names)
        try:
            if names and names[0] == "first":
                self.go.wait(30)
            for name in names:
                if name in FAILURES:
                    raise FAILURES[name](f"{len(names)} asked")
                if name == "z!":
                    raise ZeroDivisionError
            return self.canned.generate(requests)
        finally:
            self._inside -= 1


@contextmanager
def collecting(
    inner: Watched, collection: Collection = PATIENT
) -> Iterator[tuple[CollectingEngine, ThreadPoolExecutor]]:
    opened = CollectingEngine(inner, collection)
    with ThreadPoolExecutor(16) as pool:
        try:
            yield opened, pool
        finally:
            inner.go.set()
            opened.close()


def ask(
    opened: CollectingEngine, pool: ThreadPoolExecutor, *names: str
) -> list[Future[list[tuple[GroundedReport, ...]]]]:
    return [pool.submit(opened.generate, [request(name)]) for name in names]


def test_requests_of_several_callers_are_asked_together() -> None:
    inner = Watched()
    with collecting(inner) as (opened, pool):
        answers = [one.result(30) for one in ask(opened, pool, "a", "b", "c")]
    assert [sorted(names) for names in inner.asked] == [["a", "b", "c"]]
    assert answers == [CannedEngine().generate([request(n)]) for n in "abc"]


def test_each_caller_gets_the_answer_to_its_own_request() -> None:
    def one(phrase: str) -> str | None:
        asked = ReportRequest(inputs=request().inputs, phrases=(phrase,))
        (((report),),) = opened.generate([asked])
        return report.phrase

    soon = Collection(seconds=0.01, tokens=9 * 1969)
    with collecting(Watched(), soon) as (opened, pool):
        names = [f"phrase {number}" for number in range(60)]
        assert list(pool.map(one, names)) == names


def test_what_comes_while_the_engine_works_is_asked_together_next() -> None:
    inner, soon = Watched(), Collection(seconds=0.0, tokens=100_000)
    with collecting(inner, soon) as (opened, pool):
        (first,) = ask(opened, pool, "first")
        wait_until(lambda: inner.asked or None, 10, lambda: "not asked")
        others = ask(opened, pool, "a", "b", "c", "d")
        wait_until(
            lambda: (opened._open and len(opened._open.requests) == 4) or None,
            10,
            lambda: opened._open,
        )
        inner.go.set()
        for one in (first, *others):
            assert one.result(10)
    assert [len(names) for names in inner.asked] == [1, 4]
    assert inner.most_at_once == 1


def test_nobody_waits_longer_than_the_collection_says() -> None:
    inner = Watched()
    with collecting(inner, Collection(seconds=0.01)) as (opened, _):
        assert opened.generate([request("a")])
    assert inner.asked == [["a"]]


def test_a_request_over_the_budget_is_asked_alone() -> None:
    inner, small = Watched(), Collection(seconds=30.0, tokens=1)
    with collecting(inner, small) as (opened, pool):
        for one in ask(opened, pool, "a", "b"):
            assert one.result(10)
    assert sorted(inner.asked) == [["a"], ["b"]]


def test_several_requests_of_one_caller_are_answered_in_order() -> None:
    inner, roomy = Watched(), Collection(seconds=0.01, tokens=100_000)
    phrases = [
        ReportRequest(inputs=request().inputs, phrases=(name,)) for name in "xyz"
    ]
    with collecting(inner, roomy) as (opened, _):
        answers = opened.generate(phrases)
    assert [reports[0].phrase for reports in answers] == ["x", "y", "z"]
    assert len(inner.asked) == 1


@pytest.mark.parametrize("name", ["r!", "m!"])
def test_one_that_fails_does_not_fail_those_it_was_asked_with(name: str) -> None:
    inner = Watched()
    with collecting(inner) as (opened, pool):
        bad, *good = ask(opened, pool, name, "a", "b")
        assert [bool(one.result(10)) for one in good] == [True, True]
        with pytest.raises(FAILURES[name], match="1 asked"):
            bad.result(10)
    assert sorted(map(len, inner.asked)) == [1, 1, 1, 3]


def test_after_an_engine_died_of_a_batch_its_requests_stay_alone() -> None:
    inner = Watched()
    with collecting(inner) as (opened, pool):
        with pytest.raises(EngineDied):
            opened.generate([request(name) for name in ("k!", "w!", "a")])
        inner.asked.clear()
        for one in ask(opened, pool, "k!", "w!"):
            one.exception(10)
        assert sorted(inner.asked) == [["k!"], ["w!"]]
        inner.asked.clear()
        for one in ask(opened, pool, "a", "x", "y"):
            one.result(10)
        assert [sorted(names) for names in inner.asked] == [["a", "x", "y"]]


def test_who_asked_while_there_was_no_engine_is_not_asked_alone() -> None:
    inner = Watched()
    with collecting(inner) as (opened, pool):
        for one in ask(opened, pool, "w!", "a", "b"):
            one.exception(10)
        inner.asked.clear()
        for one in ask(opened, pool, "w!", "x", "y"):
            one.exception(10)
    assert ["w!", "x", "y"] in [sorted(names) for names in inner.asked]


def test_a_fault_reaches_every_caller_and_the_next_batch_is_asked() -> None:
    inner = Watched()
    with collecting(inner) as (opened, pool):
        for one in ask(opened, pool, "z!", "a", "b"):
            assert isinstance(one.exception(10), ZeroDivisionError)
        for one in ask(opened, pool, "a", "b", "c"):
            assert one.result(10)


def test_asking_for_nothing_asks_whether_the_engine_is_there() -> None:
    inner = Watched()
    with collecting(inner) as (opened, _):
        assert opened.generate([]) == []
        assert opened.identity == inner.identity
    assert inner.asked == [[]]


def test_after_closing_there_is_no_engine() -> None:
    opened = CollectingEngine(CannedEngine())
    opened.close()
    with pytest.raises(EngineAway, match="stopped"):
        opened.generate([request()])


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sampled_from(["a", "r!", "m!", "k!"]), max_size=12),
    st.integers(0, 10) | st.just(100_000),
)
def test_whatever_is_asked_together_each_gets_its_own(
    names: list[str], budget: int
) -> None:
    collection = Collection(seconds=0.002, tokens=budget * 1969)
    with collecting(Watched(), collection) as (opened, pool):
        for name, one in zip(names, ask(opened, pool, *names), strict=True):
            error = one.exception(10)
            assert type(error) is FAILURES.get(name, type(None))


def test_the_estimate_counts_images_texts_and_questions() -> None:
    # 1369 an image, 600 a question, a third of a token a letter; by hand.
    assert estimate_tokens(request()) == 1969
    lateral = request(current_lateral=IMAGE, indication="x" * 30)
    assert estimate_tokens(lateral) == 1369 * 2 + 10 + 600
    both = ReportRequest(
        inputs=request().inputs, tasks=(Task.FINDINGS,), phrases=("a", "b")
    )
    assert estimate_tokens(both) == 3 * 1969
