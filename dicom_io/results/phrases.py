"""A text as words, and known phrases found among them; pure.

Plain loops over words, no expression that could backtrack: the time grows with the
text alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

GAP = 6
"""At most so many words stand for " .. " in a phrase."""
_WORD = re.compile(r"\d+\.\d+|[^\W_]+|[,;:?]")
_SENTENCE_END = re.compile(r"[.!]+(?=\s|$)|[\n\r\f]")
_SHORT_FORMS = (
    ("\u2019", "'"),
    ("n't", " not"),
    ("(-)", " negative "),
    ("w/o", "without"),
    ("r/o", "rule out"),
    ("h/o", "history of"),
    ("c/w", "consistent with"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Generic[T]):
    """A phrase found: the words from `start` up to `end`, and what it stands for."""

    start: int
    end: int
    value: T


def sentences(text: str) -> list[list[str]]:
    """Return the words of each sentence: lower case, singular, commas and the like.

    Compatibility forms are folded and format characters (zero width, direction
    marks) left out, so that none can hide a word. A text with a sign that may stand
    for a word (a crossed circle for "no") has no sentences.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    if any(unicodedata.category(c) in {"Sm", "So"} for c in plain):
        return []
    for short, long in _SHORT_FORMS:
        plain = plain.replace(short, long)
    parts = [_WORD.findall(part) for part in _SENTENCE_END.split(plain)]
    said = [part for part in parts if any(word.isalpha() for word in part)]
    return [[singular(word) for word in part] for part in said]


def singular(word: str) -> str:
    """Return a word without the s of a plural: opacities, masses, lobes."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "is", "us")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith("sses") else word[:-1]


class PhraseIndex(Generic[T]):
    """Phrases by their first word. " .. " in one stands for words of `between`."""

    def __init__(
        self,
        rows: Iterable[tuple[T, Iterable[str]]],
        between: Iterable[str] = (),
    ) -> None:
        self._between = frozenset(map(singular, between))
        self._by_first: dict[str, list[tuple[list[list[str]], T]]] = {}
        for value, phrases in rows:
            for phrase in phrases:
                parts = [[*map(singular, p.split())] for p in phrase.split(" .. ")]
                self._by_first.setdefault(parts[0][0], []).append((parts, value))

    def scan(self, words: Sequence[str]) -> list[Match[T]]:
        """Return what is found from left to right, the longest at each place."""
        found: list[Match[T]] = []
        at = 0
        while at < len(words):
            longest = self._longest(words, at)
            if longest:
                found.append(longest)
            at = longest.end if longest else at + 1
        return found

    def _longest(self, words: Sequence[str], at: int) -> Match[T] | None:
        best: Match[T] | None = None
        best_rank = (0, 0)
        for parts, value in self._by_first.get(words[at], ()):
            end = self._end(words, at, parts)
            # a longer beginning before a wider gap: "heart border is enlarged"
            rank = (len(parts[0]), end)
            if end and rank > best_rank:
                best, best_rank = Match(start=at, end=end, value=value), rank
        return best

    def _end(self, words: Sequence[str], at: int, parts: list[list[str]]) -> int:
        end = at + len(parts[0])
        if list(words[at:end]) != parts[0]:
            return 0
        for part in parts[1:]:
            limit = end + GAP
            while list(words[end : end + len(part)]) != part:
                if end >= min(limit, len(words)) or words[end] not in self._between:
                    return 0
                end += 1
            end += len(part)
        return end
