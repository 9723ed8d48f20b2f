from hypothesis import given
from hypothesis import strategies as st

from model.maira2.batching import plan_batches

LENGTHS = st.lists(st.integers(1, 50))


@given(LENGTHS, st.integers(1, 200), st.integers(1, 6))
def test_every_prompt_is_in_one_batch_in_order(
    lengths: list[int], budget: int, most: int
) -> None:
    batches = plan_batches(lengths, budget=budget, most=most)
    assert [place for batch in batches for place in batch] == [*range(len(lengths))]


@given(LENGTHS, st.integers(1, 200), st.integers(1, 6))
def test_a_batch_with_its_padding_keeps_to_the_budget(
    lengths: list[int], budget: int, most: int
) -> None:
    for batch in plan_batches(lengths, budget=budget, most=most):
        padded = max(lengths[place] for place in batch) * len(batch)
        assert len(batch) == 1 or (padded <= budget and len(batch) <= most)


def test_padding_counts() -> None:
    assert plan_batches([4, 4, 9], budget=16, most=8) == [(0, 1), (2,)]
