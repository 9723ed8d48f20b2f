"""Answers by what ended them, and what the models are called; for every engine.

Light: importing this loads no torch.
"""

from dataclasses import replace
from typing import Protocol

from model.grounding import Reading, read_answer
from model.maira2.stopping import Ending
from model.options import Domain, TokenLimits
from model.report import Flag, FlagKind, Task

MODELS = {
    Domain.RADIOGRAPH: ("MAIRA-2", "Microsoft"),
    Domain.PHANTOM: ("MAIRA-2 phantom", "maira-gateway"),
}
"""Name and manufacturer by what the checkpoint reads."""
_UNFINISHED = {
    Ending.REPETITION: Flag(kind=FlagKind.REPETITION),
    Ending.DEADLINE: Flag(kind=FlagKind.DEADLINE),
}
"""Flags of what ended a text, other than the token limit's."""


class Ended(Protocol):
    """A text, why it ended, and how many prompts were answered with it.

    `rows` is 0 where there was no time to begin.
    """

    @property
    def text(self) -> str:
        """The text, tags included."""
        ...

    @property
    def ending(self) -> Ending:
        """Why it has no more tokens."""
        ...

    @property
    def rows(self) -> int:
        """Prompts that were answered together."""
        ...


def token_limit(limits: TokenLimits, task: Task) -> int:
    """Return the most new tokens for a task."""
    match task:
        case Task.FINDINGS:
            return limits.findings
        case Task.GROUNDED_FINDINGS:
            return limits.grounded_findings
        case Task.PHRASE_GROUNDING:
            return limits.phrase_grounding


def read_ended(task: Task, answer: Ended) -> Reading:
    """Read an answer; the flag names what ended it, where it was not the model.

    An answer for which there was no time is not called empty: nobody wrote it.
    """
    cut_off = answer.ending is not Ending.END_TOKEN
    reading = read_answer(task, answer.text, cut_off=cut_off)
    reason = _UNFINISHED.get(answer.ending)
    if reason is None:
        return reading
    others = [flag for flag in reading.flags if flag.kind is not FlagKind.CUT_OFF]
    if not answer.rows:
        others = []
    return replace(reading, flags=(reason, *others))
