"""A narrative report as sentences, by rule.

A judge that understands the text does it better (RadFact asks a language model
for sentences of one finding each); the rule is for texts that hold one finding a
sentence already, and for runs without such a judge.
"""

import re

_ABBREVIATIONS = frozenset({"dr", "vs", "approx", "ca", "e.g", "i.e", "no", "fig"})
_END = re.compile(r"(?<=[.!?])\s+(?=[^a-z\s])|\n\s*\n")
"""After an end mark and before no small letter; between paragraphs."""
_MARK = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", re.MULTILINE)
"""Before an item of a list, which is a paragraph of its own."""


def split_by_rule(text: str) -> tuple[str, ...]:
    """Return the sentences of `text`, each on one line, without list marks."""
    found: list[str] = []
    for part in _END.split(_MARK.sub("\n\n", text)):
        sentence = " ".join(part.split())
        if not any(character.isalnum() for character in sentence):
            continue
        if found and _ends_in_abbreviation(found[-1]):
            found[-1] = f"{found[-1]} {sentence}"
        else:
            found.append(sentence)
    return tuple(found)


def _ends_in_abbreviation(sentence: str) -> bool:
    """Whether the full stop at the end belongs to its word.

    "No." closes a sentence of its own, and is an abbreviation elsewhere.
    """
    words = sentence.casefold().split()
    return (
        len(words) > 1
        and words[-1].endswith(".")
        and words[-1].removesuffix(".") in _ABBREVIATIONS
    )
