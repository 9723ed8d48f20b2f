"""A sentence of the model as codes: finding, site and laterality; pure.

Precision first. A sentence gets a code only where each of its words is known and it
states exactly one finding that pydicom's dictionaries have a code for. Denied,
doubtful, past, several or unknown: the neutral code. The sentence itself stands
beside the code, word for word.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.sr.coding import Code

from dicom_io import codes
from dicom_io.results import places, plain, uncoded, vocabulary
from dicom_io.results.assertion import CUES, Cue, affirmed, find_cues
from dicom_io.results.cues import CHANGES, FILLERS
from dicom_io.results.phrases import Match, PhraseIndex, sentences, singular
from dicom_io.results.vocabulary import Finding, Place

MAPPING_VERSION = "chest-1"
"""Raised with each change that can change a code; belongs beside the codes."""
LONGEST_SENTENCE = 1000
"""Characters; what is longer is not one sentence about one finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """What a sentence says in codes.

    finding : the neutral `codes.UNSPECIFIC_FINDING` where nothing is certain.
    sites : the places named, all on the same side; empty where none is certain.
    laterality : of the sites; None without sites, for a place that has no sides,
    and where no side or different sides are named.
    """

    finding: Code
    sites: tuple[Code, ...] = ()
    laterality: Code | None = None


NEUTRAL = Coding(finding=codes.UNSPECIFIC_FINDING)
"""What a sentence gets that is not coded."""

_FINDINGS = PhraseIndex(
    [
        *((finding, finding.phrases) for finding in vocabulary.FINDINGS),
        (None, uncoded.LOOK_ALIKES),
    ],
    between=vocabulary.BETWEEN,
)
_SITES = PhraseIndex([(site, site.phrases) for site in places.SITES])
_SIDES = PhraseIndex(places.SIDES)
_RELATIONS = PhraseIndex([(None, places.RELATIONS)])
_PLAIN = frozenset(map(singular, plain.WORDS.union(FILLERS, *CHANGES.values())))


def code_sentence(text: str) -> Coding:
    """Return the codes of a sentence, `NEUTRAL` where none is certain.

    Any string is taken; text of more than one sentence and a question are not
    coded. The same text always has the same codes.
    """
    said = sentences(text) if len(text) <= LONGEST_SENTENCE else []
    if len(said) != 1 or "?" in said[0]:
        return NEUTRAL
    words = said[0]
    if _unknown(words):
        return NEUTRAL
    found = find_cues(words)
    mentions = list(_mentions(words))
    stated = affirmed(words, mentions, found)
    if len({mention.value.code for mention in stated}) != 1:
        return NEUTRAL
    return _code(_Sentence(words=words, mentions=mentions, cues=found), stated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    words: list[str]
    mentions: list[Match[Finding]]
    cues: list[Match[Cue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """The words around a finding: as far as the next comma, and further."""

    near: list[str]
    far: list[str]


def _unknown(words: Sequence[str]) -> bool:
    in_phrases = {
        at
        for index in (CUES, _FINDINGS, _SITES, _SIDES, _RELATIONS)
        for match in index.scan(words)
        for at in range(match.start, match.end)
    }
    return any(
        at not in in_phrases and not _is_harmless(word) for at, word in enumerate(words)
    )


def _is_harmless(word: str) -> bool:
    is_number = word[0].isdecimal() and word != "0"
    return is_number or word in _PLAIN or word in {",", ":"}


def _mentions(words: Sequence[str]) -> Iterator[Match[Finding]]:
    for match in _FINDINGS.scan(words):
        if match.value is not None:
            yield Match(start=match.start, end=match.end, value=match.value)


def _code(sentence: _Sentence, stated: list[Match[Finding]]) -> Coding:
    code = stated[0].value.code
    if code is None:
        return NEUTRAL
    around = [_surroundings(sentence, mention) for mention in stated]
    side, sides_differ = _side(around)
    named = () if sides_differ else _named(stated[0].value, around)
    own = next((m.value.site for m in stated if m.value.site), None)
    sites = named or ((own,) if own else ())
    if places.MIDDLE_LOBE in sites and side not in {None, places.RIGHT}:
        return Coding(finding=code)
    if not sites or places.UNPAIRED.intersection(sites):
        side = None
    return Coding(finding=code, sites=sites, laterality=side)


def _surroundings(sentence: _Sentence, mention: Match[Finding]) -> _Surroundings:
    words = sentence.words
    relations = _RELATIONS.scan(words)
    others = [(o.start, o.end) for o in sentence.mentions]
    others += [(o.start, o.end) for o in sentence.cues]
    left = max((end for _, end in others if end <= mention.start), default=0)
    if any(left <= relation.start < mention.start for relation in relations):
        left = mention.start
    starts = [start for start, _ in others] + [o.start for o in relations]
    right = min((at for at in starts if at >= mention.end), default=len(words))
    if mention.value.place is Place.DEVICE:
        right = mention.end
    before, after = words[left : mention.start], words[mention.end : right]
    inside = words[mention.start : mention.end]
    return _Surroundings(
        near=[*_after_comma(before), *inside, *_before_comma(after)],
        far=[*before, *inside, *after],
    )


def _after_comma(words: list[str]) -> list[str]:
    return _before_comma(words[::-1])[::-1]


def _before_comma(words: list[str]) -> list[str]:
    return words[: words.index(",")] if "," in words else words


def _side(around: Sequence[_Surroundings]) -> tuple[Code | None, bool]:
    near = {side for words in around for side in _sides_named(words.near)}
    far = {side for words in around for side in _sides_named(words.far)}
    if places.BILATERAL in near:
        return places.BILATERAL, False
    is_certain = len(near) == 1 and far == near
    return (near.pop() if is_certain else None), len(near) > 1


def _sides_named(words: list[str]) -> Iterator[Code]:
    yield from (match.value for match in _SIDES.scan(words) if match.value)
    yield from (match.value.side for match in _SITES.scan(words) if match.value.side)


def _named(finding: Finding, around: Sequence[_Surroundings]) -> tuple[Code, ...]:
    if finding.place is Place.OWN:
        return ()
    found = {
        match.value.codes: match.value.codes
        for words in around
        for match in _SITES.scan(words.near)
        if match.value.codes
    }
    if finding.place is Place.DEVICE:
        return found.get((places.CHEST_WALL,), ())
    # "the lung" beside a part of it adds nothing
    exact = [sites for sites in found if sites != (places.LUNG,)] or list(found)
    return exact[0] if len(exact) == 1 else ()
