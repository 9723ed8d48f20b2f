from hypothesis import given
from hypothesis import strategies as st

from model.maira2.lookup import (
    LONGEST_DRAFT,
    SHORTEST_DRAFT,
    TRIAL_STEPS,
    Copies,
    Drafting,
    Evidence,
    count_accepted,
)


def test_what_followed_the_last_words_is_guessed() -> None:
    assert Copies([1, 2, 3, 4, 5, 9, 1, 2, 3]).find(3, 2) == [4, 5]


def test_the_longer_match_wins_over_the_later_one() -> None:
    assert Copies([1, 2, 3, 7, 5, 2, 3, 8, 1, 2, 3]).find(3, 1) == [7]


def test_of_equal_matches_the_last_counts() -> None:
    assert Copies([2, 3, 7, 2, 3, 8, 2, 3]).find(2, 1) == [8]


def test_a_match_does_not_reach_before_the_answer() -> None:
    assert Copies([1, 2, 3, 1, 2]).find(1, 2) == []


@given(st.lists(st.integers(0, 4)), st.integers(0, 9), st.integers(1, 5))
def test_every_guess_stands_in_the_text(
    text: list[int], most: int, length: int
) -> None:
    draft = Copies(text).find(most, length)
    runs = [text[n : n + len(draft)] for n in range(len(text))]
    assert len(draft) <= length
    assert not draft or draft in runs


def test_guesses_count_up_to_the_first_wrong_one() -> None:
    assert count_accepted([4, 5, 6], [4, 5, 9, 6]) == 2
    assert count_accepted([], [4]) == 0


def test_the_draft_grows_where_it_was_right_and_shrinks_where_not() -> None:
    drafting = Drafting([*range(40)], Evidence())
    assert len(drafting.propose([3, 4])) == SHORTEST_DRAFT
    for _ in range(5):
        drafting.record(2, 2, 1.0)
    assert len(drafting.propose([3, 4])) == LONGEST_DRAFT
    drafting.record(8, 1, 1.0)
    assert len(drafting.propose([3, 4])) == LONGEST_DRAFT // 2


def test_guessing_stops_where_it_costs_more_than_it_brings() -> None:
    evidence = Evidence()
    drafting = Drafting([1, 2, 3, 4], evidence)
    drafting.record(0, 0, 1.0)
    for _ in range(TRIAL_STEPS):
        assert drafting.propose([1, 2])
        drafting.record(2, 0, 1.5)
    assert not drafting.pays
    assert drafting.propose([1, 2]) == []


def test_break_even_is_tokens_a_second() -> None:
    evidence = Evidence(plain_steps=4, plain_seconds=4, drafted_steps=10)
    evidence.accepted, evidence.drafted_seconds = 10, 20.0
    assert evidence.pays
    evidence.drafted_seconds = 20.1
    assert not evidence.pays


def test_what_was_given_up_is_tried_again_after_some_answers() -> None:
    evidence = Evidence(plain_steps=9, plain_seconds=1, drafted_steps=16)
    evidence.drafted_seconds = 100.0
    assert not evidence.pays
    Drafting([], evidence)
    Drafting([], evidence)
    assert evidence.pays
