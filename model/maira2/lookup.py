"""Prompt lookup: guesses at the next tokens, copied from text that is there. Pure.

What follows the last words of the answer, wherever they stand before, is likely to
follow again: sentences of the prior report, the phrase to locate, the answer itself.
The model reads several guesses in one step and keeps those it would have written,
so the ids are those of greedy decoding (arXiv 2304.04487 names the idea).
"""

from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_MATCH, SHORTEST_MATCH = 3, 2
"""Tokens at the answer's end that must stand elsewhere."""
LONGEST_DRAFT, SHORTEST_DRAFT = 8, 2
"""Guesses a step. Measured on two cores: reading 2, 4, 8 tokens costs about 1.5, 1.7
and 2.0 steps, reading 16 costs 2.5; on a GPU all cost about one."""
TRIAL_STEPS = 8
"""Steps with guesses before they are judged."""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What steps with guesses and without cost, and what they brought."""

    plain_steps: float = 0.0
    plain_seconds: float = 0.0
    drafted_steps: float = 0.0
    drafted_seconds: float = 0.0
    accepted: float = 0.0

    @property
    def pays(self) -> bool:
        """Tell whether guessing is at least as fast as not guessing.

        Break-even: (1 + accepted guesses a step) tokens must not take longer than
        as many plain steps. True until `TRIAL_STEPS` are measured.
        """
        if self.drafted_steps < TRIAL_STEPS or not self.plain_steps:
            return True
        tokens = self.drafted_steps + self.accepted
        return self.drafted_seconds / tokens <= self.plain_seconds / self.plain_steps

    def record(self, drafted: int, accepted: int, seconds: float) -> None:
        """Count one step."""
        if drafted:
            self.drafted_steps += 1
            self.drafted_seconds += seconds
            self.accepted += accepted
        else:
            self.plain_steps += 1
            self.plain_seconds += seconds

    def fade(self) -> None:
        """Halve all, before each answer: what was given up is tried again later."""
        self.plain_steps /= 2
        self.plain_seconds /= 2
        self.drafted_steps /= 2
        self.drafted_seconds /= 2
        self.accepted /= 2


class Drafting:
    """The guesses for one answer.

    source : ids that may be copied, without image tokens. `evidence` is shared by
    the answers of an engine.
    """

    def __init__(self, source: Sequence[int], evidence: Evidence) -> None:
        self._copies = Copies(source)
        self._answered = 0
        self._evidence = evidence
        self._length = SHORTEST_DRAFT
        self.proposed = 0
        self.accepted = 0
        evidence.fade()

    @property
    def pays(self) -> bool:
        """Tell whether guessing goes on."""
        return self._evidence.pays

    def propose(self, answer: Sequence[int]) -> list[int]:
        """Guess the tokens after an answer; none where nothing matches or pays."""
        if not self._evidence.pays:
            return []
        self._copies.extend(answer[self._answered :])
        self._answered = len(answer)
        return self._copies.find(self._answered, self._length)

    def record(self, drafted: int, accepted: int, seconds: float) -> None:
        """Learn from a step; the draft grows where all was right, else it shrinks."""
        self._evidence.record(drafted, accepted, seconds)
        self.proposed += drafted
        self.accepted += accepted
        if drafted and accepted == drafted:
            self._length = min(2 * self._length, LONGEST_DRAFT)
        elif drafted:
            self._length = max(self._length // 2, SHORTEST_DRAFT)


class Copies:
    """A growing text, and what followed each run of its tokens when it stood last."""

    def __init__(self, text: Sequence[int]) -> None:
        self._text: list[int] = []
        self._followed: dict[tuple[int, ...], int] = {}
        self.extend(text)

    def extend(self, tokens: Sequence[int]) -> None:
        """Append tokens. A run is known once a token follows it."""
        for token in tokens:
            for size in range(SHORTEST_MATCH, LONGEST_MATCH + 1):
                self._followed[tuple(self._text[-size:])] = len(self._text)
            self._text.append(token)

    def find(self, most: int, length: int) -> list[int]:
        """Copy up to `length` tokens that followed the text's last tokens before.

        The longest run of at most `most` tokens counts, of several places the last.
        """
        for size in range(min(LONGEST_MATCH, most), SHORTEST_MATCH - 1, -1):
            place = self._followed.get(tuple(self._text[-size:]))
            if place is not None:
                return self._text[place : place + length]
        return []


def count_accepted(draft: Sequence[int], chosen: Sequence[int]) -> int:
    """Count the guesses that are what the model chose, from the first on."""
    for place, (guess, choice) in enumerate(zip(draft, chosen, strict=False)):
        if guess != choice:
            return place
    return len(draft)
