"""The judges that need no language model, and sentences by rule."""

import pytest

from model.phantom.generator import PhantomOptions, make_phantom
from model.radfact.judge import ExactJudge, PhantomJudge, normalise
from model.radfact.sentences import split_by_rule


def test_equal_words_entail_whatever_case_and_punctuation() -> None:
    verdict = ExactJudge().entails("NO  effusion", ["The heart.", "No effusion."])
    assert verdict.entailed
    assert verdict.evidence == (1,)


def test_other_words_do_not_entail() -> None:
    assert not ExactJudge().entails("No effusion.", ["Effusion."]).entailed


def test_every_equal_sentence_is_evidence() -> None:
    assert ExactJudge().entails("a", ["A.", "b", "a"]).evidence == (0, 2)


def test_words_alone_are_compared() -> None:
    assert normalise(" Right-sided,  small. ") == "right sided small"


@pytest.mark.parametrize(
    ("sentence", "report", "entailed"),
    [
        (
            "There is a small right pleural effusion.",
            "There is a large right pleural effusion.",
            True,
        ),
        (
            "There is a small right pleural effusion.",
            "There is a small left pleural effusion.",
            False,
        ),
        ("The heart is enlarged, which is new.", "The heart is enlarged.", True),
        (
            "The heart is enlarged, which is new.",
            "The heart is enlarged, which is unchanged.",
            False,
        ),
        ("No pneumothorax.", "No pneumothorax.", True),
        ("There is a small right pneumothorax.", "No pneumothorax.", False),
    ],
)
def test_a_phantoms_statement_is_entailed_by_the_same_finding(
    sentence: str, report: str, entailed: bool
) -> None:
    assert PhantomJudge().entails(sentence, [report]).entailed is entailed


def test_a_phantoms_report_entails_itself() -> None:
    report = make_phantom(5, PhantomOptions(short_side=64, normal=False)).sentences
    for place, sentence in enumerate(report):
        assert place in PhantomJudge().entails(sentence, report).evidence


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", ()),
        (" \n ", ()),
        ("One finding. Another one!", ("One finding.", "Another one!")),
        ("A nodule of 3.5 cm is seen.", ("A nodule of 3.5 cm is seen.",)),
        ("No effusion.\n\nHeart normal", ("No effusion.", "Heart normal")),
        ("- No effusion\n- Heart normal", ("No effusion", "Heart normal")),
        ("1. No effusion.\n2. Heart normal.", ("No effusion.", "Heart normal.")),
        ("Line in place\nas before.", ("Line in place as before.",)),
        ("Seen by Dr. Roe. Clear.", ("Seen by Dr. Roe.", "Clear.")),
        ("... --- ...", ()),
    ],
)
def test_text_is_split_at_ends_of_sentences(
    text: str, sentences: tuple[str, ...]
) -> None:
    assert split_by_rule(text) == sentences
    assert ExactJudge().split(text) == PhantomJudge().split(text) == sentences
