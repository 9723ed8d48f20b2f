"""How much is asked of a peer at one time, and what is not asked again."""

from contextlib import ExitStack
from threading import Barrier, Lock, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.errors import PeerFailure, PeerRefused, PeerTimedOut, PeerUnreachable
from gateway.pacing import Pace, Pacing, RecentAnswers

USUAL = Pace(most=8, places=8, recent=(0.5,) * 5)


def after(pace: Pace, *seconds: float) -> Pace:
    for each in seconds:
        pace = pace.after_answer(each)
    return pace


@pytest.mark.parametrize(
    ("seconds", "places"),
    [
        (0.5, 8),
        (2.0, 8),  # four times the median, not more
        (2.1, 4),
        (60.0, 4),
    ],
)
def test_an_answer_far_over_the_usual_time_halves_the_places(
    seconds: float, places: int
) -> None:
    assert USUAL.after_answer(seconds).places == places


def test_an_answer_under_a_second_is_never_slow() -> None:
    quick = Pace(most=8, places=8, recent=(0.01,) * 5)
    assert quick.after_answer(1.0).places == 8
    assert quick.after_answer(1.01).places == 4


def test_nothing_is_slow_before_the_usual_time_is_known() -> None:
    assert Pace(most=8, places=8, recent=(0.1,) * 4).after_answer(60.0).places == 8


def test_a_silence_halves_the_places_down_to_one() -> None:
    pace = Pace(most=5, places=5)
    places = []
    for _ in range(4):
        pace = pace.after_silence()
        places.append(pace.places)
    assert places == [2, 1, 1, 1]


def test_a_place_comes_back_after_ten_quick_answers_in_a_row() -> None:
    halved = USUAL.after_silence()
    assert after(halved, *[0.5] * 9).places == 4
    assert after(halved, *[0.5] * 10).places == 5
    interrupted = after(halved, *[0.5] * 9).after_silence()
    assert after(interrupted, *[0.5] * 9).places == 2


@given(
    st.integers(1, 16),
    st.lists(st.one_of(st.none(), st.floats(0.0, 100.0)), max_size=80),
)
def test_there_is_always_a_place_and_never_more_than_the_settings_give(
    most: int, told: list[float | None]
) -> None:
    pace = Pace(most=most, places=most)
    for seconds in told:
        pace = pace.after_silence() if seconds is None else pace.after_answer(seconds)
        assert 1 <= pace.places <= most
    assert len(pace.recent) <= 21


def test_no_more_than_the_places_are_in_flight() -> None:
    pacing, lock = Pacing(), Lock()
    present, most_seen = 0, 0
    start = Barrier(8)

    def ask() -> None:
        nonlocal present, most_seen
        start.wait(10)
        for _ in range(20):
            with pacing.asking("pacs", 2, 30.0):
                with lock:
                    present += 1
                    most_seen = max(most_seen, present)
                with lock:
                    present -= 1

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert 1 <= most_seen <= 2
    assert present == 0


def test_a_peer_without_a_free_place_is_busy_and_not_unreachable() -> None:
    pacing = Pacing()
    with pacing.holding("pacs", 1, 1.0):
        with pytest.raises(PeerFailure, match="busy") as raised, ExitStack() as held:
            held.enter_context(pacing.asking("pacs", 1, 0.01))
        with pacing.asking("other", 1, 0.01):
            pass
    assert not isinstance(raised.value, PeerUnreachable)
    with pacing.asking("pacs", 1, 0.01):
        pass


@pytest.mark.parametrize(
    ("error", "places"),
    [(PeerTimedOut("x"), 2), (PeerUnreachable("x"), 2), (PeerRefused("x"), 4)],
)
def test_a_silence_costs_places_and_a_refusal_none(
    error: PeerFailure, places: int
) -> None:
    pacing = Pacing()
    with pytest.raises(type(error)), pacing.asking("pacs", 4, 1.0):
        raise error
    assert pacing.places("pacs") == places


def test_a_slow_answer_costs_places_and_a_long_retrieval_none() -> None:
    pacing = Pacing(iter_clock([0.0, 0.5] * 5 + [0.0, 9.0]))
    for _ in range(5):
        with pacing.asking("pacs", 4, 1.0):
            pass
    with pacing.holding("pacs", 4, 1.0):
        pass
    assert pacing.places("pacs") == 4
    with pacing.asking("pacs", 4, 1.0):
        pass
    assert pacing.places("pacs") == 2


class iter_clock:  # noqa: N801 - stands where a function does
    """Tells the given moments, one a call."""

    def __init__(self, moments: list[float]) -> None:
        self._moments = iter(moments)

    def __call__(self) -> float:
        return next(self._moments)


def test_a_recent_answer_is_given_again_until_it_is_too_old() -> None:
    recent = RecentAnswers[str](60)
    recent.put("question", "answer", now=100.0)
    assert recent.get("question", now=159.9) == "answer"
    assert recent.get("question", now=160.0) is None
    assert recent.get("another", now=100.0) is None


def test_no_seconds_keep_no_answer() -> None:
    recent = RecentAnswers[str](0)
    recent.put("question", "answer", now=100.0)
    assert recent.get("question", now=100.0) is None


def test_the_oldest_answer_goes_where_there_are_too_many() -> None:
    recent = RecentAnswers[int](60, cap=2)
    for number in range(3):
        recent.put(number, number, now=float(number))
    assert [recent.get(number, now=3.0) for number in range(3)] == [None, 1, 2]


def test_an_answer_that_comes_again_is_the_latest() -> None:
    recent = RecentAnswers[int](60, cap=2)
    recent.put("a", 1, now=0.0)
    recent.put("b", 2, now=1.0)
    recent.put("a", 3, now=2.0)
    recent.put("c", 4, now=3.0)
    assert recent.get("a", now=61.0) == 3
    assert recent.get("b", now=4.0) is None
