from hypothesis import given
from hypothesis import strategies as st

from model.maira2.stopping import (
    REPEATED_TOKENS,
    REPEATS,
    Ending,
    Generated,
    StopRule,
    extend,
    find_ending,
    finished,
    repeats,
)

RULE = StopRule(end_id=2, max_new_tokens=8)
TOKENS = st.lists(st.integers(3, 90), max_size=40)


def grounded(boxes: list[tuple[int, ...]]) -> list[int]:
    """One sentence with boxes of six tokens each; coordinates are 200 to 299."""
    return [1000, 3, 4, 5, 6, *(t for b in boxes for t in (1001, *b, 1002)), 1003]


def test_the_end_token_ends_and_is_left_out() -> None:
    assert find_ending([5, 2], RULE, 0.0) is Ending.END_TOKEN
    wanted = Generated(ids=(5,), ending=Ending.END_TOKEN)
    assert finished([5, 2], Ending.END_TOKEN) == wanted
    assert not wanted.cut_off


def test_the_limit_ends() -> None:
    assert find_ending([5] * 7, RULE, 0.0) is None
    assert find_ending([5] * 8, RULE, 0.0) is Ending.TOKEN_LIMIT


def test_the_deadline_ends_when_it_has_come() -> None:
    rule = StopRule(end_id=2, max_new_tokens=8, deadline=10.0)
    assert find_ending([5], rule, 9.99) is None
    assert find_ending([5], rule, 10.0) is Ending.DEADLINE


def test_several_tokens_at_once_stop_where_one_by_one_would() -> None:
    answer = [5, 6]
    assert extend(answer, [7, 2, 9, 9], RULE, 0.0) is Ending.END_TOKEN
    assert answer == [5, 6, 7, 2]


@given(TOKENS, st.lists(st.integers(3, 90), min_size=1, max_size=30))
def test_a_block_said_over_and_over_is_a_loop(
    start: list[int], block: list[int]
) -> None:
    times = max(REPEATS, -(-REPEATED_TOKENS // len(block)))
    assert repeats([*start, *block * times])


@given(st.lists(st.integers(), unique=True, max_size=80))
def test_text_without_any_token_twice_is_no_loop(ids: list[int]) -> None:
    assert not repeats(ids)


@given(TOKENS)
def test_a_loop_is_at_least_so_long(ids: list[int]) -> None:
    assert not repeats(ids[: REPEATED_TOKENS - 1])


@given(
    st.lists(
        st.tuples(*[st.integers(200, 299)] * 4), min_size=1, max_size=20, unique=True
    )
)
def test_boxes_that_differ_are_no_loop(boxes: list[tuple[int, ...]]) -> None:
    ids = grounded(boxes)
    assert not any(repeats(ids[:end]) for end in range(1, len(ids) + 1))


def test_one_sentence_three_times_is_no_loop_yet() -> None:
    sentence = grounded([(210, 220, 230, 240)])
    assert not repeats(sentence * 3)
    assert repeats(sentence * 4)


def test_the_same_box_four_times_is_a_loop() -> None:
    box = (210, 220, 230, 240)
    assert not repeats(grounded([box] * 3)[:-1])
    assert repeats(grounded([box] * 4)[:-1])
