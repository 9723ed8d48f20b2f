"""Who says whether a sentence follows from a report, and what its sentences are."""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from model.phantom.sentences import Statement, read
from model.radfact.sentences import split_by_rule
from model.radfact.values import NOT_ENTAILED, Verdict

_PUNCTUATION = re.compile(r"[^\w\s]")


class Judge(Protocol):
    """Answers one question at a time; may be asked from several threads.

    Both methods raise `JudgeFailure` where there is no usable answer, and
    `JudgeUnavailable` where asking on is of no use.
    """

    @property
    def name(self) -> str:
        """Name it in what is written about a run."""
        ...

    def entails(self, sentence: str, report: Sequence[str]) -> Verdict:
        """Say whether `sentence` follows from `report`, and from which of it.

        `report` holds at least one sentence.
        """
        ...

    def split(self, text: str) -> tuple[str, ...]:
        """Return a narrative report as sentences of one finding each."""
        ...


class ExactJudge:
    """Entailed is what stands in the report, but for case, spaces and punctuation."""

    name = "exact"

    def entails(self, sentence: str, report: Sequence[str]) -> Verdict:
        """Return every sentence with the same words as evidence."""
        wanted = normalise(sentence)
        return _verdict(normalise(each) == wanted for each in report)

    def split(self, text: str) -> tuple[str, ...]:
        """Split by rule."""
        return split_by_rule(text)


class PhantomJudge:
    """Knows the sentences of phantoms: entailed is what states the same finding.

    Two statements are the same where kind and side agree, and the change where
    both tell one; zone and size may differ. Other sentences need the same words.
    """

    name = "phantom"

    def entails(self, sentence: str, report: Sequence[str]) -> Verdict:
        """Return every sentence that states the same as evidence."""
        wanted = read(sentence)
        if wanted is None:
            return ExactJudge().entails(sentence, report)
        return _verdict(_agrees(wanted, read(each)) for each in report)

    def split(self, text: str) -> tuple[str, ...]:
        """Split by rule."""
        return split_by_rule(text)


def normalise(text: str) -> str:
    """Return the words of a sentence: no case, no punctuation, single spaces."""
    return " ".join(_PUNCTUATION.sub(" ", text).casefold().split())


def _verdict(supports: Iterable[bool]) -> Verdict:
    evidence = tuple(place for place, given in enumerate(supports) if given)
    return Verdict(entailed=True, evidence=evidence) if evidence else NOT_ENTAILED


def _agrees(one: Statement, other: Statement | None) -> bool:
    if other is None or (one.kind, one.side) != (other.kind, other.side):
        return False
    return one.change == other.change or None in (one.change, other.change)
