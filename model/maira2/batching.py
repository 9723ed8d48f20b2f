"""Which prompts are answered together. Pure."""

from collections.abc import Sequence


def plan_batches(
    lengths: Sequence[int], *, budget: int, most: int
) -> list[tuple[int, ...]]:
    """Group prompts, in their order, into batches of padded rows.

    lengths : tokens of each prompt with the most that its answer may add. A batch
    takes as many tokens as its longest row, times its rows: at most `budget`, and
    at most `most` rows; one prompt is always taken, whatever it needs. Returns the
    places of the prompts.
    """
    batches: list[tuple[int, ...]] = []
    group: list[int] = []
    longest = 0
    for place, length in enumerate(lengths):
        longest = max(longest, length)
        if group and (len(group) == most or longest * (len(group) + 1) > budget):
            batches.append(tuple(group))
            group, longest = [], length
        group.append(place)
    return [*batches, tuple(group)] if group else batches
