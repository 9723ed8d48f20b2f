"""Which language a text is in, by a vote of its small words."""

import re

_WORDS = {
    "en": "the of is are and with no there has been was in",
    "de": "der die das und ist kein keine nicht mit im des bei",
    "fr": "le la les des et est pas une du dans avec sans",
    "es": "el la los las del y se con en sin una por",
    "nl": "de het een en van geen niet met op bij zijn is",
    "it": "il la le dei di e non con del della si nel",
    "pt": "o a os as do da e não com em sem no",
}
_VOTES = {tag: frozenset(words.split()) for tag, words in _WORDS.items()}
_MIN_VOTES = 3
"""Fewer small words than this say nothing about a short text."""
_LONG_TAGS = {
    "eng": "en",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "spa": "es",
    "ita": "it",
    "nld": "nl",
    "dut": "nl",
    "por": "pt",
}
"""ISO 639-2, which HL7 v2 and older systems write."""


def language_of(text: str, stated: str | None) -> str | None:
    """Return the primary subtag of a text: by its words, or else as it is stated.

    The words come first: systems state the language of their own screens.
    """
    return guess_language(text) or _primary(stated)


def _primary(tag: str | None) -> str | None:
    subtag = re.split("[-_]", (tag or "").strip().casefold())[0]
    known = _LONG_TAGS.get(subtag, subtag)
    return known if re.fullmatch("[a-z]{2,3}", known) else None


def guess_language(text: str) -> str | None:
    """Return the primary subtag (BCP 47), or None where the vote is not clear."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = sorted(
        (sum(word in known for word in words), tag) for tag, known in _VOTES.items()
    )
    (second, _), (first, tag) = counts[-2:]
    return tag if first >= _MIN_VOTES and first > second else None
