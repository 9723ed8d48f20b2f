"""Which of the findings named in a sentence it states to be there; pure.

In the manner of NegEx (Chapman et al., J Biomed Inform 2001): a cue withholds the
findings that its reach covers. Reaches end with the clause. Where a clause leaves a
cue without a finding, the cue goes on to the neighbouring one: "a pneumothorax was
seen but has resolved". What is not clearly stated is withheld.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from dicom_io.results import cues
from dicom_io.results.phrases import Match, PhraseIndex, T, singular


class Cue(Enum):
    """What a phrase does to the findings around it."""

    AHEAD = auto()
    AROUND = auto()
    BEHIND = auto()
    CHANGE = auto()
    """Denies a change, not the finding."""
    NOTHING = auto()
    BREAK = auto()
    LOOSE_BREAK = auto()


CUES = PhraseIndex(
    [
        (Cue.AHEAD, cues.AHEAD),
        (Cue.AROUND, cues.AROUND),
        (Cue.BEHIND, cues.BEHIND),
        (Cue.NOTHING, cues.NO_CUES),
        (Cue.BREAK, cues.BREAKS),
        (Cue.LOOSE_BREAK, cues.LOOSE_BREAKS),
    ]
)
_ENDS = frozenset({Cue.BREAK, Cue.LOOSE_BREAK})
_AT_THE_END = frozenset(map(singular, cues.DOUBTS_AT_THE_END))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clauses:
    """The clauses of a sentence, as word positions, with the breaks that begin them."""

    breaks: tuple[Match[Cue], ...]
    length: int

    def start(self, at: int) -> int:
        """Return where the clause of the word at `at` begins."""
        return max((b.end for b in self.breaks if b.start <= at), default=0)

    def end(self, at: int) -> int:
        """Return where the clause of the word at `at` ends."""
        return min((b.start for b in self.breaks if b.start > at), default=self.length)

    def is_loose(self, end: int) -> bool:
        """Say whether a clause that ends at `end` may leave its cue to the next."""
        return any(b.start == end and b.value is Cue.LOOSE_BREAK for b in self.breaks)


def find_cues(words: Sequence[str]) -> list[Match[Cue]]:
    """Return the cues and breaks of a sentence in their order."""
    found: list[Match[Cue]] = []
    read_up_to = 0
    for match in CUES.scan(words):
        if match.start >= read_up_to:
            read = list(_read(words, match))
            read_up_to = read[0].end
            found.extend(read)
    kept = (match for match in found if match.value is not Cue.NOTHING)
    return sorted(kept, key=lambda match: match.start)


def _read(words: Sequence[str], match: Match[Cue]) -> Iterator[Match[Cue]]:
    first = words[match.start]
    following = _after_fillers(words, match.end)
    is_single = match.end - match.start == 1
    if is_single and following in cues.CHANGES.get(first, ()):
        end = words.index(following, match.end) + 1
        yield Match(start=match.start, end=end, value=Cue.CHANGE)
        if first != "not":
            yield from _next_in_list(words, end)
        return
    at_the_end = first in _AT_THE_END and _is_end(words, match.end)
    if is_single and (first == "not" or at_the_end):
        yield Match(start=match.start, end=match.end, value=Cue.BEHIND)
    yield match


def _after_fillers(words: Sequence[str], at: int) -> str:
    return next((word for word in words[at:] if not _is_filler(word)), "")


def _is_filler(word: str) -> bool:
    return word in cues.FILLERS or word.endswith("ly")


def _next_in_list(words: Sequence[str], at: int) -> Iterator[Match[Cue]]:
    # "no change in the lines or pneumothorax": the denial goes on after "or"
    for position in range(at, len(words)):
        if words[position] in {",", "or"}:
            yield Match(start=position, end=position + 1, value=Cue.AHEAD)
            return


def _is_end(words: Sequence[str], at: int) -> bool:
    return at == len(words) or words[at] in {",", ";"}


def affirmed(
    words: Sequence[str], mentions: Sequence[Match[T]], found: Sequence[Match[Cue]]
) -> list[Match[T]]:
    """Return the mentions of findings that no cue withholds."""
    breaks = tuple(match for match in found if match.value in _ENDS)
    clauses = Clauses(breaks=breaks, length=len(words))
    spans = [
        _reach(words, cue, mentions, clauses) for cue in found if cue.value not in _ENDS
    ]
    return [
        mention
        for mention in mentions
        if not any(start < mention.end and mention.start < end for start, end in spans)
    ]


def _reach(
    words: Sequence[str],
    cue: Match[Cue],
    mentions: Sequence[Match[T]],
    clauses: Clauses,
) -> tuple[int, int]:
    before = [mention for mention in mentions if mention.start < cue.start]
    match cue.value:
        case Cue.BEHIND:
            return _back_to(cue, before, clauses), cue.end
        case Cue.AROUND if before:
            return _back_to(cue, before, clauses), _comma(words, cue, clauses)
        case Cue.AHEAD | Cue.AROUND:
            return cue.start, _ahead_to(cue, mentions, clauses)
        case _:
            return cue.start, cue.end


def _back_to(cue: Match[Cue], before: Sequence[Match[T]], clauses: Clauses) -> int:
    start = clauses.start(cue.start)
    if not before or before[-1].end > start:
        return start
    return clauses.start(before[-1].start)


def _comma(words: Sequence[str], cue: Match[Cue], clauses: Clauses) -> int:
    end = clauses.end(cue.start)
    return next((at for at in range(cue.end, end) if words[at] == ","), end)


def _ahead_to(cue: Match[Cue], mentions: Sequence[Match[T]], clauses: Clauses) -> int:
    end = clauses.end(cue.start)
    has_its_own = any(cue.start < mention.end <= end for mention in mentions)
    return end if has_its_own or not clauses.is_loose(end) else clauses.end(end)
