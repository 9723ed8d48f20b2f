"""A sentence gets a code only where it clearly states one finding."""

from functools import cache
from pathlib import Path
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code

from benchmarks.coded_findings import negation_errors, read_sentences, scores
from dicom_io import codes
from dicom_io.results import places, vocabulary
from dicom_io.results.coding import (
    MAPPING_VERSION,
    NEUTRAL,
    Coding,
    code_sentence,
)
from dicom_io.results.uncoded import LOOK_ALIKES, UNCODED
from model.phantom.findings import Change, Size, Zone
from model.phantom.sentences import NEGATIVES, PHRASES, RESOLVED

PAGE = Path(__file__).parents[3] / "docs" / "coded-findings.md"
EVERY = read_sentences()
HELD_OUT = [sentence for sentence in EVERY if sentence.part == "held-out"]
CODED = [s.text for s in EVERY if code_sentence(s.text) != NEUTRAL]
ELSEWHERE = (" no ", "No ", " not ", "but ", "however", "except", "While", ";")
"""What makes a sentence about something else too, or about a change alone."""
SIMPLE = [text for text in CODED if not any(word in text for word in ELSEWHERE)]
NAMES = [
    (phrase.replace(" .. ", " is "), finding.code)
    for finding in vocabulary.FINDINGS
    if finding.code
    for phrase in finding.phrases
]
PIECES = sorted(
    {word for sentence in EVERY for word in sentence.text.split()} | {";", "?", "but"}
)


@cache
def known(scheme: str) -> frozenset[tuple[str, str]]:
    collection = getattr(dictionary, scheme)
    found = (getattr(collection, name) for name in collection.dir())
    return frozenset((code.value, code.meaning) for code in found)


def every_code() -> list[Code]:
    findings = [finding.code for finding in vocabulary.FINDINGS if finding.code]
    own = [finding.site for finding in vocabulary.FINDINGS if finding.site]
    sites = [code for site in places.SITES for code in site.codes]
    sides = [places.RIGHT, places.LEFT, places.BILATERAL]
    return [*findings, *own, *sites, *sides, codes.UNSPECIFIC_FINDING]


@pytest.mark.parametrize("code", sorted({*every_code()}), ids=lambda code: code.meaning)
def test_a_code_is_one_of_pydicoms_dictionaries(code: Code) -> None:
    assert code.scheme_designator in {"SCT", "DCM"}
    assert (code.value, code.meaning) in known(code.scheme_designator)


def test_no_meaning_is_longer_than_its_attribute() -> None:
    assert all(len(code.meaning) <= 64 for code in every_code())


def test_no_phrase_stands_for_two_findings() -> None:
    phrases = [p for finding in vocabulary.FINDINGS for p in finding.phrases]
    assert len(phrases) == len({*phrases, *LOOK_ALIKES}) - len(LOOK_ALIKES)


def test_a_sentence_gets_finding_site_and_side() -> None:
    assert code_sentence("New opacity in the left lower lobe.") == Coding(
        finding=Code("112001", "DCM", "Opacity"),
        sites=(Code("90572001", "SCT", "Lower lobe of lung"),),
        laterality=Code("7771000", "SCT", "Left"),
    )


def test_no_sentence_that_states_nothing_gets_a_code() -> None:
    assert negation_errors(EVERY) == []


def test_no_wrong_code_is_given_on_the_held_out_sentences() -> None:
    assert [n for n, s in scores(HELD_OUT).items() if s.right != s.given] == []


def test_nine_of_ten_held_out_findings_are_coded() -> None:
    assert all(s.right >= 0.9 * s.expected for s in scores(HELD_OUT).values())


def test_the_published_figures_are_the_measured_ones() -> None:
    page = PAGE.read_text("utf-8")
    rest = [sentence for sentence in EVERY if sentence.part != "held-out"]
    for measured in (*scores(HELD_OUT).values(), *scores(rest).values()):
        assert f"({measured.right} of {measured.given})" in page
        assert f"({measured.right} of {measured.expected})" in page
    assert f"{len(EVERY)} sentences" in page


@pytest.mark.parametrize("reading", ["several", "no code"])
def test_several_and_unlisted_findings_get_the_neutral_code(reading: str) -> None:
    texts = [sentence.text for sentence in EVERY if sentence.reading == reading]
    assert texts
    assert [text for text in texts if code_sentence(text) != NEUTRAL] == []


@pytest.mark.parametrize(("name", "code"), NAMES)
def test_a_name_is_coded_and_its_denials_and_doubts_are_not(
    name: str, code: Code
) -> None:
    assert code_sentence(f"{name.capitalize()}.").finding == code
    for said in (
        f"No {name}.",
        f"Lungs without nodule, opacity, or {name}.",
        f"{name} has resolved.",
        f"{name} is not seen.",
        f"{name} is no longer present.",
        f"Possible {name}.",
        f"{name} cannot be excluded.",
        f"{name}: none.",
        f"Evaluate for {name}.",
        f"{name}?",
    ):
        assert code_sentence(said) == NEUTRAL, said


@pytest.mark.parametrize("name", UNCODED)
def test_a_finding_without_a_code_stays_neutral(name: str) -> None:
    said = name.replace(" .. ", " is ")
    assert code_sentence(f"Left {said}.") == NEUTRAL
    assert code_sentence(f"Left {said} and small effusion.") == NEUTRAL


def test_every_sentence_of_the_phantom_with_a_finding_is_coded() -> None:
    said = [
        template.format(side="left", zone=zone, size=size) + f"{change}."
        for template in PHRASES.values()
        for zone in Zone
        for size in Size
        for change in ("", *(f", which is {c}" for c in Change if c != "resolved"))
    ]
    assert [s for s in said if code_sentence(s) == NEUTRAL] == []


def test_no_sentence_of_the_phantom_without_a_finding_is_coded() -> None:
    gone = [t.format(side="left", zone="upper") + "." for t in RESOLVED.values()]
    assert [s for s in (*gone, *NEGATIVES) if code_sentence(s) != NEUTRAL] == []


@pytest.mark.parametrize("text", ["", " ", ".", "...", "\x00", "?", "\ud800", "1."])
def test_a_text_without_words_is_neutral(text: str) -> None:
    assert code_sentence(text) == NEUTRAL


def test_an_unknown_word_withholds_the_code() -> None:
    assert code_sentence("Left effusion.") != NEUTRAL
    assert code_sentence("Left effusion decompressed.") == NEUTRAL


def test_a_denial_cannot_hide_behind_unseen_characters() -> None:
    assert code_sentence("N\u200bo pneumothorax.") == NEUTRAL
    assert code_sentence("\uff2e\uff2f pneumothorax.") == NEUTRAL


@pytest.mark.parametrize("sign", ["\u2205", "\u00d8", "\u00ac", "0", "n0", "\u2212"])
def test_a_sign_that_may_mean_no_withholds_the_code(sign: str) -> None:
    assert code_sentence(f"{sign} pneumothorax.") == NEUTRAL


def test_two_sentences_are_not_one_finding() -> None:
    assert code_sentence("Left effusion. It has resolved.") == NEUTRAL
    assert code_sentence("Left effusion\nNone today") == NEUTRAL


def test_the_codes_carry_a_version() -> None:
    assert MAPPING_VERSION


@pytest.mark.parametrize("text", SIMPLE)
def test_no_before_a_coded_sentence_takes_its_code(text: str) -> None:
    assert code_sentence(f"No {text[0].lower()}{text[1:]}") == NEUTRAL


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert code_sentence(text) == code_sentence(text)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join))
def test_a_side_stands_with_a_site_that_has_one(text: str) -> None:
    coding = code_sentence(text)
    if coding.laterality:
        assert coding.sites
        assert not places.UNPAIRED.intersection(coding.sites)
    if coding.finding == codes.UNSPECIFIC_FINDING:
        assert coding == NEUTRAL


@pytest.mark.parametrize("piece", ["no effusion, ", "heart is is ", "a\n", "x.", "no "])
def test_a_long_text_is_read_quickly(piece: str) -> None:
    started = thread_time()
    code_sentence(piece * (65_536 // len(piece)))
    code_sentence((piece * 1000)[:1000])
    assert thread_time() - started < 1.0
