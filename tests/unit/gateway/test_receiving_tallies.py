"""What an association brings of each study, counted while it is open."""

from concurrent.futures import ThreadPoolExecutor

from gateway.audit.message import Action
from gateway.receiving.tallies import Tallies


def test_an_association_is_counted_by_study_class_and_what_became_of_it() -> None:
    tallies = Tallies()
    tallies.open("a1")
    for study, cls, action in (
        ("1.1", "CR", Action.CREATE),
        ("1.1", "CR", Action.CREATE),
        ("1.1", "DX", Action.READ),
        ("1.2", "DX", Action.CREATE),
    ):
        tallies.count("a1", study, cls, action)
    assert tallies.close("a1") == {
        ("1.1", Action.CREATE): {"CR": 2},
        ("1.1", Action.READ): {"DX": 1},
        ("1.2", Action.CREATE): {"DX": 1},
    }


def test_the_first_of_a_study_is_so_once_on_each_association() -> None:
    tallies = Tallies()
    tallies.open("a1")
    tallies.open("a2")
    assert tallies.is_first("a1", "1.1")
    tallies.count("a1", "1.1", "CR", Action.CREATE)
    assert not tallies.is_first("a1", "1.1")
    assert tallies.is_first("a1", "1.2")
    assert tallies.is_first("a2", "1.1")


def test_what_was_never_opened_is_not_counted() -> None:
    tallies = Tallies()
    tallies.count("ours", "1.1", "CR", Action.CREATE)
    assert not tallies.is_first("ours", "1.1")
    assert tallies.close("ours") == {}


def test_nothing_is_kept_of_an_association_that_is_closed() -> None:
    tallies = Tallies()
    tallies.open("a1")
    tallies.count("a1", "1.1", "CR", Action.CREATE)
    tallies.close("a1")
    assert tallies.close("a1") == {}


def test_threads_lose_no_count() -> None:
    tallies = Tallies()
    tallies.open("a1")

    def count(_: int) -> None:
        for _ in range(100):
            tallies.count("a1", "1.1", "CR", Action.CREATE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert tallies.close("a1") == {("1.1", Action.CREATE): {"CR": 400}}
