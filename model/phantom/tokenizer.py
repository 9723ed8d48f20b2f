"""The phantom checkpoint's own small vocabulary.

Layout of the official tokenizer (byte-pair encoding with byte fallback, blanks as
`▁`, control tokens added behind), trained on nothing but the generator's words and
the prompts. Pieces may span blanks, so each fixed passage of the prompts becomes
one token: most of a prompt costs nothing.
"""

import re
from collections.abc import Iterator

import numpy as np
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)

from model.grounding import BOX_TAGS, COORDINATE_TAGS, PHRASE_TAGS
from model.maira2.prompts import BEGIN, END, IMAGE, prompt_text
from model.phantom.anatomy import Side
from model.phantom.findings import SIDED, Change, Kind, Lesion, Size, Zone
from model.phantom.sentences import (
    COMPARISONS,
    INDICATIONS,
    NEGATIVES,
    NO_COMPARISON,
    RESOLVED,
    sentence,
)
from model.report import Question, ReportInputs, Task

UNKNOWN = "<unk>"
UNUSED_TAGS = ("<prev_im>", "<lat_image>")
"""Tokens of the official vocabulary that no prompt uses."""

_BLANK = "\u2581"
_WORD = re.compile(r" ?[A-Za-z]+| ?[^A-Za-z ]")
_WORD_WEIGHT = 40
"""Words are merged before passages, so that a passage never splits a word."""
_FREQUENT = ("There is a", ", which is")
_HOLE = "\u0000"
_LIMIT = 4000


def build_tokenizer() -> Tokenizer:
    """Train the tokenizer. The same code gives the same file."""
    tokenizer = Tokenizer(
        models.BPE(unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement=_BLANK, prepend_scheme="never", split=False
    )
    trainer = trainers.BpeTrainer(
        vocab_size=_LIMIT,
        min_frequency=1,
        special_tokens=[UNKNOWN, BEGIN, END, *_bytes()],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return _finished(tokenizer)


def _finished(trained: Tokenizer) -> Tokenizer:
    """Add what the official file has around its model: tags, `<s>`, decoding."""
    tokenizer = Tokenizer(trained.model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement=_BLANK, prepend_scheme="first", split=False
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(_BLANK, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True) for text in (UNKNOWN, BEGIN, END)]
    )
    tags = (*PHRASE_TAGS, *COORDINATE_TAGS, *BOX_TAGS, IMAGE, *UNUSED_TAGS)
    tokenizer.add_tokens([AddedToken(tag, normalized=True) for tag in tags])
    begin = tokenizer.token_to_id(BEGIN)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=None, special_tokens=[(BEGIN, begin)]
    )
    return tokenizer


def _bytes() -> list[str]:
    return [f"<0x{value:02X}>" for value in range(256)]


def _corpus() -> Iterator[str]:
    """Yield single words, often, and the fixed passages of the prompts, rarely."""
    passages = sorted(_passages())
    words = {word for text in (*passages, *_sentences()) for word in _words(text)}
    for word in sorted(words):
        for _ in range(_WORD_WEIGHT):
            yield word
    yield from (chr(code) for code in range(0x20, 0x7F))
    yield from passages
    for text in (*NEGATIVES, *_FREQUENT):
        yield from (text, f" {text}")


def _words(text: str) -> list[str]:
    return _WORD.findall(f" {text}") + _WORD.findall(text)


def _sentences() -> Iterator[str]:
    """Yield sentences that hold every word the generator can write."""
    for kind in Kind:
        for lesion in _variants(kind):
            yield sentence(lesion, None)
            for change in Change:
                if change is not Change.RESOLVED or kind in RESOLVED:
                    yield sentence(lesion, change)
    yield from NEGATIVES
    yield from INDICATIONS
    yield from COMPARISONS
    yield from (text for text in NO_COMPARISON if text is not None)
    yield "PA and lateral views. AP portable view. N/A FINDINGS: IMPRESSION:"


def _variants(kind: Kind) -> Iterator[Lesion]:
    for side, zone, size in zip(
        (Side.RIGHT, Side.LEFT, Side.LEFT), Zone, Size, strict=True
    ):
        yield Lesion(
            kind=kind, side=side if kind in SIDED else None, zone=zone, size=size
        )


def _passages() -> set[str]:
    """Cut every prompt at its images and free texts."""
    image = np.zeros((1, 1), np.uint8)
    found: set[str] = set()
    for lateral in (None, image):
        for prior in (None, image):
            inputs = ReportInputs(
                current_frontal=image,
                current_lateral=lateral,
                prior_frontal=prior,
                prior_report=_HOLE,
                indication=_HOLE,
                technique=_HOLE,
                comparison=_HOLE,
            )
            for task in Task:
                phrase = _HOLE if task is Task.PHRASE_GROUNDING else None
                question = Question(inputs=inputs, task=task, phrase=phrase)
                found |= set(_cut(prompt_text(question)))
    return found


def _cut(prompt: str) -> Iterator[str]:
    """Yield the passages; the blank before a free text stays with that text."""
    for piece in f" {prompt}".replace(f" {_HOLE}", _HOLE).split(IMAGE):
        yield from (part for part in piece.split(_HOLE) if part)
