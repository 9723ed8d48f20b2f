"""Checks of what a generated text says: each finds one fault and edits nothing. Pure.

The faults are known ones of MAIRA-2 and of models like it: change without a prior to
compare with, sides that contradict their boxes, text that the training data left
behind. A check rather misses a fault than accuses a right sentence, since a site may
hold reports by these flags. `CHECKS` and `BOX_CHECKS` are the tables; each check
returns the detail of its flag, or None where it found nothing.

A detail names sentences by their number (as the objects number findings; in plain
text, by their place) and words that the model wrote from the word lists of this
project. It never quotes an input, which may name the patient.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from model.change_words import words_of_change
from model.grounding import ALL_TAGS
from model.report import (
    Flag,
    FlagKind,
    GroundedPhrase,
    NormalizedBox,
    Question,
    Task,
)
from model.sides import MIDLINE_TOLERANCE, Side, named_side

LONGEST_TEXT = 1000
"""Characters of a report, tags not counted. A public pipeline for MAIRA-2 treats
more as a fault; 450 tokens, the limit of a grounded answer, are about twice that."""
MOST_SENTENCES = 25
"""Sentences of a report: as many of forty characters fill `LONGEST_TEXT`."""
WHOLE_IMAGE = 0.9
"""Share of the crop from which on a box locates nothing."""
TELLING_WORDS = 8
"""Words from which on a sentence is seldom the same by chance. Stock sentences are
shorter or say that something is normal, and every report repeats them."""
COPIED_RUN = 3
"""Sentences in a row that are a copy where they stand in a row in the prior too."""
COPIED_SHARE = 0.5
"""Share of a report's words that is a copy wherever they stand in the prior."""

_DETAIL_LENGTH = 200
_TAGS = re.compile("|".join(map(re.escape, ALL_TAGS)))
# also after a heading, as in "FINDINGS: There is ..."
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+|(?<=[A-Z]:)\s+")
_WORD = re.compile(r"[^\W_]+")
_NORMALITY = frozenset(
    ("clear", "free", "intact", "negative", "no", "normal", "not", "unremarkable")
)
_PLACEHOLDERS = (
    # MIMIC-CXR: three underscores; two occur where tokens were lost
    ("___", re.compile(r"_{2,}")),
    # MIMIC-III and what was made from it: [**2101-1-1**], [**Hospital 18**]
    ("[** **]", re.compile(r"\[\*\*|\*\*\]")),
    # IU-Xray
    ("XXXX", re.compile(r"\bx{4,}\b", re.IGNORECASE)),
    # what a tokenizer writes for a word it does not know
    ("<unk>", re.compile(r"<unk>|\[unk\]", re.IGNORECASE)),
    # words put for removed ones, as in translated PadChest reports
    ("[removed]", re.compile(r"[\[<](?:redacted|removed|name|date)[\]>]", re.I)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One finding as written, or one sentence of plain text; numbered from 1."""

    number: int
    text: str
    boxes: tuple[NormalizedBox, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is checked: an answer as sentences, and what it answers.

    `text` is the generated text without tags.
    """

    question: Question
    sentences: tuple[Sentence, ...]
    text: str


Check = Callable[[Statement], str | None]


def check_report(
    question: Question, phrases: tuple[GroundedPhrase, ...], text: str
) -> tuple[Flag, ...]:
    """Return a flag for every fault of an answer, at most one a kind.

    phrases : the findings as `model.grounding.read_answer` gave them.
    text : the generated text as decoded, tags included.

    The words of a phrase to ground are the asker's, so of those answers only the
    boxes are checked. Never raises, whatever the model wrote.
    """
    said = Statement(
        question=question,
        sentences=_sentences(question.task, phrases),
        text=_TAGS.sub("", text),
    )
    asked = question.task is Task.PHRASE_GROUNDING
    found = ((kind, check(said)) for kind, check in (BOX_CHECKS if asked else CHECKS))
    return tuple(
        Flag(kind=kind, detail=detail[:_DETAIL_LENGTH])
        for kind, detail in found
        if detail is not None
    )


def _change_without_prior(said: Statement) -> str | None:
    """Find words of change where the model saw no prior image."""
    if said.question.inputs.prior_frontal is not None:
        return None
    return _listed(
        f"sentence {sentence.number}: {', '.join(words)}"
        for sentence in said.sentences
        if (words := words_of_change(sentence.text))
    )


def _side_mismatch(said: Statement) -> str | None:
    """Find sentences that name one side while every box lies on the other.

    Boxes are on the frontal image as displayed: the patient's right is on its left.
    """
    return _listed(
        f"sentence {sentence.number}: {side}"
        for sentence in said.sentences
        if (side := named_side(sentence.text))
        and sentence.boxes
        and all(_lies_opposite(box, side) for box in sentence.boxes)
    )


def _lies_opposite(box: NormalizedBox, side: Side) -> bool:
    """Whether a box's centre is clearly in the other half than the side's."""
    centre = (box.x_min + box.x_max) / 2
    if side is Side.RIGHT:
        return centre > 0.5 + MIDLINE_TOLERANCE
    return centre < 0.5 - MIDLINE_TOLERANCE


def _box_over_whole_image(said: Statement) -> str | None:
    """Find boxes over more than `WHOLE_IMAGE` of the crop."""
    return _listed(
        f"sentence {sentence.number}: {area:.2f} of the crop"
        for sentence in said.sentences
        for box in sentence.boxes
        if (area := _area(box)) > WHOLE_IMAGE
    )


def _area(box: NormalizedBox) -> float:
    return abs(box.x_max - box.x_min) * abs(box.y_max - box.y_min)


def _repeated_sentence(said: Statement) -> str | None:
    """Find sentences that are the same but for case, spaces and punctuation."""
    places: dict[tuple[str, ...], list[int]] = {}
    for number, words in _folded(said.sentences):
        places.setdefault(words, []).append(number)
    return _listed(
        f"sentences {' and '.join(map(str, numbers))}"
        for numbers in places.values()
        if len(numbers) > 1
    )


def _over_long(said: Statement) -> str | None:
    """Find a text of more characters or sentences than reports have."""
    length, count = len(said.text), len(_folded(said.sentences))
    if length <= LONGEST_TEXT and count <= MOST_SENTENCES:
        return None
    return f"{length} characters, {count} sentences"


def _placeholder(said: Statement) -> str | None:
    """Find marks that stand for removed words in the training texts."""
    return _listed(
        f"sentence {sentence.number}: {name}"
        for sentence in said.sentences
        for name, mark in _PLACEHOLDERS
        if mark.search(sentence.text)
    )


def _copied_prior(said: Statement) -> str | None:
    """Find sentences of the prior report, word for word.

    A copy has at least two telling sentences (`TELLING_WORDS` words or more, none
    of them a word of normality), and is either `COPIED_RUN` sentences in a row, in
    the prior too, or over `COPIED_SHARE` of the report's words.
    """
    written = _folded(said.sentences)
    known = [words for _, words in _folded(_plain(said.question.inputs.prior_report))]
    copied = [(n, words) for n, words in written if words in known and _telling(words)]
    if len(copied) < 2:
        return None
    share = sum(len(words) for _, words in copied) / sum(len(w) for _, w in written)
    if share <= COPIED_SHARE and not _shares_a_run([w for _, w in written], known):
        return None
    return f"sentences {', '.join(str(number) for number, _ in copied)}"


def _shares_a_run(
    written: Sequence[tuple[str, ...]], known: Sequence[tuple[str, ...]]
) -> bool:
    """Whether `COPIED_RUN` sentences, two of them telling, follow in both alike."""
    return any(sum(map(_telling, run)) >= 2 for run in _runs(written) & _runs(known))


def _runs(sentences: Sequence[tuple[str, ...]]) -> set[tuple[tuple[str, ...], ...]]:
    starts = range(len(sentences) - COPIED_RUN + 1)
    return {tuple(sentences[start : start + COPIED_RUN]) for start in starts}


def _telling(words: Sequence[str]) -> bool:
    return len(words) >= TELLING_WORDS and _NORMALITY.isdisjoint(words)


BOX_CHECKS: tuple[tuple[FlagKind, Check], ...] = (
    (FlagKind.SIDE_MISMATCH, _side_mismatch),
    (FlagKind.BOX_OVER_WHOLE_IMAGE, _box_over_whole_image),
)
"""Of every answer."""

CHECKS: tuple[tuple[FlagKind, Check], ...] = (
    (FlagKind.CHANGE_WITHOUT_PRIOR, _change_without_prior),
    *BOX_CHECKS,
    (FlagKind.REPEATED_SENTENCE, _repeated_sentence),
    (FlagKind.OVER_LONG, _over_long),
    (FlagKind.PLACEHOLDER, _placeholder),
    (FlagKind.COPIED_PRIOR, _copied_prior),
)
"""Of answers whose words are the model's own."""


def _sentences(task: Task, phrases: tuple[GroundedPhrase, ...]) -> tuple[Sentence, ...]:
    """Return findings as sentences; plain text is taken apart."""
    if task is Task.FINDINGS:
        return _plain(" ".join(phrase.text for phrase in phrases))
    said = (phrase for phrase in phrases if phrase.boxes or phrase.text.strip())
    return tuple(
        Sentence(number=number, text=phrase.text, boxes=phrase.boxes)
        for number, phrase in enumerate(said, 1)
    )


def _plain(text: str | None) -> tuple[Sentence, ...]:
    parts = (part for part in _SENTENCE_END.split(text or "") if part.strip())
    return tuple(Sentence(number=n, text=part) for n, part in enumerate(parts, 1))


def _folded(sentences: Iterable[Sentence]) -> list[tuple[int, tuple[str, ...]]]:
    """Return each sentence's number and words: no case, space or punctuation.

    A finding of several sentences gives several, all with its number.
    """
    parts = (
        (sentence.number, tuple(_WORD.findall(part.casefold())))
        for sentence in sentences
        for part in _SENTENCE_END.split(sentence.text)
    )
    return [(number, words) for number, words in parts if words]


def _listed(faults: Iterable[str]) -> str | None:
    return "; ".join(faults) or None
