"""When an answer ends. Pure: ids, a rule and the time in; the reason out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

REPEATS = 4
"""How often a block must stand in a row to be a loop."""
REPEATED_TOKENS = 24
"""Fewest tokens of a loop. Below it a run may be meant ("1000000", dotted lines); four
identical boxes (6 tokens each) are just enough. Boxes that differ in one coordinate
are no repetition."""


class Ending(StrEnum):
    """Why an answer has no more tokens."""

    END_TOKEN = "end-token"  # noqa: S105 - a token of text
    TOKEN_LIMIT = "token-limit"  # noqa: S105 - a token of text
    REPETITION = "repetition"
    """A block of tokens repeated itself: greedy text never leaves such a loop."""
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """When generation ends.

    At `end_id`, after `max_new_tokens`, in a loop, or at `deadline`: seconds of
    `time.monotonic`, None where there is none.
    """

    end_id: int
    max_new_tokens: int
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """New tokens of one prompt, the end token left out, and why they end."""

    ids: tuple[int, ...]
    ending: Ending

    @property
    def cut_off(self) -> bool:
        """Tell whether something else than the model ended the text."""
        return self.ending is not Ending.END_TOKEN


def find_ending(ids: Sequence[int], rule: StopRule, now: float) -> Ending | None:
    """Tell why an answer ends after its last token; None: it goes on.

    now : seconds of `time.monotonic`. What depends on the ids comes before what
    depends on the time.
    """
    if ids and ids[-1] == rule.end_id:
        return Ending.END_TOKEN
    if len(ids) >= rule.max_new_tokens:
        return Ending.TOKEN_LIMIT
    if repeats(ids):
        return Ending.REPETITION
    return Ending.DEADLINE if is_late(rule, now) else None


def is_late(rule: StopRule, now: float) -> bool:
    """Tell whether the deadline, where there is one, has come."""
    return rule.deadline is not None and now >= rule.deadline


def extend(
    answer: list[int], tokens: Sequence[int], rule: StopRule, now: float
) -> Ending | None:
    """Append tokens one by one until the answer ends; the rest is dropped.

    Returns why it ended. So an answer that grows by several tokens at once has the
    ids of one that grows by one.
    """
    for token in tokens:
        answer.append(token)
        ending = find_ending(answer, rule, now)
        if ending is not None:
            return ending
    return None


def finished(answer: Sequence[int], ending: Ending) -> Generated:
    """Build the result; the end token is no part of it."""
    kept = answer[:-1] if ending is Ending.END_TOKEN else answer
    return Generated(ids=tuple(kept), ending=ending)


def repeats(ids: Sequence[int]) -> bool:
    """Tell whether the last tokens are one block, repeated.

    At least `REPEATS` times in a row and over at least `REPEATED_TOKENS` tokens, the
    block of any length.
    """
    longest = len(ids) // REPEATS
    return any(_ends_in_blocks(ids, length) for length in range(1, longest + 1))


def _ends_in_blocks(ids: Sequence[int], length: int) -> bool:
    """Tell whether the tail has the period `length` for long enough."""
    if ids[-1] != ids[-1 - length]:
        return False
    tail = max(REPEATS, -(-REPEATED_TOKENS // length)) * length
    if tail > len(ids):
        return False
    first = len(ids) - tail
    return ids[first : len(ids) - length] == ids[first + length :]
